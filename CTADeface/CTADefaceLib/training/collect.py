"""Add a scan and its corrected mask to an nnU-Net raw dataset as one more case, without what names the patient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExistsError, InputError, MaskError
from ..files.publish import publication
from ..files.read import read_volume
from ..files.storage.journal import recover
from ..files.storage.private import open_private, private_file
from ..files.write import write_new, write_new_mask
from ..release.hospital_folder import require_no_release
from ..release.record import voxels_sha256
from ..voxels.ct_check import check_ct
from ..voxels.images import mask_on_grid
from ..voxels.volume import Volume

CASE = "head_{:04d}"
ENDING = ".nii.gz"
EMPTY: dict[str, Any] = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "face": 1},
    "numTraining": 0,
    "file_ending": ENDING,
    # Not nnU-Net's: by it a scan that is in the dataset already is known.
    "voxels_sha256": {},
}
DATASET = "dataset.json"


def add_case(image: str | Path | Volume, mask: str | Path | Volume, folder: str | Path, overwrite: bool = False) -> str:
    """Add a case to the raw dataset in ``folder``, which is made if need be; returns the case's neutral name.

    The image is stored in HU as int16, the mask as 0 and 1, each with the grid as the only header. The image shows the
    face: the folder must stay in the hospital.

    Parameters: ``image`` and ``mask`` paths of volume files or ``Volume``s on one grid; ``overwrite`` lets a new mask
    replace that of a scan that is in the dataset already.
    Raises: InputError, also for a release folder, MaskError (other grid, or empty), OutputError.
    """
    require_no_release(folder, "Scans for training")
    scan, drawn = (read_volume(given) if isinstance(given, (str, Path)) else given for given in (image, mask))
    check_ct(scan)
    face = mask_on_grid(drawn, scan)
    if not face.any():
        raise MaskError(f"{drawn.name}: the mask is empty; a case needs a face.")
    hu = np.clip(np.rint(scan.to_hu(scan.stored)), -32768, 32767).astype(np.int16)
    folder = Path(folder)
    recover(folder)
    dataset = read_dataset(folder)
    known, code = dataset.setdefault("voxels_sha256", {}), voxels_sha256(hu)
    name = next((name for name, other in known.items() if other == code), None)
    if name is not None and not overwrite:
        raise ExistsError(f"{scan.name}: is in {folder} already, as {name}; leave it out.")
    ending, new = dataset["file_ending"], name is None
    with publication(folder) as own:
        name = name or _free_name(folder, ending)
        label = folder / "labelsTr" / f"{name}{ending}"
        if new:
            write_new(hu, scan.geometry, private_file(own.stage(folder / "imagesTr" / f"{name}_0000{ending}")))
        write_new_mask(face, scan.geometry, own.stage(label, overwrite=not new))
        known[name] = code
        dataset["numTraining"] = len({label, *label.parent.glob("*" + ending)})
        with open_private(own.stage(folder / DATASET, overwrite=True), encoding="utf-8") as stream:
            stream.write(json.dumps(dataset, indent=2) + "\n")
    return name


def read_dataset(folder: str | Path) -> dict[str, Any]:
    """The dataset.json of a raw dataset, an empty one where there is none. Raises: InputError for another task."""
    path = Path(folder) / DATASET
    if not path.exists():
        return json.loads(json.dumps(EMPTY))
    try:
        dataset = json.loads(path.read_text(encoding="utf-8"))
        labels, ending, channels = dataset["labels"], dataset["file_ending"], dataset["channel_names"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as an nnU-Net dataset ({error}); choose another folder.") from None
    if labels != EMPTY["labels"] or len(channels) != 1 or ending != ENDING:
        raise InputError(
            f"{path}: is a dataset of other labels, channels or files than a face in one CT as {ENDING}; "
            "choose another folder."
        )
    return dataset


def _free_name(folder: Path, ending: str) -> str:
    number = 1
    while any(
        (folder / sub / (CASE.format(number) + tail)).exists()
        for sub, tail in (("imagesTr", "_0000" + ending), ("labelsTr", ending))
    ):
        number += 1
    return CASE.format(number)

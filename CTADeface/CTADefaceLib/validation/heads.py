"""Where the heads are: ``<name>_image.nii.gz`` with ``<name>_mask.nii.gz`` in a folder and its sub-folders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from ..voxels.volume import Volume

IMAGE_SUFFIX = "_image.nii.gz"
MASK_SUFFIX = "_mask.nii.gz"


@dataclass(frozen=True)
class Case:
    """A head CT and its reference mask; ``subset`` is the name of the folder that holds them."""

    name: str
    subset: str
    image: Path
    mask: Path


def find_cases(folder: str | Path, names: Collection[str] | None = None) -> list[Case]:
    """All ``Case``s below ``folder`` by subset and name, or only those in ``names``; InputError when one is missing."""
    folder = Path(folder).resolve()
    cases = []
    for image in folder.rglob("*" + IMAGE_SUFFIX):
        mask = image.with_name(image.name.replace(IMAGE_SUFFIX, MASK_SUFFIX))
        if mask.is_file():
            cases.append(Case(image.name.removesuffix(IMAGE_SUFFIX), image.parent.name, image, mask))
    cases = sorted((c for c in cases if names is None or c.name in names), key=lambda c: (c.subset, c.name))
    missing = set(names or ()) - {c.name for c in cases}
    if missing or not cases:
        raise InputError(
            f"{folder}: no {IMAGE_SUFFIX} with {MASK_SUFFIX} of {sorted(missing) or 'any head'}; name another folder."
        )
    return cases


def read_case(case: Case) -> tuple[Volume, np.ndarray]:
    """(``Volume``, reference mask as bool (k, j, i)) of a ``Case``; InputError, MaskError (another grid)."""
    from ..files.read import read_volume
    from ..voxels.ct_check import check_ct
    from ..voxels.images import mask_on_grid

    volume = read_volume(case.image)
    check_ct(volume)
    return volume, mask_on_grid(read_volume(case.mask), volume)

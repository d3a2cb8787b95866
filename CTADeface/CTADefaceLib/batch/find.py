"""The cases of a folder: volume files of a tree, or the CTs of a BIDS dataset."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, OutputError, PlaceError
from ..files.bids import DESCRIPTION, is_bids
from ..files.read import EXTENSIONS, split_extension
from ..release.hospital_folder import masks_folder, records_folder, require_clean
from ..release.known_folders import lies_in

BIDS_CT = re.compile(r"sub-[^/]+_cta?", re.IGNORECASE)
CODE = "https://github.com/CTADeface/SlicerCTADeface"
# Top folders of a BIDS dataset that hold no raw data.
NOT_RAW = ("derivatives", "sourcedata", "code", "stimuli")
OURS = re.compile(r"(_defaced|_facemask|_desc-defaced_[a-z]+|_desc-face[a-z]*_mask)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to deface. ``id`` its path relative to the input folder, with '/'; ``folder`` the one of its results,
    relative to the output folder; ``kept`` the folder of its record, relative to the hospital's folder; ``naming`` and
    ``called`` as for ``output_paths``; ``kind`` 'file' or 'dicom' (see ``case_kinds.KINDS``).
    """

    id: str
    folder: str
    kept: str
    naming: str = "plain"
    kind: str = "file"
    called: str | None = None


@dataclass(frozen=True)
class Places:
    """Resolved folders: ``source`` with the originals, ``target`` that is given away, ``hospital`` for records."""

    source: Path
    target: Path
    hospital: Path


def places(
    source: str | Path, target: str | Path, records: str | Path | None = None, masks: str | Path | None = None
) -> Places:
    """The three folders of a batch; ``masks`` as for ``masks_folder``.

    Raises: InputError when originals, records or masks would lie in the folder that is given away.
    """
    source, target = Path(source).resolve(), Path(target).resolve()
    if not source.is_dir():
        raise InputError(f"{source}: is not a folder; give the folder of the cases, or use 'run' for single files.")
    if lies_in(source, target):
        raise PlaceError(
            f"{target}: the output folder must not be or hold the input folder, because it is given away; choose another one."
        )
    masks_folder(target, masks, records)
    require_clean(target, whole=True)
    return Places(source, target, records_folder(target, records).resolve())


def find_cases(where: Places, others: Iterable[str | Path] = ()) -> tuple[list[Case], list[Path]]:
    """(cases of volume files in the order of their names, files left out because of their names).

    Parameters: ``others``: further folders that are not searched. The output and the hospital's
    folder are left out when they lie in the input folder, and so are hidden folders and results of earlier runs.
    """
    bids, excluded = is_bids(where.source), excluded_folders(where, others)
    if bids:
        excluded.update(where.source / name for name in NOT_RAW)
    cases, left_out = [], []
    for path in _files(where.source, excluded):
        name = split_extension(path)[0]
        if OURS.search(name) or (bids and not BIDS_CT.fullmatch(name)):
            left_out.append(path)
        else:
            cases.append(path)
    return [_case(path, where.source, bids, twins) for path, twins in _with_twins(cases)], left_out


def excluded_folders(where: Places, others: Iterable[str | Path] = ()) -> set[Path]:
    """Folders that hold no originals."""
    return {folder for folder in (where.target, where.hospital, *map(_resolved, others)) if folder != where.source}


def find_case(where: Places, name: str, called: str | None = None) -> Case:
    """The case whose ``id`` is ``name``; ``called``: its number, if it has one. Raises: InputError when its file is gone."""
    path = where.source / name
    if not path.is_file():
        raise InputError(f"{path}: is gone; put the original back to correct this case.")
    if called is not None:
        return Case(name, ".", ".", called=called)
    stem = split_extension(path)[0].lower()
    twins = [other for other in _files(path.parent, set(path.parent.iterdir())) if split_extension(other)[0].lower() == stem]
    return _case(path, where.source, is_bids(where.source), len(twins) > 1)


def describe_bids(where: Places) -> None:
    """Write dataset_description.json, README.md and .bidsignore of the derivative dataset, unless the first is there."""
    from ..files.publish import publication

    path = where.target / DESCRIPTION
    if not is_bids(where.source) or path.exists():
        return
    raw = json.loads((where.source / DESCRIPTION).read_text(encoding="utf-8"))
    missing = {name: text for name, text in _texts_of_dataset(raw).items() if not (where.target / name).exists()}
    try:
        with publication(where.hospital, release=where.target) as own:
            for name, text in missing.items():
                own.stage(where.target / name, public=True).write_text(text, encoding="utf-8")
    except OutputError:
        if not path.exists():
            raise


def _texts_of_dataset(raw: dict) -> dict[str, str]:
    """The files at the top of the derivative dataset, by name; ``raw``: the description of the dataset it is made of."""
    from .. import __version__

    description = {
        "Name": f"{raw.get('Name', 'Dataset')}, faces removed",
        "BIDSVersion": raw["BIDSVersion"],
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "CTADeface", "Version": __version__, "CodeURL": CODE}],
        **{key: raw[key] for key in ("License", "Authors") if key in raw},
    }
    return {
        DESCRIPTION: json.dumps(description, indent=2) + "\n",
        "README.md": f"# {description['Name']}\n\nHead CTs whose faces were removed by CTADeface {__version__} ({CODE}), in "
        "the tree and on the grid of the dataset that they were made of. CT is not part of BIDS yet, so that validators are "
        "told by .bidsignore not to ask for it.\n",
        ".bidsignore": "# CT is not part of BIDS yet.\nct\n*_desc-defaced_ct*\n",
    }


def _resolved(folder: str | Path) -> Path:
    return Path(folder).resolve()


def folders_of(source: Path, excluded: Collection[Path]) -> Iterator[tuple[Path, list[str]]]:
    """(folder, sorted names of its files) of ``source`` and each folder below it, without hidden ones."""
    for place, names, files in os.walk(source):
        folder = Path(place)
        names[:] = sorted(name for name in names if not name.startswith(".") and folder / name not in excluded)
        yield folder, sorted(name for name in files if not name.startswith("."))


def _files(source: Path, excluded: Collection[Path]) -> Iterator[Path]:
    """Volume files below ``source`` in the order of their paths; links to folders are not followed."""
    for folder, files in folders_of(source, excluded):
        for name in files:
            if name.lower().endswith(EXTENSIONS):
                yield folder / name


def _with_twins(paths: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Each path, and whether another one in its folder differs from it only in the extension."""
    stems = [(path.parent, split_extension(path)[0].lower()) for path in paths]
    counts = Counter(stems)
    for path, stem in zip(paths, stems):
        yield path, counts[stem] > 1


def _case(path: Path, source: Path, bids: bool, twins: bool) -> Case:
    relative = path.relative_to(source)
    folder = relative.parent.as_posix()
    # Records are named after the file without its extension.
    return Case(relative.as_posix(), folder, relative.as_posix() if twins else folder, "bids" if bids else "plain")

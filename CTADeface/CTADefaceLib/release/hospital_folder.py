"""Where records and masks lie: they show the face or name the patient, and stay outside of what is given away.

What is given away is the release folder, and where that lies in a BIDS dataset, the whole dataset.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import HospitalFolderError, OutputError, PlaceError
from ..files.bids import dataset_around
from ..files.read import split_extension
from ..files.writable import refusal

SUFFIX = "-hospital-only"
MASK = "_facemask"
KEPT = "_kept-"
RECORD = "_record"


def records_folder(release: str | Path, chosen: str | Path | None = None) -> Path:
    """The folder of records for a release folder: ``chosen``, or its neighbour "<release>-hospital-only".

    Where the release folder lies in a BIDS dataset, the neighbour of the dataset, and in that the same path.
    Raises: PlaceError when ``chosen`` is the release folder, or lies in it or in its dataset.
    """
    release = Path(release).resolve()
    if chosen is None:
        whole = dataset_around(release) or release
        if not whole.name:
            raise PlaceError(
                f"{release}: is the whole disk, which cannot be given away; choose a folder of its own for the results."
            )
        return whole.with_name(whole.name + SUFFIX) / release.relative_to(whole)
    require_outside(chosen, release, "Records")
    return Path(chosen)


def masks_folder(release: str | Path, chosen: str | Path | None = None, records: str | Path | None = None) -> Path:
    """The folder of masks for a release folder: ``chosen``, or that of the records (see ``records_folder``).

    Raises: PlaceError when it is the release folder, or lies in it or in its dataset.
    """
    if chosen is None:
        return records_folder(release, records)
    require_outside(chosen, release, "Masks")
    return Path(chosen)


def mask_name(defaced: str | Path, extension: str | None = None) -> str:
    """File name of the mask of a defaced volume, a file, or a folder whose mask has the ``extension``."""
    stem, own = (Path(defaced).name, extension) if extension else split_extension(defaced)
    return stem.removesuffix("_defaced").removesuffix(MASK) + MASK + own


def kept_path(mask: Path, number: int) -> Path:
    """The path of the structure ``number`` (from 1) that is kept in a case, beside its mask."""
    stem, extension = split_extension(mask)
    return mask.with_name(f"{stem}{KEPT}{number}{extension}")


def kept_paths_beside(mask: Path) -> list[Path]:
    """The paths of all structures that lie beside a mask."""
    stem, extension = split_extension(mask)
    return sorted(mask.parent.glob(glob.escape(stem + KEPT) + "[0-9]*" + glob.escape(extension)))


def require_outside(folder: str | Path, release: str | Path, what: str) -> None:
    """Raise ``PlaceError`` when ``folder`` is the folder ``release``, or lies in it or in its BIDS dataset."""
    folder, release = Path(folder).resolve(), Path(release).resolve()
    for whole, name in ((release, "release folder"), (dataset_around(release), "BIDS dataset of the results")):
        if whole is not None and _lies_in(folder, whole):
            raise PlaceError(
                f"{folder}: {what.lower()} must not lie in the {name}, because they are for the hospital "
                "only; choose a folder outside of it."
            )


def require_apart(originals: Iterable[str | Path | None], release: str | Path) -> None:
    """Raise ``PlaceError`` when one of the files that show the face lies in the folder ``release``, itself or as a link."""
    release = Path(release).resolve()
    for original in (Path(path).absolute() for path in originals if path is not None):
        if any(_lies_in(place, release) for place in (original.parent.resolve(), original.resolve().parent)):
            raise PlaceError(
                f"{release}: is given away, and holds {original}, which shows the face; choose a folder of its own "
                "for the results."
            )


def require_writable(folder: str | Path) -> None:
    """Raise ``OutputError``, before anything is computed, when no results can be written to ``folder``."""
    why = refusal(folder)
    if why:
        raise OutputError(f"{folder}: {why}; choose another folder for the results.")


def require_hospital_writable(folders: Iterable[str | Path]) -> None:
    """Raise ``HospitalFolderError``, before anything is computed, when masks or records cannot be written to ``folders``."""
    for folder in dict.fromkeys(folders):
        why = refusal(folder)
        if why:
            raise HospitalFolderError(
                f"{folder}: {why}; choose another folder for the masks and records, which stay in the hospital."
            )


def require_no_mask(path: Path) -> None:
    """Raise ``PlaceError`` when ``path``, a mask's name in a release folder, exists: an earlier run has written it there."""
    if path.exists():
        raise PlaceError(
            f"{path}: is a face mask, which shows the shape of the face, and lies in the release folder; move "
            "it out of there, or choose another folder."
        )


def new_record_path(folder: str | Path, name: str) -> Path:
    """``<name>_record.json`` in ``folder``, or with the first free number."""
    return _last_and_unused(folder, name + RECORD, ".json")[1]


def last_record_path(folder: str | Path, name: str) -> Path | None:
    """The last record that exists under such a name; None when there is none."""
    return _last_and_unused(folder, name + RECORD, ".json")[0]


def new_mask_path(folder: str | Path, name: str) -> Path:
    """The path of a mask called ``name`` in the hospital's ``folder``, or with the first free number.

    A blocked run has left its mask there for the person who corrects it.
    """
    return _last_and_unused(folder, *split_extension(name))[1]


def _last_and_unused(folder: str | Path, name: str, extension: str) -> tuple[Path | None, Path]:
    """(the last path that exists, or None; the first unused one) of <name><ext>, <name>_2<ext> and so on in ``folder``:
    what the hospital keeps is never replaced."""
    last: Path | None = None
    path, number = Path(folder) / f"{name}{extension}", 1
    while path.exists():
        number += 1
        last, path = path, Path(folder) / f"{name}_{number}{extension}"
    return last, path


def _lies_in(folder: Path, whole: Path) -> bool:
    """Is a resolved folder ``whole``, or does it lie in that?"""
    return any(_same(place, whole) for place in (folder, *folder.parents))


def _same(place: Path, release: Path) -> bool:
    """Are two paths one folder? Also on file systems that ignore the case of letters."""
    try:
        return place == release or os.path.samefile(place, release)
    except OSError:
        return False

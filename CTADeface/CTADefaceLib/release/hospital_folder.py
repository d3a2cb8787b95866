"""Where records and masks lie: they show the face or name the patient, and stay outside of what is given away."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..files.read import split_extension

SUFFIX = "-hospital-only"
MASK = "_facemask"
RECORD = "_record"


def records_folder(release: str | Path, chosen: str | Path | None = None) -> Path:
    """The folder of records for a release folder: ``chosen``, or its neighbour "<release>-hospital-only".

    Raises: InputError when ``chosen`` is the release folder or lies in it.
    """
    release = Path(release).resolve()
    if chosen is None:
        return release.with_name((release.name or "release") + SUFFIX)
    require_outside(chosen, release, "Records")
    return Path(chosen)


def masks_folder(release: str | Path, chosen: str | Path | None = None, records: str | Path | None = None) -> Path:
    """The folder of masks for a release folder: ``chosen``, or that of the records (see ``records_folder``).

    Raises: InputError when it is the release folder or lies in it.
    """
    if chosen is None:
        return records_folder(release, records)
    require_outside(chosen, release, "Masks")
    return Path(chosen)


def mask_name(defaced: str | Path, extension: str | None = None) -> str:
    """File name of the mask of a defaced volume, a file, or a folder whose mask has the ``extension``."""
    stem, own = (Path(defaced).name, extension) if extension else split_extension(defaced)
    return stem.removesuffix("_defaced").removesuffix(MASK) + MASK + own


def require_outside(folder: str | Path, release: str | Path, what: str) -> None:
    """Raise ``InputError`` when ``folder`` is the folder ``release`` or lies in it."""
    folder, release = Path(folder).resolve(), Path(release).resolve()
    if any(_same(place, release) for place in (folder, *folder.parents)):
        raise InputError(
            f"{folder}: {what.lower()} must not lie in the release folder, because they are for the hospital "
            "only; choose a folder outside of it."
        )


def require_no_mask(path: Path) -> None:
    """Raise ``InputError`` when ``path``, a mask's name in a release folder, exists: an earlier run has written it there."""
    if path.exists():
        raise InputError(
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


def _same(place: Path, release: Path) -> bool:
    """Are two paths one folder? Also on file systems that ignore the case of letters."""
    try:
        return place == release or os.path.samefile(place, release)
    except OSError:
        return False

"""Folders of earlier runs, known by what lies in them or beside them: what is given away, and what stays in the hospital."""

from __future__ import annotations

import os
import unicodedata
from fnmatch import fnmatchcase
from pathlib import Path

from ..files.storage.journal import STAGING

SUFFIX = "-hospital-only"
MASK = "_facemask"
RECORD = "_record"
DEFACED = "_defaced"
MANIFEST = "batch.jsonl"
KEY = "uids.key"
# Names of files at the top of a hospital's folder, and of results at the top of a release folder.
OF_HOSPITAL = (MANIFEST, KEY, f"*{RECORD}.json", f"*{RECORD}_[0-9]*.json", f"*{MASK}*.*", "*_desc-face*_mask.*")
SLICES = "series_[0-9][0-9]"
OF_RELEASE = (f"*{DEFACED}.*", "*_desc-defaced_*.*", SLICES + "/")


def for_hospital_in(folder: str | Path) -> Path | None:
    """A mask, record, manifest or key at the top of a folder; None without any."""
    return _first(Path(folder), OF_HOSPITAL)


def for_hospital_below(folder: str | Path) -> Path | None:
    """A mask, record, manifest or key in a folder or, at any depth, below it; None without any.

    Neither links are followed nor other programs' hidden folders, and slices, which lie there by the thousand, are not asked.
    """
    for place, names, files in os.walk(folder):
        found = next((name for name in files if any(fnmatchcase(name, pattern) for pattern in OF_HOSPITAL)), None)
        if found is not None:
            return Path(place) / found
        names[:] = [name for name in names if not _is_unsearched(name)]
    return None


def released_in(folder: str | Path) -> Path | None:
    """A defaced volume or series at the top of a folder; None without any."""
    return _first(Path(folder), OF_RELEASE)


def release_around(folder: str | Path) -> Path | None:
    """The outermost release folder of an earlier run that ``folder``, which need not exist, is or lies in; None where none is.

    A release folder is known by its neighbour "<name>-hospital-only" with records. Where the hospital's folder was chosen,
    there is no such neighbour, and the defaced volumes in ``folder`` itself tell.
    """
    folder = Path(folder).resolve()
    known = (place for place in reversed((folder, *folder.parents)) if _has_records_beside(place))
    return next(known, None) or (folder if released_in(folder) else None)


def lies_in(folder: str | Path, whole: str | Path) -> bool:
    """Is a folder ``whole``, or does it lie in that, itself or as a link? Neither need exist."""
    whole = Path(whole).resolve()
    # The place of a link counts as well as where it leads: tools that copy a folder follow links.
    ways = {Path(folder).resolve(), Path(os.path.abspath(folder))}
    return any(same_folder(place, whole) for way in ways for place in (way, *way.parents))


def same_folder(one: Path, other: Path) -> bool:
    """Are two paths one folder? Also through mounts, and on file systems that ignore the case of letters."""
    if one == other:
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:
        # While neither is there, nothing tells whether the file system would take them for one.
        return not one.exists() and not other.exists() and _folded(one) == _folded(other)


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def _has_records_beside(folder: Path) -> bool:
    return bool(folder.name) and for_hospital_in(folder.with_name(folder.name + SUFFIX)) is not None


def _is_unsearched(name: str) -> bool:
    hidden = name.startswith(".") and not name.startswith(STAGING) and not name.endswith(SUFFIX)
    return hidden or fnmatchcase(name, SLICES)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    try:
        return next((path for name in names for path in folder.glob(name)), None)
    except OSError:
        # A folder that cannot be listed holds nothing that a run could have found.
        return None

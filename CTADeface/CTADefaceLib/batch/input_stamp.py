"""Is the input of a case still the same? Told by names, sizes and times, without reading it."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from ..dicom.reading.input_files import folder_and_study, study_uid
from .find import folders_of

# A list, as it stands in the manifest.
Stamp = list[int | str]


def stamp_of(path: str | Path) -> Stamp | None:
    """[bytes, time in ns] of a file; for a study's folder, or a study alone (``study_in``), [bytes, SHA-256 of the paths,
    sizes and times of all its files], because the folder's own time need not change when slices arrive below it; None
    for what cannot be accessed.
    """
    place, study = folder_and_study(path)
    try:
        status = place.stat()
    except OSError:
        return None
    return _stamp_of_folder(place, study) if place.is_dir() else [status.st_size, status.st_mtime_ns]


def has_changed(before: Stamp | None, now: Stamp | None) -> bool:
    """Do two stamps of an input differ? No, if the earlier one is not known."""
    if before is None:
        return False
    # Manifests of earlier versions hold the time of a study's folder, which tells nothing.
    return now is None or (type(before[1]) is type(now[1]) and before != now)


def _stamp_of_folder(path: Path, study: str | None) -> Stamp:
    size, seen = 0, sha256()
    for folder, names in folders_of(path, ()):
        for name in names:
            if study is not None and study_uid(folder / name) != study:
                continue
            with suppress(OSError):
                status = (folder / name).stat()
                size += status.st_size
                seen.update(repr(((folder / name).relative_to(path).as_posix(), status.st_size, status.st_mtime_ns)).encode())
    return [size, seen.hexdigest()]

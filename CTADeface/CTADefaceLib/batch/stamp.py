"""Is the input of a case still the same? Told by names, sizes and times, without reading it."""

from contextlib import suppress
from hashlib import sha256

from ..dicom.input_files import folder_and_study, study_uid
from .find import folders_of


def stamp_of(path):
    """[bytes, time in ns] of a file; of the folder of a study [bytes, SHA-256 of the paths, sizes and times of all its
    files], because slices that arrive in it change no time of its own, and so of a study alone (``study_in``); None for
    what cannot be looked at.
    """
    path, study = folder_and_study(path)
    try:
        status = path.stat()
    except OSError:
        return None
    return _stamp_of_folder(path, study) if path.is_dir() else [status.st_size, status.st_mtime_ns]


def has_changed(before, now):
    """Do two stamps of an input differ? Not if that of before is not known."""
    if before is None:
        return False
    # Manifests of before tell of a study the time of its folder, which says nothing.
    return now is None or (type(before[1]) is type(now[1]) and before != now)


def _stamp_of_folder(path, study):
    size, seen = 0, sha256()
    for folder, names in folders_of(path, ()):
        for name in names:
            if study is not None and study_uid(folder / name) != study:
                continue
            with suppress(OSError):
                status = (folder / name).stat()
                size += status.st_size
                seen.update(repr(((folder / name).relative_to(path).as_posix(), status.st_size,
                                  status.st_mtime_ns)).encode())
    return [size, seen.hexdigest()]

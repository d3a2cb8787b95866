"""Which inputs are DICOM, and of which study; asked before anything heavy is imported.

A single study of a folder that holds several is an input too, named like a file in it: FOLDER/study=UID.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from .deflated import refuse_bomb
from .dicom_packages import need_pydicom

SUFFIXES = (".dcm", ".dicom", ".ima")
MAGIC = b"DICM"
# A folder (searched with its sub-folders), a study of one (``study_in``), a file, or a list of files.
Source = str | Path | list[str] | list[Path]

STUDY = "study="
# So many files' studies are remembered, because a folder with many studies is searched once for each of them.
MOST_KNOWN = 100_000


def is_dicom(path: str | Path) -> bool:
    """Is ``path`` a folder, or a file that says (by name or content) that it is DICOM?"""
    place = Path(path)
    if place.is_dir() or place.suffix.lower() in SUFFIXES:
        return True
    try:
        with open(place, "rb") as stream:
            return stream.read(132)[128:] == MAGIC
    except OSError:
        return False


def study_in(folder: str | Path, uid: str) -> Path:
    """The source that means only the study ``uid`` among all files in ``folder`` and below it."""
    return Path(folder) / (STUDY + quote(uid, safe=""))


def folder_and_study(source: str | Path) -> tuple[Path, str | None]:
    """(folder, UID) of a source of ``study_in``; (path, None) of any other folder or file."""
    path = Path(source)
    if path.name.startswith(STUDY) and not path.exists():
        return path.parent, unquote(path.name.removeprefix(STUDY))
    return path, None


def files_and_folders(source: Source) -> list[Path]:
    """The files or folders that a source names."""
    return [folder_and_study(path)[0] for path in (source if isinstance(source, (list, tuple)) else [source])]


def study_uid(path: str | Path) -> str:
    """UID of the study of a DICOM file, '' when it has none or cannot be read. Raises: MissingPackages."""
    try:
        status = Path(path).stat()
        return _study_uid(str(path), status.st_size, status.st_mtime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=MOST_KNOWN)
def _study_uid(path: str, _size: int, _time: int) -> str:
    pydicom = need_pydicom()
    try:
        refuse_bomb(Path(path))
        return str(
            pydicom.dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True, force=True).get(
                "StudyInstanceUID", ""
            )
        )
    except OSError:
        # Not to be remembered, because the error may be temporary.
        raise
    except Exception:  # pydicom raises many kinds for files that only look like DICOM
        return ""

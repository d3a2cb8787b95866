"""Which inputs are DICOM, asked before anything heavy is imported, and of which study.

One study alone of a folder that holds several is an input too, named like a file in it: FOLDER/study=UID.
"""

from functools import lru_cache
from pathlib import Path
from typing import Union
from urllib.parse import quote, unquote

from .deflated import refuse_bomb
from .dicom_packages import need_pydicom

SUFFIXES = (".dcm", ".dicom", ".ima")
MAGIC = b"DICM"
# A folder (searched with its sub-folders), a study of one (``study_in``), a file, or a list of files.
Source = Union[str, Path, list[str], list[Path]]

STUDY = "study="
# Files of which the study is remembered, as a folder of many studies is gone through for each of them.
MOST_KNOWN = 100_000


def is_dicom(path):
    """Is ``path`` a folder, or a file that says (by name or content) that it is DICOM?"""
    path = Path(path)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == MAGIC
    except OSError:
        return False


def study_in(folder, uid):
    """The source that is the study ``uid`` alone of all that lies in ``folder`` and below it."""
    return Path(folder) / (STUDY + quote(uid, safe=""))


def folder_and_study(source):
    """(folder, UID) of a source of ``study_in``; (path, None) of any other folder or file."""
    path = Path(source)
    if path.name.startswith(STUDY) and not path.exists():
        return path.parent, unquote(path.name.removeprefix(STUDY))
    return path, None


def study_uid(path):
    """UID of the study of a DICOM file, '' when it has none or cannot be read. Raises: MissingPackages."""
    try:
        status = Path(path).stat()
        return _study_uid(str(path), status.st_size, status.st_mtime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=MOST_KNOWN)
def _study_uid(path, _size, _time):
    pydicom = need_pydicom()
    try:
        refuse_bomb(Path(path))
        return str(pydicom.dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True,
                                   force=True).get("StudyInstanceUID", ""))
    except OSError:
        # Not to be remembered: it may go by.
        raise
    except Exception:  # pydicom raises many kinds for files that only look like DICOM
        return ""

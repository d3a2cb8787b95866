"""Is it DICOM? Asked before anything heavy is imported."""

from pathlib import Path

SUFFIXES = (".dcm", ".dicom", ".ima")
MAGIC = b"DICM"


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

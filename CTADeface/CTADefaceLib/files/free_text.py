"""Text of a volume file's header: what is kept in the results and may name the patient, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..voxels.header_text import is_technical, kept_texts, long_texts
from ..voxels.volume import FileHeader
from .formats.itk_header import ItkHeader
from .formats.nifti import NiftiHeader

if TYPE_CHECKING:
    from nibabel import Nifti1Header

# They say which format it is; all other texts are people's and programs' own.
NIFTI_OWN = ("magic", "regular")
# Of keys that are left out, a warning names so many, and so much of each.
MOST_NAMED, MOST_OF_NAME = 5, 60


def nifti_texts(header: Nifti1Header) -> list[str]:
    """Names of the fields of a NIfTI-1 or NIfTI-2 header that may hold any text."""
    fields = header.structarr.dtype
    return [name for name in fields.names if fields[name].kind == "S" and name not in NIFTI_OWN]


def kept_text(source: FileHeader | None) -> list[str]:
    """Names of the fields of a volume's header that hold text and are kept."""
    if isinstance(source, ItkHeader):
        return [key for key, text in kept_texts(source.metadata).items() if not is_technical(key, text)]
    if not isinstance(source, NiftiHeader):
        return []
    header = source.header
    return [name for name in nifti_texts(header) if bytes(header[name].tobytes()).strip(b"\0 ")]


def left_out(source: FileHeader | None) -> list[str]:
    """What of a volume's header is not written, because a head could be in it."""
    if isinstance(source, ItkHeader):
        keys = long_texts(source.metadata)
        return [key[:MOST_OF_NAME] for key in keys[:MOST_NAMED]] + ["others"] * (len(keys) > MOST_NAMED)
    return ["extensions"] if isinstance(source, NiftiHeader) and source.has_more else []


def text_warnings(path: str | Path, source: FileHeader | None) -> list[str]:
    """One sentence each where text of the file's header is kept, and where something of the header is not."""
    kept, gone = ", ".join(kept_text(source)), ", ".join(left_out(source))
    said = [f"{path}: the header's text is kept ({kept}); make sure that it names nobody."] if kept else []
    return said + ([f"{path}: a part of the header is left out ({gone}), because it could hold the face."] if gone else [])

"""Text of a volume file's header that is kept in the results and may name the patient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..voxels.volume import FileHeader
from .itk_header import ItkHeader
from .nifti import NiftiHeader

if TYPE_CHECKING:
    from nibabel import Nifti1Header

# The form in which ITK keeps DICOM tags.
DICOM_TAG = re.compile(r"(DICOM_)?[0-9a-f]{4}[|,_][0-9a-f]{4}", re.IGNORECASE)
TECHNICAL = ("NRRD_kinds", "NRRD_centerings", "NRRD_space", "ITK_", "Modality")
# They say which format it is; all other texts are people's and programs' own.
NIFTI_OWN = ("magic", "regular")


def without_dicom(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of an ITK image without its DICOM tags, which name the patient."""
    return {key: value for key, value in metadata.items() if not DICOM_TAG.fullmatch(key)}


def nifti_texts(header: Nifti1Header) -> list[str]:
    """Names of the fields of a NIfTI-1 or NIfTI-2 header that may hold any text."""
    fields = header.structarr.dtype
    return [name for name in fields.names if fields[name].kind == "S" and name not in NIFTI_OWN]


def kept_text(source: FileHeader | None) -> list[str]:
    """Names of the fields of a volume's header that hold text and are kept."""
    if isinstance(source, ItkHeader):
        return [key for key in without_dicom(source.metadata) if not key.startswith(TECHNICAL)]
    if not isinstance(source, NiftiHeader):
        return []
    header = source.header
    fields = [name for name in nifti_texts(header) if bytes(header[name].tobytes()).strip(b"\0 ")]
    # 4 bytes after the header say whether extensions follow.
    return fields + (["extensions"] if any(source.prefix[int(header["sizeof_hdr"]) + 4 :]) else [])


def text_warning(path: str | Path, source: FileHeader | None) -> str | None:
    """One sentence when the file's header has text that is kept, else None."""
    fields = kept_text(source)
    return f"{path}: the header's text is kept ({', '.join(fields)}); make sure that it names nobody." if fields else None

"""Text in a volume file's header that goes into the results and may name the patient."""

import re

from .text_header import ItkHeader

# The form in which ITK keeps DICOM tags.
DICOM_TAG = re.compile(r"(DICOM_)?[0-9a-f]{4}[|,_][0-9a-f]{4}", re.IGNORECASE)
TECHNICAL = ("NRRD_kinds", "NRRD_centerings", "NRRD_space", "ITK_", "Modality")
NIFTI_TEXT = ("descrip", "aux_file", "db_name", "intent_name")


def without_dicom(metadata):
    """The metadata (dict) of an ITK image without DICOM tags, which nobody reads there but who looks for the patient."""
    return {key: value for key, value in metadata.items() if not DICOM_TAG.fullmatch(key)}


def kept_text(source):
    """Names of the fields of a ``NiftiHeader`` or ``ItkHeader`` that hold text and are kept."""
    if isinstance(source, ItkHeader):
        return [key for key in without_dicom(source.metadata) if not key.startswith(TECHNICAL)]
    header = source.header
    fields = [name for name in NIFTI_TEXT if name in header and bytes(header[name].tobytes()).strip(b"\0 ")]
    # Behind the header come 4 bytes that say whether extensions follow.
    return fields + (["extensions"] if any(source.prefix[int(header["sizeof_hdr"]) + 4:]) else [])


def text_warning(path, source):
    """One sentence for a person, or None."""
    fields = kept_text(source) if source is not None else []
    return f"{path}: the header's text is kept ({', '.join(fields)}); make sure that it names nobody." if fields else None

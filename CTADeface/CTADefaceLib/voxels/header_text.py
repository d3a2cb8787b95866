"""Text in a volume's header that a defaced volume may take over: nothing that names the patient by design, nothing long.

Voxels pack well: a head fits into a header's text. As in DICOM (``dicom.headers.vouched``), only what is short may stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# The forms in which ITK (0010|0010), MITK (DICOM_0010_0010, and on for what is nested) and dcm2niix
# (DICOM_0010_0010_PatientName) keep DICOM tags.
DICOM_TAG = re.compile(
    r"\(?[0-9a-f]{4}[|,._][0-9a-f]{4}\)?|DICOM[._|][0-9a-f]{4}[|,._][0-9a-f]{4}.*", re.IGNORECASE | re.DOTALL
)
# What formats and programs say of the grid, "key=text"; people's own text stands elsewhere.
TECHNICAL = re.compile(
    r"NRRD_(kinds|centerings)\[\d\]=[\w-]*|NRRD_space=[\w-]*|Modality=(MET_MOD_)?(CT|MR|NM|US|OTHER|UNKNOWN)|"
    r"ITK_InputFilterName=\w*ImageIO|ITK_(original_direction|original_spacing|sform_corrected)=([-+.,\deE \[\]]*|YES|NO)"
)
# The most characters of one key with its text, and of all together.
MOST_CHARACTERS, MOST_TOGETHER = 1024, 4096


def kept_texts(metadata: Mapping[str, str]) -> dict[str, str]:
    """What may stay of an ITK image's metadata: no DICOM tags, which name the patient, and nothing that can hold a picture."""
    short = {key: text for key, text in _without_dicom(metadata).items() if len(key) + len(text) <= MOST_CHARACTERS}
    if sum(len(key) + len(text) for key, text in short.items()) <= MOST_TOGETHER:
        return short
    return {key: text for key, text in short.items() if is_technical(key, text)}


def is_technical(key: str, text: str) -> bool:
    """Is it about the grid, in a form that names nobody?"""
    return TECHNICAL.fullmatch(f"{key}={text}") is not None


def long_texts(metadata: Mapping[str, str]) -> list[str]:
    """The keys of what must not stay because it is long, DICOM tags aside."""
    stay = kept_texts(metadata)
    return [key for key in _without_dicom(metadata) if key not in stay]


def _without_dicom(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in metadata.items() if not DICOM_TAG.fullmatch(key)}

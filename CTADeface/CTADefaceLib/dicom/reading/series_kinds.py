"""What a series is, by its headers: only CT slices can be defaced; everything else is named and left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

# A kind is one of these; the text is what a person reads.
CT, MPR, PROJECTION, LOCALIZER = "CT", "derived CT (MPR)", "projection or rendering", "localizer"
CAPTURE, DOSE_REPORT, STRUCTURES, DOSE = "secondary capture", "dose report", "RTSTRUCT", "RTDOSE"
SEGMENTATION, UNREADABLE, OTHER = "segmentation", "unreadable", "other"
DEFACEABLE = (CT, MPR)
# They hold the surface of the body, or of the face itself.
REDRAWS_FACE = (STRUCTURES, DOSE, SEGMENTATION)

CT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "single-frame",
    "1.2.840.10008.5.1.4.1.1.2.1": "enhanced",
    "1.2.840.10008.5.1.4.1.1.2.2": "enhanced, converted",
}
CAPTURE_ROOT = "1.2.840.10008.5.1.4.1.1.7"
DOSE_REPORT_CLASSES = ("1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.1.1.88.68")
OTHER_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.481.3": STRUCTURES,
    "1.2.840.10008.5.1.4.1.1.481.2": DOSE,
    "1.2.840.10008.5.1.4.1.1.66.4": SEGMENTATION,
    "1.2.840.10008.5.1.4.1.1.66.5": SEGMENTATION,
    "1.2.840.10008.5.1.4.1.1.66.7": SEGMENTATION,
}

# Vendors put them between others, with blanks or underscores: "CT_SOM5 MIP", "VRT_AVERAGE".
LOCALIZER_WORDS = r"LOCALIZER|SCOUT|TOPOGRAM|SURVIEW|SCANOGRAM"
DOSE_WORDS = r"DOSE INFO|DOSE REPORT"
SCREEN_WORDS = r"SCREEN SAVE|SCREENSHOT"
MPR_WORDS = r"DERIVED|MPR|REFORMATTED"
# Their voxels show what lies in front of them, where a mask at their own place does not reach.
PROJECTION_WORDS = (
    r"\w*MIP\w*|\w*MINIP|MIN IP|MAX IP|MAXIP|MAXIMUM|MINIMUM|PROJECTION|VRT?|SSD|3D|RENDERED|(VOLUME|SURFACE) RENDER(ING)?"
)
PROJECTION_PROPERTIES = {"SAMPLED", "DISTORTED"}
PROJECTION_METHODS = {"MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"}


def kind_of(header: Dataset) -> str:
    """Kind of an instance (``pydicom.Dataset`` without pixels): one of the constants above.

    The frames of an enhanced file are asked too: a single projection or localizer among them makes it one.
    """
    sop_class = str(header.get("SOPClassUID", ""))
    types = _frame_types(header)
    values = [value for one in (header.get("ImageType"), *(t.get("FrameType") for t in types)) for value in _values(one)]
    words = {re.sub(r"[\W_]+", " ", value).strip() for value in values}

    def named(pattern: str) -> bool:
        found = re.compile(rf"\b({pattern})\b")
        return any(found.search(word) for word in words)

    if sop_class in OTHER_CLASSES:
        return OTHER_CLASSES[sop_class]
    if sop_class in DOSE_REPORT_CLASSES or named(DOSE_WORDS):
        return DOSE_REPORT
    if sop_class == CAPTURE_ROOT or sop_class.startswith(CAPTURE_ROOT + ".") or named(SCREEN_WORDS):
        return CAPTURE
    if sop_class not in CT_CLASSES or str(header.get("Modality", "CT")) != "CT":
        return OTHER
    if named(LOCALIZER_WORDS):
        return LOCALIZER
    if header.get("SamplesPerPixel", 1) != 1:
        return CAPTURE
    if named(PROJECTION_WORDS) or any(
        str(one.get("VolumetricProperties", "")) in PROJECTION_PROPERTIES
        or str(one.get("VolumeBasedCalculationTechnique", "")) in PROJECTION_METHODS
        for one in (header, *types)
    ):
        return PROJECTION
    return MPR if named(MPR_WORDS) else CT


def _values(element: str | Iterable[str] | None) -> list[str]:
    """The values of Image Type or Frame Type, in capitals; pydicom gives a single one by itself."""
    given = [element] if isinstance(element, str) else element or []
    return [str(value).upper() for value in given]


def _frame_types(header: Dataset) -> list[Dataset]:
    """What an enhanced file says of the kinds of its frames."""
    groups = [
        group
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        for group in header.get(keyword) or []
    ]
    return [kind for group in groups for kind in group.get("CTImageFrameTypeSequence") or []]


def plane_name(normal: tuple[float, ...]) -> str:
    """'axial', 'coronal' or 'sagittal' for the normal (LPS) of a slice, with 'oblique' when 10 degrees off or more."""
    along = np.abs(np.asarray(normal, float))
    axis = int(along.argmax())
    name = ("sagittal", "coronal", "axial")[axis]
    return name if along[axis] >= np.cos(np.radians(10)) else f"oblique {name}"

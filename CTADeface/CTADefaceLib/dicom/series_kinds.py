"""What a series is, by its headers: only CT slices can be defaced; everything else is named and left out."""

from __future__ import annotations

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

LOCALIZER_WORDS = {"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM"}
DOSE_WORDS = {"DOSE_INFO", "DOSE REPORT", "DOSE_REPORT"}
SCREEN_WORDS = {"SCREEN SAVE", "SCREENSHOT", "SCREEN_SAVE"}
# Their voxels show what lies in front of them, where a mask at their own place does not reach.
PROJECTION_WORDS = {
    "MIP",
    "MINIP",
    "MIN_IP",
    "MAX_IP",
    "MAXIMUM",
    "MINIMUM",
    "PROJECTION IMAGE",
    "VRT",
    "SSD",
    "3D",
    "VOLUME_RENDERING",
    "RENDERED",
}
PROJECTION_METHODS = {"MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"}


def kind_of(header: Dataset) -> str:
    """Kind of an instance (``pydicom.Dataset`` without pixels): one of the constants above."""
    sop_class = str(header.get("SOPClassUID", ""))
    words = {str(word).upper() for word in header.get("ImageType", None) or []}
    if sop_class in OTHER_CLASSES:
        return OTHER_CLASSES[sop_class]
    if sop_class in DOSE_REPORT_CLASSES or words & DOSE_WORDS:
        return DOSE_REPORT
    if sop_class == CAPTURE_ROOT or sop_class.startswith(CAPTURE_ROOT + ".") or words & SCREEN_WORDS:
        return CAPTURE
    if sop_class not in CT_CLASSES or str(header.get("Modality", "CT")) != "CT":
        return OTHER
    if words & LOCALIZER_WORDS:
        return LOCALIZER
    if header.get("SamplesPerPixel", 1) != 1:
        return CAPTURE
    if (
        words & PROJECTION_WORDS
        or str(header.get("VolumetricProperties", "")) == "SAMPLED"
        or str(header.get("VolumeBasedCalculationTechnique", "")) in PROJECTION_METHODS
    ):
        return PROJECTION
    return MPR if "DERIVED" in words or words & {"MPR", "REFORMATTED"} else CT


def plane_name(normal: tuple[float, ...]) -> str:
    """'axial', 'coronal' or 'sagittal' for the normal (LPS) of a slice, with 'oblique' when 10 degrees off or more."""
    along = np.abs(np.asarray(normal, float))
    axis = int(along.argmax())
    name = ("sagittal", "coronal", "axial")[axis]
    return name if along[axis] >= np.cos(np.radians(10)) else f"oblique {name}"

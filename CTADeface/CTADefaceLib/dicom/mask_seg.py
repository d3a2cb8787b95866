"""The face mask as a DICOM Segmentation (SEG) on the slices of the original series, for the hospital's own archive."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cases.result import MODEL
from ..errors import CTADefaceError, OutputError, first_line
from ..files.read import split_extension
from ..files.storage.private import private_file
from ..release.outgoing import CaseMask
from .headers.allowed import MUST_BE_THERE
from .reading.dicom_packages import need_highdicom, need_pydicom
from .reading.read_series import each_file
from .reading.stack import Stack

if TYPE_CHECKING:
    from pydicom import Dataset

EXTENSION = ".seg.dcm"
# SNOMED CT, as in Slicer's segments.
STRUCTURE, FACE = ("123037004", "SCT", "Anatomical Structure"), ("89545001", "SCT", "Face")
# Beside the numbers that scanners give, so that archives list it after the images.
NUMBER_AFTER = 1000


def seg_path(mask: Path) -> Path:
    """The path of the SEG beside the file ``mask``."""
    return mask.with_name(split_extension(mask)[0] + EXTENSION)


def write_mask_seg(stack: Stack, face: CaseMask, path: Path) -> None:
    """Write the mask of ``face``, bool (k, rows, columns) on the slices of ``stack``, to ``path``.

    It refers to the original instances and carries the patient's and the study's attributes: for the hospital only.
    Slices without face have no frame. Tilted and uneven slices keep their places, because each frame has its source's.
    Raises: OutputError, MissingPackages.
    """
    highdicom = need_highdicom()
    try:
        with warnings.catch_warnings():
            # They print values, which may be names and IDs.
            warnings.simplefilter("ignore")
            sources, frames = _on_instances(stack, face.mask)
            _segmentation(highdicom, sources, frames, face).save_as(private_file(path))
    except (CTADefaceError, OSError):
        raise
    except Exception as error:  # highdicom and pydicom raise many kinds for elements that the standard does not allow
        raise OutputError(
            f"{stack.planes[0].path.name}: the face mask cannot be written as DICOM SEG ({first_line(error)}); run without "
            "--mask-seg."
        ) from None


def _on_instances(stack: Stack, mask: np.ndarray) -> tuple[list[Dataset], np.ndarray]:
    """(datasets of the source files, without pixels; uint8 frames in their order)."""
    pydicom = need_pydicom()
    files = list(each_file(stack))
    sources = [pydicom.dcmread(path, stop_before_pixels=True) for path, _planes in files]
    for source in sources:
        for keyword in MUST_BE_THERE:
            # Empty where it is unknown, as the standard has it; some archives leave it out.
            if keyword not in source:
                setattr(source, keyword, None)
    numbers = [int(source.get("NumberOfFrames") or 1) for source in sources]
    if max(numbers) == 1:
        return sources, mask.astype(np.uint8)
    if len(files) > 1:
        raise OutputError("A SEG refers to one multi-frame file, and this series has several; run without --mask-seg.")
    frames = np.zeros((numbers[0], *mask.shape[1:]), np.uint8)
    frames[[plane.frame for plane in stack.planes]] = mask
    return sources, frames


def _segmentation(highdicom: Any, sources: list[Dataset], frames: np.ndarray, face: CaseMask) -> Any:
    from .. import __version__

    kinds = highdicom.seg.SegmentAlgorithmTypeValues
    made_by = kinds.AUTOMATIC if face.source.startswith(MODEL) else kinds.SEMIAUTOMATIC if face.model else kinds.MANUAL
    algorithm = None
    if face.model:
        algorithm = highdicom.AlgorithmIdentificationSequence(
            name=str(face.model["name"])[:64],
            family=highdicom.sr.CodedConcept("123110", "DCM", "Artificial Intelligence"),
            version=str(face.model.get("sha256") or __version__)[:64],
        )
    segment = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="Face",
        segmented_property_category=highdicom.sr.CodedConcept(*STRUCTURE),
        segmented_property_type=highdicom.sr.CodedConcept(*FACE),
        algorithm_type=made_by,
        algorithm_identification=algorithm,
    )
    return highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=frames,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        series_instance_uid=highdicom.UID(),
        series_number=int(sources[0].get("SeriesNumber") or 0) + NUMBER_AFTER,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="CTADeface",
        manufacturer_model_name="CTADeface",
        software_versions=__version__,
        device_serial_number="CTADeface",
        content_label="FACE",
        content_description="Face mask",
        series_description="Face mask, for the hospital only",
    )

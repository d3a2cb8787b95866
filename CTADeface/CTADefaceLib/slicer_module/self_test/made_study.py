"""A DICOM study of the synthetic head: three CT series of one frame of reference, a localizer and an RTSTRUCT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...dicom.new_series import as_slices, write_new_series
from ...dicom.patch import save, set_pixels
from ...dicom.structure_set import RT_STRUCTURE_SET
from ...voxels.volume import Geometry, Volume

if TYPE_CHECKING:
    from pydicom import Dataset

PATIENT_ID, PATIENT_NAME = "CTADeface", "Synthetic^Head"
# Number of a series and its description; the first is the one that a person works on.
SERIES = {1: "Thin", 2: "Thick", 3: "Thick, other kernel"}
LOCALIZER, STRUCTURES = 4, 5
BRIGHTER_HU = 7


def write_study(head: Volume, folder: Path) -> None:
    """Write the study of a head (HU, axes at right angles) into folders of ``folder``, one a series."""
    thin = as_slices(head, head.stored)
    spacing = thin.geometry.spacing
    every_second = Geometry((*spacing[:2], 2 * spacing[2]), thin.geometry.origin, thin.geometry.direction)
    thick = Volume(np.ascontiguousarray(thin.stored[::2]), every_second, name=head.name)
    volumes = {1: thin, 2: thick, 3: Volume(thick.stored + np.int16(BRIGHTER_HU), every_second, name=head.name)}
    first: Dataset | None = None
    for number, volume in volumes.items():
        place = folder / str(number)
        place.mkdir(parents=True)
        write_new_series(volume, place)
        for path in sorted(place.glob("*.dcm")):
            first = _in_one_study(path, number, first)
    assert first is not None
    _write_localizer(first, thin, folder / "localizer.dcm")
    _write_structures(first, thin.geometry, folder / "structures.dcm")


def _in_one_study(path: Path, number: int, first: Dataset | None) -> Dataset:
    """Make the file of a new series one of an original study, that of ``first``; returns the first file's dataset."""
    import pydicom

    dataset = pydicom.dcmread(path)
    first = first or dataset
    dataset.PatientID, dataset.PatientName = PATIENT_ID, PATIENT_NAME
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = first.StudyInstanceUID, first.FrameOfReferenceUID
    dataset.StudyDescription, dataset.SeriesNumber, dataset.SeriesDescription = "Head", number, SERIES[number]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    if "RecognizableVisualFeatures" in dataset:
        # Nothing was removed from an original.
        del dataset.RecognizableVisualFeatures
    dataset.save_as(path)
    return first


def _beside(first: Dataset, number: int, modality: str) -> Dataset:
    """A dataset of another series of the study of ``first``, without anything that belongs to an image."""
    import pydicom

    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDescription", "FrameOfReferenceUID"):
        setattr(dataset, keyword, first[keyword].value)
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = pydicom.uid.generate_uid(), pydicom.uid.generate_uid()
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = modality, number, 1
    return dataset


def _write_localizer(first: Dataset, thin: Volume, path: Path) -> None:
    """The head from the side, in which the profile of the face shows."""
    dataset = _beside(first, LOCALIZER, "CT")
    image = np.ascontiguousarray(thin.stored.max(2)[::-1])
    dataset.SOPClassUID, dataset.SeriesDescription = first.SOPClassUID, "Localizer"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [0, 1, 0, 0, 0, -1], [0, 0, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [thin.geometry.spacing[2], thin.geometry.spacing[1]], 1
    dataset.Rows, dataset.Columns = image.shape
    for keyword in ("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"):
        setattr(dataset, keyword, first[keyword].value)
    dataset.PixelRepresentation, dataset.RescaleIntercept, dataset.RescaleSlope = 1, 0, 1
    set_pixels(dataset, image.view(np.uint16)[None])
    save(dataset, path)


def _write_structures(first: Dataset, geometry: Geometry, path: Path) -> None:
    """An RTSTRUCT with a square in one slice."""
    import pydicom

    item = pydicom.Dataset
    dataset = _beside(first, STRUCTURES, "RTSTRUCT")
    dataset.SOPClassUID, dataset.SeriesDescription, dataset.StructureSetLabel = RT_STRUCTURE_SET, "Structures", "Structures"
    corners = np.array([[30, 30, 40], [30, 34, 40], [34, 34, 40], [34, 30, 40]]) * np.asarray(geometry.spacing)
    points = np.asarray(geometry.origin) + corners @ np.asarray(geometry.direction).T
    frame, roi, contours, contour = item(), item(), item(), item()
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = 1, "Orbit", first.FrameOfReferenceUID
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
    contour.ContourData = [f"{value:.4f}" for value in points.ravel()]
    contours.ReferencedROINumber, contours.ContourSequence = 1, [contour]
    dataset.ReferencedFrameOfReferenceSequence, dataset.StructureSetROISequence = [frame], [roi]
    dataset.ROIContourSequence = [contours]
    save(dataset, path)

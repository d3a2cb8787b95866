"""A defaced volume that did not come from DICOM, as a new CT series (CT Image IOD, one file a slice)."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..voxels.volume import Geometry, Volume
from .headers.allowed import MUST_BE_THERE
from .headers.defacing_marks import mark_defaced
from .headers.uids import NewUids
from .patch import save, set_pixels
from .reading.dicom_packages import need_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
INT16 = np.iinfo(np.int16)
RIGHT_ANGLES = 1e-3


def as_slices(volume: Volume, stored: np.ndarray) -> Volume:
    """``stored`` (k, j, i) of a ``Volume`` as the HU volume (int16) that a CT series can hold, its slices in DICOM's order.

    Raises: InputError for axes that are not at right angles, and for HU beyond 16 bits.
    """
    geometry, hu = volume.geometry, np.rint(volume.to_hu(stored))
    if np.abs(geometry.direction.T @ geometry.direction - np.eye(3)).max() > RIGHT_ANGLES:
        raise InputError(f"{volume.name}: its axes are not at right angles, as a CT series needs them; resample it first.")
    if not np.isfinite(hu).all() or hu.min() < INT16.min or hu.max() > INT16.max:
        raise InputError(f"{volume.name}: has values beyond {INT16.min} to {INT16.max} HU; a CT series cannot hold them.")
    hu = hu.astype(np.int16)
    row, column, across = geometry.direction.T
    if np.cross(row, column) @ across > 0:
        return Volume(hu, geometry, name=volume.name)
    # DICOM orders slices along the normal of row and column.
    last = np.asarray(geometry.origin) + across * geometry.spacing[2] * (len(hu) - 1)
    direction = np.stack([row, column, -across], axis=1)
    return Volume(np.ascontiguousarray(hu[::-1]), Geometry(geometry.spacing, tuple(last), direction), name=volume.name)


def write_new_series(volume: Volume, folder: Path, face_gone: bool = True) -> None:
    """Write a ``Volume`` of ``as_slices`` as 0001.dcm ... into ``folder``; no patient, no dates, new UIDs.

    ``face_gone`` as for ``mark_defaced``.
    Raises: OutputError, MissingPackages.
    """
    pydicom = need_pydicom()
    uids = NewUids()
    study, series, frame = (pydicom.uid.generate_uid() for _ in range(3))
    geometry = volume.geometry
    across = geometry.direction[:, 2] * geometry.spacing[2]
    digits = max(4, len(str(len(volume.stored))))
    for number, plane in enumerate(volume.stored):
        dataset = _slice(pydicom, plane, number, geometry.origin + across * number, geometry)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        set_pixels(dataset, plane.view(np.uint16)[None])
        mark_defaced(dataset, uids, face_gone=face_gone)
        save(dataset, folder / f"{number + 1:0{digits}}.dcm")


def _slice(pydicom: ModuleType, plane: np.ndarray, number: int, position: np.ndarray, geometry: Geometry) -> Dataset:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    for keyword in MUST_BE_THERE:
        setattr(dataset, keyword, None)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE, pydicom.uid.generate_uid()
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", 1, number + 1
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.ImagePositionPatient = [_decimal(x) for x in position]
    dataset.ImageOrientationPatient = [_decimal(x) for x in (*geometry.direction[:, 0], *geometry.direction[:, 1])]
    column_mm, row_mm, dataset.SliceThickness = (_decimal(x) for x in geometry.spacing)
    dataset.PixelSpacing = [row_mm, column_mm]
    dataset.Rows, dataset.Columns = plane.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "HU"
    return dataset


def _decimal(value: float) -> str:
    """A number in the 16 characters of a decimal string."""
    text = f"{float(value):.10g}"
    return text if len(text) <= 16 else f"{float(value):.8g}"

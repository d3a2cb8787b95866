"""DICOM series of the synthetic head (or of any array), made for the tests in the variants that hospitals have."""

import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)
from scipy import ndimage as ndi

from CTADefaceLib.face.synthetic_head import SPACING_MM, head_parts
from CTADefaceLib.files.write import write_mask_new
from CTADefaceLib.voxels.volume import Geometry

# As in ``phantom.image``: LPS of voxel (0, 0, 0) of the (S, A, R) array.
ORIGIN = np.array([95.0, 120.0, -60.0])
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
PATIENT = {
    "PatientName": "Secret^Jane",
    "PatientID": "ID4711",
    "PatientBirthDate": "19500102",
    "PatientSex": "F",
    "AccessionNumber": "ACC99",
    "InstitutionName": "Mercy General",
    "ReferringPhysicianName": "Who^Doctor",
}
NATIVE = {"implicit": ImplicitVRLittleEndian, "explicit": ExplicitVRLittleEndian, "big endian": ExplicitVRBigEndian}


def phantom_geometry():
    """``Geometry`` of the phantom's arrays (S, A, R) taken as (k, j, i)."""
    return Geometry((SPACING_MM,) * 3, tuple(ORIGIN), np.diag([-1.0, -1.0, 1.0]))


@cache
def parts():
    return head_parts()


def phantom_at(points, part=0):
    """HU (or a part of the head as 0 and 1) of the synthetic head at LPS ``points`` (..., 3)."""
    values = parts()[part].astype(np.float32)
    index = ((points - ORIGIN) / np.array([-SPACING_MM, -SPACING_MM, SPACING_MM]))[..., ::-1]
    outside = -1000 if part == 0 else 0
    return ndi.map_coordinates(values, np.moveaxis(index, -1, 0), order=0, cval=outside)


def image_at(image, points):
    """HU of a SimpleITK image at LPS ``points`` (..., 3), air outside of it."""
    index = np.array(image.GetDirection()).reshape(3, 3).T @ (points - np.array(image.GetOrigin()))[..., None]
    index = (index[..., 0] / np.array(image.GetSpacing()))[..., ::-1]
    array = sitk.GetArrayViewFromImage(image).astype(np.float32)
    return ndi.map_coordinates(array, np.moveaxis(index, -1, 0), order=1, cval=-1000)


def box_of(image):
    """LPS (low, high) corners of an image with axes along those of the patient."""
    ends = [image.TransformIndexToPhysicalPoint(i) for i in ((0, 0, 0), tuple(n - 1 for n in image.GetSize()))]
    return np.min(ends, 0), np.max(ends, 0)


@dataclass
class Shape:
    """Where the slices of a series lie: LPS ``positions`` of their first pixels, cosines, size, mm of a pixel."""

    positions: np.ndarray
    cosines: tuple = AXIAL
    rows: int = 80
    columns: int = 64
    pixel_mm: tuple = (SPACING_MM, SPACING_MM)
    thickness: float = SPACING_MM

    def points(self):
        """LPS of every pixel, (k, rows, columns, 3)."""
        row, column = np.array(self.cosines[:3]), np.array(self.cosines[3:])
        return (
            np.asarray(self.positions)[:, None, None]
            + np.arange(self.rows)[:, None, None] * self.pixel_mm[0] * column
            + np.arange(self.columns)[:, None] * self.pixel_mm[1] * row
        )


def upright(count=80, spacing=SPACING_MM, **changes):
    """Axial slices on the phantom's own grid, from the lowest to the highest."""
    corner = ORIGIN - SPACING_MM * np.array([63, 79, 0])
    return Shape(corner + np.arange(count)[:, None] * np.array([0, 0, spacing]), **{"thickness": spacing} | changes)


def sparse():
    """Every second slice of the phantom, thin: the half of the work."""
    return upright(40, 2 * SPACING_MM, thickness=SPACING_MM)


def tilted(degrees=18.0, count=80):
    """A gantry tilted about the left-right axis: the slices lean, the table still moves along z."""
    angle = np.radians(degrees)
    cosines = (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(-np.sin(angle)))
    # The middle of each slice lies on the middle of the head.
    down = np.array(cosines[3:]) * SPACING_MM * 39.5
    middle = ORIGIN - SPACING_MM * np.array([63, 39.5, 0])
    return Shape(middle - down + np.arange(count)[:, None] * np.array([0, 0, SPACING_MM]), cosines)


def oblique(degrees=12.0):
    """A stack of right angles, turned about the left-right axis as a whole: a derived MPR."""
    lean = tilted(degrees)
    normal = np.cross(lean.cosines[:3], lean.cosines[3:])
    middle = lean.positions[40]
    return Shape(middle + (np.arange(80)[:, None] - 40) * SPACING_MM * normal, lean.cosines)


def sagittal():
    """A sagittal MPR on the phantom's voxels: rows run backwards, columns downwards."""
    corner = ORIGIN + SPACING_MM * np.array([0.0, -79, 79])
    return Shape(corner + np.arange(64)[:, None] * np.array([-SPACING_MM, 0, 0]), SAGITTAL, 80, 80)


@dataclass
class Study:
    """UIDs that the series of one study share."""

    study: str = field(default_factory=generate_uid)
    frame: str = field(default_factory=generate_uid)


def write_series(
    folder,
    shape=None,
    study=None,
    hu=None,
    syntax="explicit",
    bits=(16, True),
    rescale=(1.0, -1024.0),
    padding=None,
    change=None,
    number=1,
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    name="image",
):
    """Write single-frame CT files; returns the stored values (k, rows, columns) that they hold.

    Parameters: ``rescale`` (slope, intercept) or a function of the slice's number; ``padding`` a stored value outside
    of the circle; ``change(dataset, number)`` last changes; ``syntax`` a key of ``NATIVE``, 'deflated', or a
    compression.
    """
    shape, study = shape or upright(), study or Study()
    folder.mkdir(parents=True, exist_ok=True)
    hu = phantom_at(shape.points()) if hu is None else hu
    stored = np.empty(hu.shape, np.int16 if bits[1] else np.uint16)
    series = generate_uid()
    low, high = (-(1 << bits[0] - 1), (1 << bits[0] - 1) - 1) if bits[1] else (0, (1 << bits[0]) - 1)
    outside = circle(shape.rows, shape.columns)
    for k, position in enumerate(shape.positions):
        slope, intercept = rescale(k) if callable(rescale) else rescale
        stored[k] = np.clip(np.rint((hu[k] - intercept) / slope), low, high)
        if padding is not None:
            stored[k][outside] = padding
        dataset = base(study, series, number, image_type, CTImageStorage)
        dataset.InstanceNumber = len(shape.positions) - k
        dataset.ImagePositionPatient = [float(f"{x:.6f}") for x in position]
        dataset.ImageOrientationPatient = [float(f"{x:.9f}") for x in shape.cosines]
        dataset.PixelSpacing, dataset.SliceThickness = list(shape.pixel_mm), shape.thickness
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = slope, intercept, "HU"
        if padding is not None:
            dataset.add_new(0x00280120, "SS" if bits[1] else "US", padding)
        put_pixels(dataset, stored[k], bits)
        if change:
            change(dataset, k)
        # Neither names nor numbers are in the order of the slices.
        save(dataset, folder / f"{name}{(k * 37) % 1009:04}.dcm", syntax)
    return stored


def write_study_of(image, folder):
    """A thin and a thick CT series of one study, with what an upright SimpleITK image shows."""
    spacing, study = 3.0, Study()
    low, high = box_of(image)
    columns, rows, count = (int(n) for n in (high - low) / spacing)
    for number, step in ((1, 1), (2, 3)):
        positions = low + np.arange(0, count, step)[:, None] * [0, 0, spacing]
        shape = Shape(positions, rows=rows, columns=columns, pixel_mm=(spacing,) * 2, thickness=spacing * step)
        write_series(folder / str(number), shape, study, image_at(image, shape.points()), number=number)


def base(study, series, number, image_type, sop_class):
    """A ``pydicom.Dataset`` with what all CT images of a study have."""
    dataset = Dataset()
    for keyword, value in PATIENT.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study.study, series, study.frame
    dataset.Modality, dataset.Manufacturer, dataset.PatientPosition = "CT", "Maker", "HFS"
    dataset.StudyDate = dataset.ContentDate = dataset.AcquisitionDate = "20200304"
    dataset.StudyTime = dataset.ContentTime = "101112"
    dataset.StudyID, dataset.SeriesNumber, dataset.AcquisitionNumber = "S1", number, 1
    dataset.SeriesDescription, dataset.KVP, dataset.PositionReferenceIndicator = "Head", "120", ""
    dataset.Laterality = ""
    dataset.ImageType = list(image_type)
    return dataset


def put_pixels(dataset, stored, bits):
    """Set the image pixel module."""
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits[0], bits[0] - 1
    dataset.PixelRepresentation = int(bits[1])
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()
    dataset["PixelData"].VR = "OW"


def save(dataset, path, syntax="explicit"):
    """Write a dataset in a transfer syntax; skips the test where no encoder exists."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = NATIVE.get(syntax, ExplicitVRLittleEndian)
    if syntax == "big endian":
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    elif syntax == "deflated":
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    elif syntax not in NATIVE and syntax != "JPEG lossless":
        dataset.compress(
            {"RLE": pydicom.uid.RLELossless, "JPEG 2000": pydicom.uid.JPEG2000Lossless, "JPEG-LS": pydicom.uid.JPEGLSLossless}[
                syntax
            ],
            generate_instance_uid=False,
        )
    uid = dataset.file_meta.TransferSyntaxUID
    dataset.save_as(path, implicit_vr=uid.is_implicit_VR, little_endian=uid.is_little_endian, enforce_file_format=True)
    if syntax == "JPEG lossless":
        if shutil.which("dcmcjpeg") is None:
            pytest.skip("needs dcmcjpeg (Debian's dcmtk) to make JPEG lossless")
        subprocess.run(["dcmcjpeg", "+e1", "--uid-never", str(path), str(path)], check=True, capture_output=True)


def circle(rows, columns):
    """Bool (rows, columns): outside of the reconstruction circle, as wide as the image is high."""
    r, c = (np.arange(n) - (n - 1) / 2 for n in (rows, columns))
    return np.hypot(r[:, None], c) > rows / 2


def write_enhanced(path, shape=None, study=None, bits=(16, True), rescale=(1.0, -1024.0), change=None, syntax="explicit"):
    """Write one enhanced multi-frame CT file, frames in reverse order; returns the stored values, lowest slice first.

    ``change(dataset)``, ``syntax`` as for ``write_series``.
    """
    shape, study = shape or upright(), study or Study()
    path.parent.mkdir(parents=True, exist_ok=True)
    hu = phantom_at(shape.points())
    stored = np.rint((hu - rescale[1]) / rescale[0]).astype(np.int16 if bits[1] else np.uint16)
    dataset = base(study, generate_uid(), 5, ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"), EnhancedCTImageStorage)
    dataset.InstanceNumber, dataset.NumberOfFrames = 1, len(stored)
    shared = Dataset()
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=list(shape.cosines))]
    shared.PixelMeasuresSequence = [item(PixelSpacing=list(shape.pixel_mm), SliceThickness=shape.thickness)]
    shared.PixelValueTransformationSequence = [item(RescaleSlope=rescale[0], RescaleIntercept=rescale[1], RescaleType="HU")]
    shared.CTImageFrameTypeSequence = [item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[float(x) for x in position])])
        for position in shape.positions[::-1]
    ]
    put_pixels(dataset, stored[::-1], bits)
    if change:
        change(dataset)
    save(dataset, path, syntax)
    return stored


def item(**elements):
    """A sequence item."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def write_other(path, sop_class, modality, study, **elements):
    """Write an object without CT slices: a structure set, a dose report, a secondary capture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = base(study, generate_uid(), 9, ("DERIVED", "SECONDARY"), sop_class)
    dataset.Modality = modality
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    save(dataset, path)


def write_mask(path, part=1):
    """Write the synthetic head's face as a NIfTI mask on the phantom's grid; returns the path as text."""
    return write_mask_of(np.asarray(parts()[part], bool), phantom_geometry(), path)


def write_mask_of(mask, geometry, path):
    """Write a bool mask (k, j, i) on a ``Geometry`` as NIfTI; returns the path as text."""
    write_mask_new(mask, geometry, path)
    return str(path)

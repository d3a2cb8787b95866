"""The series below a folder: every DICOM file is found, grouped and named; none is passed over in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...progress import StageProgress
from .deflated import refuse_bomb
from .dicom_packages import need_pydicom
from .input_files import Source, folder_and_study, is_dicom, study_uid
from .series_kinds import CT_CLASSES, UNREADABLE, kind_of, plane_name

if TYPE_CHECKING:
    from pydicom import Dataset

SAME_ORIENTATION = 1e-3
# Short elements only: the files themselves are read again where their pixels are needed.
TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "ImageType",
    "SeriesNumber",
    "SeriesDescription",
    "InstanceNumber",
    "AcquisitionNumber",
    "ImagePositionPatient",
    "ConvolutionKernel",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "VolumetricProperties",
    "VolumeBasedCalculationTechnique",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ReferencedFrameOfReferenceSequence",
    "RecognizableVisualFeatures",
)
# Decoded only where headers are cleaned.
WHO = ("PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "PatientName", "PatientBirthDate")


@dataclass(frozen=True)
class Instance:
    """One file; ``header`` holds the elements in ``TAGS`` and ``WHO``, None when it cannot be read."""

    path: Path
    header: Dataset | None

    @property
    def known_header(self) -> Dataset:
        """The header of a file that was read, as all of a CT series were."""
        assert self.header is not None
        return self.header


@dataclass
class Series:
    """Instances of one study, SeriesInstanceUID, image size and orientation.

    ``number`` is its place in the listing, from 1; ``normal`` of its slices (LPS); ``orientation`` the six cosines of
    ImageOrientationPatient.
    """

    uid: str
    study: str
    kind: str
    instances: list[Instance]
    number: int = 0
    problem: str | None = None
    frame_of_reference: str | None = None
    normal: tuple[float, ...] | None = None
    orientation: np.ndarray | None = None

    @property
    def header(self) -> Dataset:
        """That of the first instance, empty when it cannot be read."""
        header = self.instances[0].header
        return need_pydicom().Dataset() if header is None else header

    @property
    def label(self) -> str:
        """How messages name it: without anything that identifies the patient."""
        return f"series {self.number} ({self.kind})"


@dataclass
class Found:
    """What is below a source: ``series`` in order."""

    series: list[Series] = field(default_factory=list)


def find_series(source: Source, progress: StageProgress | None = None) -> Found:
    """``Found`` of a folder (searched with its sub-folders), of one study in it (``study_in``), a file, or a list of files.

    For a single study, files that name no study are found too, so that none is passed over.

    Raises: InputError when there is no such thing or it holds no DICOM file, MissingPackages.
    """
    need_pydicom()
    found, name = Found(), _name(source)
    groups: dict[tuple, list[Series]] = {}
    paths = _files(source)
    for number, path in enumerate(paths):
        if progress is not None:
            progress.update(number / len(paths))
        header, problem = _read_header(path)
        if header is None and problem is None:
            continue  # not DICOM
        if header is not None and str(header.get("SOPClassUID", "")) == "1.2.840.10008.1.3.10":
            continue  # a DICOMDIR only lists the files
        _add(groups, Instance(path, header), problem)
    found.series = sorted((series for group in groups.values() for series in group), key=_order)
    for number, series in enumerate(found.series, 1):
        series.number = number
    if not found.series:
        raise InputError(f"{name}: holds no DICOM files; give the folder of a CT study.")
    return found


def _name(source: Source) -> str:
    return f"{source[0]} and {len(source) - 1} more" if isinstance(source, (list, tuple)) else str(source)


def _files(source: Source) -> list[Path]:
    if isinstance(source, (list, tuple)):
        paths = [Path(path) for path in source]
    else:
        folder, study = folder_and_study(source)
        if folder.is_dir():
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            return paths if study is None else [path for path in paths if study_uid(path) in (study, "")]
        paths = [Path(source)]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such file.")
    return paths


def _read_header(path: Path) -> tuple[Dataset | None, str | None]:
    """(header, None); (None, what is wrong) for a broken DICOM file; (None, None) for a file that is not DICOM."""
    pydicom = need_pydicom()
    try:
        refuse_bomb(path)
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*TAGS, *WHO], force=True)
        # Elements are decoded when they are first asked for, and may turn out to be damaged then.
        usable = bool(header.get("SOPInstanceUID")) and bool(header.get("SOPClassUID"))
        for tag in TAGS:
            header.get(tag)
        _require_numbers(header)
        kind_of(header), _orientation(header), _frame_of_reference(header)
    except InputError as error:
        return None, str(error).removeprefix(f"{path.name}: ").rstrip(".")
    except Exception as error:  # pydicom raises many kinds for damaged files
        return None, f"cannot be read ({type(error).__name__})" if is_dicom(path) else None
    if usable:
        return header, None
    return None, "has no SOP class or instance UID" if is_dicom(path) else None


def _require_numbers(header: Dataset) -> None:
    """Raise, for an element that should hold numbers and does not, here once instead of wherever it is used."""
    for keyword in ("Rows", "Columns", "NumberOfFrames", "SeriesNumber"):
        if header.get(keyword) not in (None, ""):
            int(header.get(keyword))
    for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        if header.get(keyword) not in (None, ""):
            np.array(header.get(keyword), float)


def _add(groups: dict[tuple, list[Series]], instance: Instance, problem: str | None) -> None:
    header = instance.header
    if header is None:
        unread = groups.setdefault(("", str(instance.path)), [])
        unread.append(Series("", "", UNREADABLE, [instance], problem=f"{instance.path.name}: {problem}"))
        return
    kind = kind_of(header)
    normal, orientation = _orientation(header)
    series_uid, study = (str(header.get(keyword, "")) for keyword in ("SeriesInstanceUID", "StudyInstanceUID"))
    size = header.get("Rows"), header.get("Columns")
    # An enhanced file is a volume of its own.
    enhanced = CT_CLASSES.get(str(header.SOPClassUID), "single-frame") != "single-frame"
    own = str(header.SOPInstanceUID) if enhanced else None
    group = groups.setdefault((study, series_uid, str(header.SOPClassUID), kind, size, own), [])
    for series in group:
        # Slices of one series may be rounded each in its own way.
        if _same_orientation(orientation, series.orientation):
            series.instances.append(instance)
            return
    group.append(
        Series(
            series_uid,
            study,
            kind,
            [instance],
            normal=normal,
            orientation=orientation,
            frame_of_reference=_frame_of_reference(header),
        )
    )


def _same_orientation(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, atol=SAME_ORIENTATION))


def _orientation(header: Dataset) -> tuple[tuple[float, ...] | None, np.ndarray | None]:
    """(normal, six cosines) of a slice, or of the first frame; (None, None) where they are missing."""
    cosines = header.get("ImageOrientationPatient")
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if cosines is None and header.get(groups):
            planes = header.get(groups)[0].get("PlaneOrientationSequence")
            cosines = planes[0].get("ImageOrientationPatient") if planes else None
    if cosines is None or len(cosines) != 6:
        return None, None
    values = np.array(cosines, float)
    return tuple(np.cross(values[:3], values[3:])), values


def _frame_of_reference(header: Dataset) -> str | None:
    uid = header.get("FrameOfReferenceUID")
    if not uid and header.get("ReferencedFrameOfReferenceSequence"):
        uid = header.ReferencedFrameOfReferenceSequence[0].get("FrameOfReferenceUID")
    return str(uid) if uid else None


def _order(series: Series) -> tuple:
    number = series.header.get("SeriesNumber")
    return (
        series.study,
        series.uid == "",
        int(number) if number not in (None, "") else 10**9,
        series.uid,
        -len(series.instances),
        str(series.instances[0].path),
    )


def describe(series: Series) -> dict:
    """What the listing says of a series, ready for JSON; it holds UIDs and descriptions of the hospital, not for release."""
    header = series.header
    spacing = header.get("PixelSpacing")
    frames = sum(int(i.header.get("NumberOfFrames") or 1) if i.header is not None else 0 for i in series.instances)
    return {
        "number": series.number,
        "kind": series.kind,
        "plane": plane_name(series.normal) if series.normal else None,
        "files": len(series.instances),
        "images": frames,
        "size": [header.get("Columns"), header.get("Rows")] if header.get("Rows") else None,
        "pixel_mm": [float(s) for s in spacing] if spacing else None,
        "series_number": str(header.get("SeriesNumber", "") or "") or None,
        "description": str(header.get("SeriesDescription", "") or "") or None,
        "series_uid": series.uid,
        "study_uid": series.study,
        "frame_of_reference": series.frame_of_reference,
        "problem": series.problem,
    }

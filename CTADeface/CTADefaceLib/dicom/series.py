"""The series below a folder: every DICOM file is found, grouped and named; none is passed over in silence."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from .deflated import refuse_bomb
from .dicom_packages import need_pydicom
from .input_files import folder_and_study, is_dicom, study_uid
from .series_kinds import CT_CLASSES, UNREADABLE, kind_of, plane_name

SAME_ORIENTATION = 1e-3
# Short elements only: the files themselves are read again where their pixels are needed.
TAGS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
    "ImageType", "SeriesNumber", "SeriesDescription", "InstanceNumber", "AcquisitionNumber",
    "ImagePositionPatient", "ConvolutionKernel", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VolumetricProperties",
    "VolumeBasedCalculationTechnique", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "ReferencedFrameOfReferenceSequence", "RecognizableVisualFeatures")


@dataclass(frozen=True)
class Instance:
    """One file; ``header`` is a ``pydicom.Dataset`` of the elements in ``TAGS``."""

    path: Path
    header: object


@dataclass
class Series:
    """Instances of one study and SeriesInstanceUID, image size and orientation; ``number`` counts them in the listing from 1."""

    uid: str
    study: str
    kind: str
    instances: list
    number: int = 0
    problem: str | None = None
    frame_of_reference: str | None = None
    normal: tuple | None = None
    orientation: object = None

    @property
    def header(self):
        return self.instances[0].header if self.instances[0].header is not None else {}

    @property
    def label(self):
        """How messages name it: never by what the patient is called."""
        return f"series {self.number} ({self.kind})"


@dataclass
class Found:
    """What is below a source: ``series`` in order."""

    series: list = field(default_factory=list)


def find_series(source, progress=None):
    """``Found`` of a folder (searched with its sub-folders), of one study in it (``study_in``), a file, or a list of files.

    Of one study, files that tell no study are found too, so that none is passed over.

    Raises: InputError when there is no such thing or it holds no DICOM file, MissingPackages.
    """
    need_pydicom()
    found, groups, name = Found(), {}, _name(source)
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


def _name(source):
    return f"{source[0]} and {len(source) - 1} more" if isinstance(source, (list, tuple)) else str(source)


def _files(source):
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


def _read_header(path):
    """(header, None), (None, what is wrong) of a broken DICOM file, or (None, None) of another file."""
    pydicom = need_pydicom()
    try:
        refuse_bomb(path)
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS), force=True)
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


def _require_numbers(header):
    """Raise what numbers raise that are none, so that nobody needs to expect it later."""
    for keyword in ("Rows", "Columns", "NumberOfFrames", "SeriesNumber"):
        if header.get(keyword) not in (None, ""):
            int(header.get(keyword))
    for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        if header.get(keyword) not in (None, ""):
            np.array(header.get(keyword), float)


def _add(groups, instance, problem):
    header = instance.header
    if header is None:
        group = groups.setdefault(("", str(instance.path)), [])
        group.append(Series("", "", UNREADABLE, [instance], problem=f"{instance.path.name}: {problem}"))
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
        if (orientation is None) == (series.orientation is None) and (
                orientation is None or np.allclose(orientation, series.orientation, atol=SAME_ORIENTATION)):
            series.instances.append(instance)
            return
    group.append(Series(series_uid, study, kind, [instance], normal=normal, orientation=orientation,
                        frame_of_reference=_frame_of_reference(header)))


def _orientation(header):
    """(normal, six cosines) of a slice, or of the first frame; (None, None) without."""
    cosines = header.get("ImageOrientationPatient")
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if cosines is None and header.get(groups):
            planes = header.get(groups)[0].get("PlaneOrientationSequence")
            cosines = planes[0].get("ImageOrientationPatient") if planes else None
    if cosines is None or len(cosines) != 6:
        return None, None
    cosines = np.array(cosines, float)
    return tuple(np.cross(cosines[:3], cosines[3:])), cosines


def _frame_of_reference(header):
    uid = header.get("FrameOfReferenceUID")
    if not uid and header.get("ReferencedFrameOfReferenceSequence"):
        uid = header.ReferencedFrameOfReferenceSequence[0].get("FrameOfReferenceUID")
    return str(uid) if uid else None


def _order(series):
    number = series.header.get("SeriesNumber")
    return series.study, series.uid == "", int(number) if number not in (None, "") else 10**9, series.uid, -len(
        series.instances), str(series.instances[0].path)


def describe(series):
    """What the listing says of a series, a dict of JSON-able values; UIDs and descriptions are the hospital's own."""
    header = series.header
    spacing = header.get("PixelSpacing")
    frames = sum(int(i.header.get("NumberOfFrames") or 1) if i.header is not None else 0 for i in series.instances)
    return {"number": series.number, "kind": series.kind, "plane": plane_name(series.normal) if series.normal else None,
            "files": len(series.instances), "images": frames,
            "size": [header.get("Columns"), header.get("Rows")] if header.get("Rows") else None,
            "pixel_mm": [float(s) for s in spacing] if spacing else None,
            "series_number": str(header.get("SeriesNumber", "") or "") or None,
            "description": str(header.get("SeriesDescription", "") or "") or None,
            "series_uid": series.uid, "study_uid": series.study, "frame_of_reference": series.frame_of_reference,
            "problem": series.problem}

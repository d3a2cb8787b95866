"""Identifiers in every form of text, on top and nested: after ``--deidentify-headers`` only those named here are left."""

import re
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_VR, keyword_dict, tag_for_keyword

from CTADefaceLib.cases.options import Options
from CTADefaceLib.dicom.deface_study import deface_dicom
from CTADefaceLib.dicom.headers.allowed import SEQUENCES
from CTADefaceLib.dicom.headers.defacing_marks import mark_defaced
from CTADefaceLib.dicom.headers.deidentify import BasicProfile
from CTADefaceLib.dicom.headers.free_texts import KEPT
from CTADefaceLib.dicom.headers.uids import NewUids
from CTADefaceLib.dicom.headers.vouched import remove_unvouched
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.dicom_maker import item

# docs/dicom.md names these: what the machine is, and how it computed the image.
DOCUMENTED = {"Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel"}
TEXT = ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
# Identifiers that fit, or nearly fit, kinds of text that have a form of their own.
VALUES = {
    "DA": "19770{}{:02}",
    "DT": "19770{}{:02}121314",
    "TM": "1717{}{:01}",
    "AS": "0{}{:01}Y",
    "CS": "Jane-{}-{:02}",
    "UI": "1.2.840.999.{}.{}",
}
SKIPPED = {
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "SpecificCharacterSet",
    "ImageType",
    "Modality",
    "PatientPosition",
    "PhotometricInterpretation",
    "RescaleType",
    "TransferSyntaxUID",
    "ImplementationClassUID",
    "BurnedInAnnotation",
}


def planted_at(groups, kinds):
    """keyword -> VR of the standard's elements that are of text, in ``groups``."""
    found = {
        keyword: dictionary_VR(tag)
        for keyword, tag in keyword_dict.items()
        if int(tag) >> 16 in groups and dictionary_VR(tag) in kinds and keyword not in SKIPPED
    }
    return dict(sorted(found.items()))


TOP = planted_at(
    (0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0028, 0x0032, 0x0038, 0x0040, 0x0054, 0x0088, 0x4008), {*TEXT, *VALUES}
)


class Planted:
    """Identifiers that were planted into one file, each another one: the text -> where it was."""

    def __init__(self):
        self.where = {}

    def value(self, vr, where):
        number = len(self.where)
        text = f"Jane{number:05}Roe" if vr in TEXT else None
        if text is None:
            text = VALUES[vr].format(number % 10, number // 10)
        self.where[text] = where
        return text

    def into(self, dataset, keywords, where=""):
        with pydicom.config.disable_value_validation():
            for keyword, vr in keywords.items():
                dataset.add_new(tag_for_keyword(keyword), vr, self.value(vr, where + keyword))


def survivors(dataset, planted, path=""):
    """Where the planted texts are still found in ``dataset``."""
    found = set()
    for element in dataset:
        if element.VR == "SQ":
            for below in element.value:
                found |= survivors(below, planted, f"{path}{element.keyword}.")
        else:
            value = str(element.value)
            found |= {f"{path}{element.keyword} <- {where}" for text, where in planted.where.items() if holds(value, text)}
    return found


def holds(value, text):
    """Is ``text`` in a value? A few digits within the many of a new UID are there by chance."""
    return text in value and re.search(rf"(?<!\d){re.escape(text)}(?!\d)", value) is not None


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


def cleaned(folder, mask, change):
    """(original, defaced dataset) of the first slices of a series that ``change`` spoils."""
    maker.write_series(folder / "in", maker.sparse(), change=change)
    result = deface_dicom(folder / "in", folder / "out", Options(mask=mask, deidentify_headers=True))[0]
    assert (result.status, result.error) == ("defaced", None)
    return [pydicom.dcmread(readers.sorted_files(path)[0]) for path in (folder / "in", result.defaced)]


def test_of_the_texts_on_top_only_the_documented_ones_stay(tmp_path, mask):
    planted = Planted()

    def change(dataset, k):
        if k == 0:
            planted.into(dataset, TOP)

    before, after = cleaned(tmp_path, mask, change)
    assert len(planted.where) > 500 and {dictionary_VR(e.tag) for e in before} >= {*TEXT, *VALUES} - {"UC", "UR"}
    assert set(KEPT) == DOCUMENTED
    assert survivors(after, planted) == {f"{keyword} <- {keyword}" for keyword in DOCUMENTED}
    content = Path(after.filename).read_bytes().decode("latin-1")
    assert sum(holds(content, text) for text in planted.where) == len(DOCUMENTED)


NESTED = sorted(SEQUENCES - {"PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"})


@pytest.mark.parametrize("below", NESTED)
def test_of_nested_texts_only_the_documented_ones_stay(below):
    """The headers alone, in each sequence that may stay: texts of all kinds, codes of a hospital's own, deeper codes."""
    keywords = list(TOP.items())
    # Each sequence gets others, all get them all.
    share = dict(keywords[NESTED.index(below) % 12 :: 12]) | {"Manufacturer": "LO", "CodeMeaning": "LO", "TextValue": "UT"}
    planted, dataset, inside = Planted(), pydicom.Dataset(), pydicom.Dataset()
    planted.into(inside, share, "nested ")
    inside.RequestedProcedureCodeSequence = [item()]
    code = {"CodeValue": "SH", "CodingSchemeDesignator": "SH", "CodeMeaning": "LO", "PersonName": "PN", "TextValue": "UT"}
    planted.into(inside.RequestedProcedureCodeSequence[0], code, "code ")
    setattr(dataset, below, [inside])
    remove_unvouched(dataset)
    BasicProfile(NewUids())(dataset)
    assert {where.partition(" <- ")[2] for where in survivors(dataset, planted)} <= {f"nested {k}" for k in DOCUMENTED}


def test_codes_of_the_standard_keep_their_meaning_and_others_go(tmp_path, mask):
    def change(dataset, k):
        dataset.AnatomicRegionSequence = [item(CodeValue="69536005", CodingSchemeDesignator="SCT", CodeMeaning="Jane Roe")]
        dataset.CTDIPhantomTypeCodeSequence = [
            item(CodeValue="113690", CodingSchemeDesignator="DCM", CodeMeaning="Roe", CodingSchemeVersion="Jane")
        ]
        dataset.ReasonForPerformedProcedureCodeSequence = [
            item(CodeValue="J4711", CodingSchemeDesignator="99ROE", CodeMeaning="seen by Jane Roe")
        ]
        dataset.DeidentificationMethod = "removed Jane"
        dataset.DeidentificationMethodCodeSequence = [
            item(CodeValue="113109", CodingSchemeDesignator="DCM", CodeMeaning="Roe")
        ]

    _before, after = cleaned(tmp_path, mask, change)
    assert after.AnatomicRegionSequence[0].CodeMeaning == "Head"
    code = after.CTDIPhantomTypeCodeSequence[0]
    assert code.CodeValue == "113690" and "Phantom" in code.CodeMeaning and "CodingSchemeVersion" not in code
    for secret in (b"Jane", b"Roe", b"ROE", b"J4711", b"113109"):
        assert secret not in Path(after.filename).read_bytes()
    assert [code.CodeValue for code in after.DeidentificationMethodCodeSequence] == ["113100", "113102"]
    assert all("Jane" not in method for method in after.DeidentificationMethod)


def test_a_name_where_a_number_belongs_goes(tmp_path, mask):
    def change(dataset, k):
        dataset.ExposureTime, dataset.SpatialResolution = 1234, "5678"
        with pydicom.config.disable_value_validation():
            dataset.add_new("WindowCenter", "DS", "40.123456789012345678")
            dataset.add_new("WindowWidth", "DS", "80.123456789012345678")

    maker.write_series(tmp_path / "in", maker.sparse(), change=change)
    for path in (tmp_path / "in").iterdir():
        content = path.read_bytes()
        assert b"IS\x04\x001234" in content and b"DS\x04\x005678" in content
        path.write_bytes(content.replace(b"IS\x04\x001234", b"IS\x04\x00Roe1").replace(b"DS\x04\x005678", b"DS\x04\x00Roe2"))
    result = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask, deidentify_headers=True))[0]
    assert (result.status, result.error) == ("defaced", None)
    content = (Path(result.defaced) / "0001.dcm").read_bytes()
    assert b"Roe" not in content and b"40.123456789012345678" in content


@pytest.mark.parametrize("kind, value", [("CS", "JANE ROE"), ("IS", "47110"), ("DS", "4711.5"), ("UI", "4711.1")])
def test_free_text_that_a_file_calls_another_kind_is_free_text(kind, value):
    """The headers alone; the standard's kind of each of these is LO, SH, ST, LT, PN, DA, and so on."""
    texts = {keyword: vr for keyword, vr in TOP.items() if vr not in ("CS", "UI", "TM") and keyword not in DOCUMENTED}
    dataset = pydicom.Dataset()
    with pydicom.config.disable_value_validation():
        for keyword in texts:
            dataset.add_new(tag_for_keyword(keyword), kind, value)
    remove_unvouched(dataset)
    assert kind == "UI" or sum(str(element.value) == value for element in dataset) > 200
    BasicProfile(NewUids())(dataset)
    assert not [element.keyword for element in dataset if str(element.value) == value]


def test_a_single_image_type_is_one_word():
    study = maker.Study()
    dataset = maker.base(study, study.frame, 1, ("ORIGINAL",), pydicom.uid.CTImageStorage)
    dataset.SharedFunctionalGroupsSequence = [item(CTImageFrameTypeSequence=[item(FrameType=["ORIGINAL"])])]
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    mark_defaced(dataset, NewUids())
    frames = dataset.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence[0].FrameType
    assert dataset.ImageType == frames == "DERIVED"


@pytest.mark.parametrize("gone", [True, False])
def test_a_face_that_a_person_lets_through_is_not_said_to_be_gone(gone):
    study, uids = maker.Study(), NewUids()
    dataset = maker.base(study, study.frame, 1, ("ORIGINAL", "PRIMARY"), pydicom.uid.CTImageStorage)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.RecognizableVisualFeatures = "NO"
    profile = BasicProfile(uids)
    profile(dataset)
    mark_defaced(dataset, uids, profile=profile, face_gone=gone)
    assert (dataset.get("RecognizableVisualFeatures") == "NO") == gone
    codes = [code.CodeValue for code in dataset.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113102"][: 1 + gone]


def test_names_in_wrong_places_go_and_what_images_need_stays(tmp_path, mask):
    def change(dataset, k):
        with pydicom.config.disable_value_validation():
            dataset.add_new(0x00401012, "PN", "Roe^Jane")
            dataset.add_new("ProtocolName", "PN", "Roe^Jane")
            dataset.add_new("BodyPartExamined", "CS", "Roe^Jane")
            dataset.add_new("ScanOptions", "CS", ["HELIX", "Roe^Jane"])
            dataset.add_new("SliceLocation", "PN", "Roe^Jane")
        dataset.RequestAttributesSequence = [item(VerifyingObserverName="Roe^Jane", PersonName="Roe^Jane")]
        dataset.FilterType, dataset.ConvolutionKernel, dataset.SoftwareVersions = "HEAD FILTER", ["H30s", "3"], "syngo 1"
        dataset.ManufacturerModelName, dataset.PatientPosition = "Scanner 1", "HFS"
        dataset.PatientBodyMassIndex, dataset.MeasuredAPDimension = "41.5", "190.5"

    before, after = cleaned(tmp_path, mask, change)
    assert b"Jane" not in Path(after.filename).read_bytes() and after.ScanOptions[0] == "HELIX"
    assert not {"PatientBodyMassIndex", "MeasuredAPDimension"} & {element.keyword for element in after}
    for keyword in (
        "FilterType",
        "ConvolutionKernel",
        "SoftwareVersions",
        "ManufacturerModelName",
        "Manufacturer",
        "PatientPosition",
        "ImageType",
        "KVP",
        "RescaleType",
        "ImagePositionPatient",
        "PixelSpacing",
        "SliceThickness",
        "InstanceNumber",
        "SeriesNumber",
    ):
        expected = ["DERIVED", *before.ImageType[1:]] if keyword == "ImageType" else before[keyword].value
        assert after[keyword].value == expected, keyword


def test_cleaned_enhanced_files_and_spoilt_ones_are_as_valid_as_before(tmp_path, mask):
    if not readers.have("dciodvfy"):
        pytest.skip("needs dciodvfy (Debian's dicom3tools)")
    maker.write_enhanced(tmp_path / "in" / "x.dcm", maker.sparse())
    path = tmp_path / "in" / "x.dcm"
    dataset = pydicom.dcmread(path)
    dataset.ManufacturerModelName, dataset.DeviceSerialNumber, dataset.SoftwareVersions = "Scanner", "Jane", "1"
    dataset.AcquisitionContextSequence = []
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.FrameAnatomySequence = [
        item(
            FrameLaterality="U",
            AnatomicRegionSequence=[item(CodeValue="J4711", CodingSchemeDesignator="99ROE", CodeMeaning="Head of Jane")],
        )
    ]
    shared.CTXRayDetailsSequence = [item(KVP=120.0, FilterType="Jane's", FilterMaterial="ALUMINUM", FocalSpots=0.6)]
    shared.CTReconstructionSequence = [
        item(
            ReconstructionAlgorithm="FILTER_BACK_PROJ",
            ConvolutionKernel="H30",
            ConvolutionKernelGroup="BRAIN",
            ReconstructionDiameter=240.0,
        )
    ]
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence, 1):
        frame.FrameContentSequence = [
            item(
                StackID="Jane",
                InStackPositionNumber=number,
                FrameComments="Jane",
                FrameAcquisitionDateTime="20200304101112",
                FrameReferenceDateTime="20200304101112",
                FrameAcquisitionDuration=1.0,
            )
        ]
    dataset.save_as(path)
    result = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask, deidentify_headers=True))[0]
    written = Path(result.defaced) / "0001.dcm"
    content = written.read_bytes()
    for secret in (b"Jane", b"ROE", b"J4711", b"20200304"):
        assert secret not in content
    assert readers.validator_errors(written) <= readers.validator_errors(path)
    frame = pydicom.dcmread(written).PerFrameFunctionalGroupsSequence[3]
    assert frame.FrameContentSequence[0].InStackPositionNumber == 4 and "PlanePositionSequence" in frame

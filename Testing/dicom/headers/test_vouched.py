"""A whole slice is hidden in every place that a DICOM file has, and looked for in the defaced files in every encoding."""

import base64
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from CTADefaceLib.batch.correct import correct, open_case, record_of
from CTADefaceLib.batch.manifest import NAME
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.deface_study import PRIVATE_KEPT, deface_dicom
from CTADefaceLib.errors import CTADefaceError
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.dicom_maker import item

# As large as a slice of the phantom, and like none of them.
SLICE = np.random.default_rng(1).integers(300, 4000, (80, 64))
WORDS, VALUES = SLICE.astype("<i2").tobytes(), [int(v) for v in SLICE.ravel()]
TEXT = " ".join(map(str, VALUES))
MAKER = 0x0029


def element(tag, vr, value):
    """Plants ``value`` on top of a dataset."""

    def plant(dataset):
        with pydicom.config.disable_value_validation():
            dataset.add_new(tag, vr, value)

    return plant


def private(vr, value):
    def plant(dataset):
        with pydicom.config.disable_value_validation():
            dataset.private_block(MAKER, "MAKER", create=True).add_new(1, vr, value)

    return plant


def nested(*path):
    """Plants the element (tag, VR, value) at the end of ``path`` below sequences of the keywords before it."""

    def plant(dataset):
        *keywords, last = path
        for keyword in keywords:
            below = pydicom.Dataset()
            setattr(dataset, keyword, [below])
            dataset = below
        with pydicom.config.disable_value_validation():
            dataset.add_new(*last)

    return plant


def items(keyword, tag, vr, values, *inside):
    """Plants an item for each of ``values``, below sequences of the keywords ``inside`` of it."""

    def plant(dataset):
        made = []
        for value in values:
            made.append(pydicom.Dataset())
            nested(*inside, (tag, vr, value))(made[-1])
        setattr(dataset, keyword, made)

    return plant


FLOATS, DOUBLES = SLICE.astype("<f4").tobytes(), SLICE.astype("<f8").tobytes()
ROWS = [" ".join(map(str, row)) for row in SLICE]
UIDS = [f"1.2.3.{value}" for value in VALUES]
PIXELS = (0x7FE00010, "OW", WORDS)


def with_pixels():
    """A sequence item that holds the slice as pixels."""
    made = item(Rows=80, Columns=64)
    made.add_new(*PIXELS)
    return made


PLACES = {
    **{f"private {vr}": private(vr, VALUES) for vr in ("US", "SS", "UL", "SL", "FL", "FD", "DS", "IS")},
    **{f"private {vr}": private(vr, WORDS) for vr in ("OB", "OW", "OL", "UN")},
    **{f"private {vr}": private(vr, TEXT) for vr in ("UT", "LT", "ST", "UC", "LO")},
    "private OF": private("OF", FLOATS),
    "private OD": private("OD", DOUBLES),
    "private base64": private("UT", base64.b64encode(WORDS).decode()),
    "private sequence": private("SQ", [with_pixels()]),
    "private element in a sequence": nested("RequestAttributesSequence", (0x00291001, "OW", WORDS)),
    "float pixels": element(0x7FE00008, "OF", FLOATS),
    "double pixels": element(0x7FE00009, "OD", DOUBLES),
    "retired pixels": element(0x7F000010, "OW", WORDS),
    "coefficients": element(0x7FE00020, "OW", WORDS),
    "overlay": element(0x60003000, "OW", WORDS),
    "overlay in 60FE": element(0x60FE3000, "OW", WORDS),
    "curve": element(0x50003000, "OW", WORDS),
    "curve in 50FE": element(0x50FE3000, "OW", WORDS),
    "document": element(0x00420011, "OB", WORDS),
    "spectroscopy": element(0x56000020, "OF", FLOATS),
    "palette": element(0x00281201, "OW", WORDS),
    "ICC profile": element(0x00282000, "OB", WORDS),
    "padding": element(0xFFFCFFFC, "OB", WORDS),
    "bad pixels": element(0x00143080, "OB", WORDS),
    "no such element": element(0x0008FFEE, "OW", WORDS),
    "no such text": element(0x0008FFEE, "LT", TEXT[:900]),
    "icon": nested("IconImageSequence", PIXELS),
    "pixels in a sequence": nested("RequestAttributesSequence", PIXELS),
    "pixels deep down": nested(
        "RequestAttributesSequence", "RequestedProcedureCodeSequence", "EquivalentCodeSequence", PIXELS
    ),
    "waveform": nested("WaveformSequence", (0x54001010, "OW", WORDS)),
    "VOI table": nested("VOILUTSequence", (0x00283006, "US", VALUES)),
    "VOI table of words": nested("VOILUTSequence", (0x00283006, "OW", WORDS)),
    "real world table": nested("RealWorldValueMappingSequence", (0x00409212, "FD", VALUES)),
    "contour": nested("ROIContourSequence", "ContourSequence", (0x30060050, "DS", VALUES[:5118])),
    "surface": nested("SurfaceSequence", "SurfacePointsSequence", (0x00660016, "OF", FLOATS)),
    "mesh": nested("SurfaceSequence", "SurfaceMeshPrimitivesSequence", (0x00660041, "OL", WORDS)),
    "graphic": nested("GraphicAnnotationSequence", "GraphicObjectSequence", (0x00700022, "FL", VALUES)),
    "encrypted": nested("EncryptedAttributesSequence", (0x04000520, "OB", WORDS)),
    "signature": nested("DigitalSignaturesSequence", (0x04000120, "OB", WORDS)),
    "old values": nested("OriginalAttributesSequence", "ModifiedAttributesSequence", (0x00204000, "LT", TEXT)),
    "content": nested("ContentSequence", (0x0040A160, "UT", TEXT)),
    "context": nested("AcquisitionContextSequence", (0x0040A160, "UT", TEXT)),
    "context of numbers": nested("AcquisitionContextSequence", (0x0040A30A, "DS", VALUES)),
    "windows": element(0x00281050, "DS", VALUES),
    "frame times": element(0x00181065, "DS", VALUES),
    "two numbers": element(0x00181164, "DS", VALUES),
    "one number": element(0x00201041, "DS", VALUES),
    "integers": element(0x00201209, "IS", VALUES),
    "binary": element(0x00189306, "FD", VALUES),
    "comment": element(0x00204000, "LT", TEXT),
    "many names": element(0x00101001, "PN", ROWS),
    "URL": element(0x00287FE0, "UR", "http://host/" + TEXT.replace(" ", "/")),
    "numbers as words": element(0x00180060, "OW", WORDS),
    "text as words": element(0x00081010, "OB", WORDS),
    "text as a long one": element(0x00081010, "UT", TEXT),
    "number as text": element(0x00181110, "UT", TEXT),
    "text as numbers": element(0x00081090, "US", VALUES),
    "sequence as text": element(0x00081140, "UT", TEXT),
    "sequence as words": element(0x00081140, "OW", WORDS),
    "text as a sequence": element(0x00081030, "SQ", [with_pixels()]),
    "a row in each item": items("OtherPatientIDsSequence", 0x00104000, "LT", ROWS),
    "a value in each item": items("RequestAttributesSequence", 0x00400009, "SH", [str(v) for v in VALUES]),
    "a value in each reference": items("ReferencedImageSequence", 0x00081160, "IS", VALUES),
    "a UID in each reference": items("SourceImageSequence", 0x00081150, "UI", UIDS),
    "a UID in a wrong form": items("SourceImageSequence", 0x00081155, "LO", UIDS),
    "a value deep in each item": items(
        "SourceImageSequence", 0x00080100, "SH", [str(v) for v in VALUES], "PurposeOfReferenceCodeSequence"
    ),
    "old headers": nested("SharedFunctionalGroupsSequence", "UnassignedSharedConvertedAttributesSequence", PIXELS),
}
# More than a header of the phantom's slices takes, less than a slice does.
MOST_BYTES = 5000


def encodings(rows):
    """The bytes that a row of the slice may be: a function of the row each."""
    binary = [
        lambda r, t=t: np.asarray(r).astype(t).tobytes()
        for t in ("<i2", ">i2", "<i4", ">i4", "<f4", ">f4", "<f8", ">f8", "<i8")
    ]
    text = [lambda r, s=s: s.join(map(str, r)).encode() for s in ("\\", " ", ",", "/", "\n")]
    return [
        encode(row[:12])
        for row in rows
        for encode in (
            *binary,
            *text,
            lambda r: "\\".join(f"{float(v)}" for v in r).encode(),
            lambda r: np.asarray(r).astype("<i2").tobytes().hex().encode(),
            lambda r: base64.b64encode(np.asarray(r).astype("<i2").tobytes())[:24],
        )
    ]


NEEDLES = encodings(SLICE)


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


@pytest.fixture(scope="module")
def heads(tmp_path_factory, mask):
    """(original files, files without private elements, files with them), each slice with another place."""
    folder, names = tmp_path_factory.mktemp("heads"), list(PLACES)
    assert len(names) <= 80
    maker.write_series(folder / "in", change=lambda dataset, k: PLACES[names[k % len(names)]](dataset))
    results = [
        deface_dicom(folder / "in", folder / name, Options(mask=mask, keep_private=name == "kept"))[0]
        for name in ("out", "kept")
    ]
    assert [(r.status, r.error) for r in results] == [("defaced", None)] * 2
    return [readers.sorted_files(path) for path in (folder / "in", results[0].defaced, results[1].defaced)]


def header_bytes(path):
    """A file without its pixels."""
    content, pixels = path.read_bytes(), pydicom.dcmread(path).PixelData
    return content.replace(pixels, b"")


@pytest.mark.parametrize("place", PLACES)
def test_a_slice_leaves_by_no_other_element_than_its_pixels(heads, place):
    original, defaced, kept = (files[list(PLACES).index(place)] for files in heads)
    before, after = header_bytes(original), header_bytes(defaced)
    assert any(needle in before for needle in NEEDLES) or len(before) > 5 * MOST_BYTES
    assert len(after) < MOST_BYTES
    assert not [needle for needle in NEEDLES if needle in after]
    dataset = pydicom.dcmread(defaced)
    assert dataset.RecognizableVisualFeatures == "NO" and not [e for e in dataset.iterall() if e.tag.is_private]
    # Private elements stay on demand, and then nobody can say what they show; all else is the same.
    dataset = pydicom.dcmread(kept)
    assert "RecognizableVisualFeatures" not in dataset
    assert any(needle in header_bytes(kept) for needle in NEEDLES) == ("private" in place)


def test_files_without_what_was_hidden_are_as_valid_as_before(heads, tmp_path):
    plain = maker.write_series(tmp_path / "plain")
    after = readers.by_pydicom(heads[1])
    assert (after == plain).mean() > 0.5
    if not readers.have("dciodvfy"):
        pytest.skip("needs dciodvfy (Debian's dicom3tools)")
    for original, defaced in zip(heads[0], heads[1]):
        assert readers.validator_errors(defaced) <= readers.validator_errors(original)


def spoil_outside(path):
    """Hide the slice around the dataset: in the preamble, the meta information and behind the end."""
    dataset = pydicom.dcmread(path)
    dataset.preamble = WORDS[:128]
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3"
    dataset.file_meta.PrivateInformation = WORDS
    dataset.file_meta.SourceApplicationEntityTitle = "SECRETJANE"
    dataset.file_meta.ImplementationVersionName = "SECRETJANE"
    dataset.save_as(path)
    with open(path, "ab") as file:
        file.write(b"\xfc\xff\xfc\xffOB\0\0" + len(WORDS).to_bytes(4, "little") + WORDS)


def test_a_slice_leaves_neither_before_nor_behind_the_dataset(tmp_path, mask):
    maker.write_series(tmp_path / "in", maker.sparse())
    for path in (tmp_path / "in").iterdir():
        spoil_outside(path)
    result = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask))[0]
    for path in readers.sorted_files(result.defaced):
        content = path.read_bytes()
        assert len(content) < 80 * 64 * 2 + MOST_BYTES and content[:128] == bytes(128) and b"SECRETJANE" not in content
        assert not [needle for needle in NEEDLES if needle in content] and WORDS[:128] not in content


@pytest.mark.parametrize("bits", [(12, False), (12, True)])
def test_a_picture_leaves_not_in_the_unused_bits_of_the_pixels(tmp_path, mask, bits):
    def hide(dataset, k):
        words = np.frombuffer(dataset.PixelData, "<u2").copy().reshape(80, 64) & 0x0FFF
        dataset.PixelData = (words | (SLICE % 16 << 12).astype(np.uint16)).tobytes()

    stored = maker.write_series(
        tmp_path / "in", maker.sparse(), bits=bits, rescale=(1.0, 0.0 if bits[1] else -1024.0), change=hide
    )
    result = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask))[0]
    for k, path in enumerate(readers.sorted_files(result.defaced)):
        words = np.frombuffer(pydicom.dcmread(path).PixelData, "<u2").reshape(80, 64)
        values = words.astype(np.int16)
        assert values.min() >= (-2048 if bits[1] else 0) and values.max() < (2048 if bits[1] else 4096)
        assert (values == stored[k]).mean() > 0.5


def test_what_an_enhanced_file_needs_stays_and_what_it_hides_goes(tmp_path, mask):
    path = tmp_path / "in" / "x.dcm"
    maker.write_enhanced(path, maker.sparse())
    dataset = pydicom.dcmread(path)
    dataset.DimensionOrganizationSequence = [item(DimensionOrganizationUID=pydicom.uid.generate_uid())]
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence, 1):
        frame.FrameContentSequence = [
            item(StackID="1", InStackPositionNumber=number, DimensionIndexValues=[1, number], FrameComments=ROWS[number])
        ]
        frame.FrameVOILUTSequence = [item(WindowCenter=[40, 400], WindowWidth=[80, 2000])]
        frame.CTExposureSequence = [item(ExposureTimeInms=500.0, XRayTubeCurrentInmA=200.0, CTDIvol=12.5)]
        frame.FrameVOILUTSequence[0].VOILUTSequence = [item(LUTDescriptor=[5120, 0, 16], LUTData=WORDS)]
        frame.IconImageSequence = [with_pixels()]
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [
        item(
            FrameLaterality="U",
            AnatomicRegionSequence=[item(CodeValue="69536005", CodingSchemeDesignator="SCT", CodeMeaning="Head")],
        )
    ]
    dataset.save_as(path)
    before, result = pydicom.dcmread(path), deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask))[0]
    written = Path(result.defaced) / "0001.dcm"
    after = pydicom.dcmread(written)
    assert not [needle for needle in NEEDLES if needle in written.read_bytes()]
    for old, new in zip(before.PerFrameFunctionalGroupsSequence, after.PerFrameFunctionalGroupsSequence, strict=True):
        del old.IconImageSequence, old.FrameContentSequence[0].FrameComments, old.FrameVOILUTSequence[0].VOILUTSequence
        assert str(new) == str(old)
    assert after.SharedFunctionalGroupsSequence[0].FrameAnatomySequence == (
        before.SharedFunctionalGroupsSequence[0].FrameAnatomySequence
    )
    assert after.DimensionOrganizationSequence[0].DimensionOrganizationUID


def test_references_to_many_slices_stay_with_new_uids(tmp_path, mask):
    code = item(CodeValue="121322", CodingSchemeDesignator="DCM", CodeMeaning="Source image for image processing operation")
    uids = [pydicom.uid.generate_uid() for _ in range(400)]

    def derived(dataset, k):
        dataset.SourceImageSequence = [
            item(
                ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=uid, PurposeOfReferenceCodeSequence=[code]
            )
            for uid in uids
        ]
        dataset.CTDIPhantomTypeCodeSequence = [item(CodeValue="113690", CodingSchemeDesignator="DCM", CodeMeaning="Head")]
        dataset.WindowCenter, dataset.WindowWidth = [40, 400], [80, 2000]
        dataset.ImageComments, dataset.ConvolutionKernel = "x" * 1000, ["H30s", "3"]

    maker.write_series(tmp_path / "in", maker.sparse(), change=derived)
    result = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask))[0]
    for path in readers.sorted_files(result.defaced)[::10]:
        dataset = pydicom.dcmread(path)
        references = [one.ReferencedSOPInstanceUID for one in dataset.SourceImageSequence]
        assert len(set(references)) == 400 and not set(references) & set(uids)
        assert {one.ReferencedSOPClassUID for one in dataset.SourceImageSequence} == {dataset.SOPClassUID}
        assert dataset.CTDIPhantomTypeCodeSequence[0].CodeValue == "113690" and len(dataset.ImageComments) == 1000
        assert dataset.WindowCenter == [40, 400] and dataset.ConvolutionKernel == ["H30s", "3"]


def test_the_record_says_what_the_files_say_and_private_elements_are_warned_of(tmp_path, mask):
    maker.write_series(tmp_path / "in", maker.sparse(), change=lambda dataset, k: PLACES["private US"](dataset))
    said = {}
    for name, options in {"out": {}, "kept": {"keep_private": True}, "clean": {"deidentify_headers": True}}.items():
        warnings = []
        result = deface_dicom(tmp_path / "in", tmp_path / name, Options(mask=mask, **options), warn=warnings.append)[0]
        settings = json.loads(Path(result.record).read_text())["settings"]
        dataset = pydicom.dcmread(Path(result.defaced) / "0001.dcm")
        assert settings["methods"] == list(dataset.DeidentificationMethod)
        assert settings["private_kept"] == (name == "kept") == (PRIVATE_KEPT in warnings)
        said[name] = [code.CodeValue for code in dataset.get("DeidentificationMethodCodeSequence", [])]
    assert said == {"out": [], "kept": [], "clean": ["113100", "113102"]}
    with pytest.raises(CTADefaceError, match="--keep-private"):
        Options(keep_private=True, deidentify_headers=True)


def test_the_shell_keeps_private_elements_on_demand_and_never_half_of_a_batch(tmp_path, mask, capsys):
    maker.write_series(tmp_path / "in", maker.sparse(), change=lambda dataset, k: PLACES["private US"](dataset))
    given = ["--mask", mask, "--quiet", "--keep-private"]
    assert main(["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), *given]) == 0
    dataset = pydicom.dcmread(tmp_path / "out" / "series_01" / "0001.dcm")
    assert list(dataset[MAKER, 0x1001].value) == VALUES and "RecognizableVisualFeatures" not in dataset
    assert PRIVATE_KEPT in capsys.readouterr().err
    assert main(["run", str(tmp_path / "in"), "-o", str(tmp_path / "no"), *given, "--deidentify-headers"]) == 2
    assert "--keep-private" in capsys.readouterr().err and not (tmp_path / "no").exists()
    assert run_batch(tmp_path / "in", tmp_path / "many", Options(mask=mask, keep_private=True)).complete
    with pytest.raises(CTADefaceError, match="private elements kept"):
        run_batch(tmp_path / "in", tmp_path / "many", Options(mask=mask))
    queue = load_queue(tmp_path / "many-hospital-only" / NAME)
    _volume, face = open_case(queue[0])
    fixed = correct(tmp_path / "many-hospital-only" / NAME, queue[0], face.stored > 0, face.geometry)
    assert record_of(fixed)["settings"]["private_kept"] is True


def test_old_files_with_letters_of_no_named_alphabet_pass(tmp_path, mask):
    maker.write_series(tmp_path / "in", maker.sparse())
    for path in (tmp_path / "in").iterdir():
        path.write_bytes(path.read_bytes().replace(b"Mercy General", b"M\xfcnchen \xe9\xe8   "))
    for options in ({}, {"deidentify_headers": True}):
        result = deface_dicom(tmp_path / "in", tmp_path / f"out{len(options)}", Options(mask=mask, **options))[0]
        assert (result.status, result.error) == ("defaced", None)

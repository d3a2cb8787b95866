"""Defaced DICOM files: only the face's pixels differ, headers say so, nothing else shows the face, others read them."""

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest

from CTADefaceLib.cases.options import Options
from CTADefaceLib.dicom import deface_series, patch
from CTADefaceLib.dicom.deface_study import deface_dicom
from CTADefaceLib.dicom.reading.series_kinds import CT_CLASSES
from CTADefaceLib.errors import InputError
from CTADefaceLib.voxels.volume import Geometry, Volume
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.phantom import levelled

FORMS = {
    "implicit": {"syntax": "implicit", "bits": (12, False)},
    "big endian": {"syntax": "big endian"},
    "deflated": {"syntax": "deflated"},
    "RLE": {"syntax": "RLE"},
    "JPEG 2000": {"syntax": "JPEG 2000"},
    "JPEG-LS": {"syntax": "JPEG-LS", "rescale": (1.0, 0.0)},
    "JPEG lossless": {"syntax": "JPEG lossless", "bits": (12, False)},
    "signed 12": {"bits": (12, True), "rescale": (1.0, 0.0)},
    "unsigned 16": {"bits": (16, False), "rescale": (1.0, -8192.0)},
    "fraction": {"rescale": (0.5, -1024.5)},
    "padding": {"rescale": (1.0, 0.0), "padding": -2000},
    "per slice": {"rescale": lambda k: (1.0 + (k % 3) * 0.25, -1000.0 - k)},
}
# On the slices of ``maker.sparse``: rows run to posterior, columns to the left.
FACE = np.asarray(maker.parts()[1], bool)[::2, ::-1, ::-1]


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


def deface(source, mask, **options):
    """Deface ``source`` with the face of the phantom; returns (the results, the release folder)."""
    out = source.with_name("out")
    return deface_dicom(source, out, Options(mask=mask, **options)), out


def loaded(folder):
    """The datasets of a series, from the lowest slice to the highest."""
    return [pydicom.dcmread(path) for path in readers.sorted_files(folder)]


def region_of(hu):
    """The levelled region of HU on the slices of ``maker.sparse``."""
    return levelled(Volume(hu.astype(np.float32), Geometry((3.0, 3.0, 6.0), (0, 0, 0), np.eye(3))), FACE)


def one(source, mask, **options):
    """(datasets before, after) of a source with one series that was defaced, from the lowest slice to the highest."""
    results, _out = deface(source, mask, **options)
    assert [(r.status, r.error) for r in results] == [("defaced", None)]
    return loaded(source), loaded(results[0].defaced)


def spoilt(dataset, k):
    """Everything beside the pixels that may show the face, or lead to it."""
    icon = maker.item(Rows=8, Columns=8, BitsAllocated=8)
    icon.add_new(0x7FE00010, "OB", bytes(range(64)))
    dataset.IconImageSequence = [icon]
    dataset.add_new(0x60000010, "US", 80)
    dataset.add_new(0x60003000, "OW", b"\xaa" * 640)
    dataset.add_new(0x50003000, "OW", b"\xbb" * 64)
    block = dataset.private_block(0x0029, "MAKER", create=True)
    block.add_new(0x01, "OB", b"\xcc" * 4000)
    block.add_new(0x02, "LO", "kernel H30")
    block.add_new(0x03, "SQ", [icon])
    dataset.PixelDataProviderURL = "http://pacs/original"
    dataset.ReferencedImageSequence = [
        maker.item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID="1.2.3.4")
    ]
    dataset.SourceImageSequence = [
        maker.item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=dataset.SOPInstanceUID)
    ]
    nested = maker.item(
        PatientName="Secret^Jane",
        AccessionNumber="ACC99",
        RequestedProcedureDescription="Head",
        StudyInstanceUID=dataset.StudyInstanceUID,
    )
    dataset.RequestAttributesSequence = [nested]
    dataset.SmallestImagePixelValue = 5
    dataset.DeidentificationMethod = "earlier tool"
    dataset.PatientComments = "Secret^Jane fell"


@pytest.mark.parametrize("form", FORMS)
def test_only_the_levelled_region_differs_and_other_programs_read_the_same(tmp_path, mask, form):
    stored = maker.write_series(tmp_path / "in", maker.sparse(), **FORMS[form])
    results, _out = deface(tmp_path / "in", mask)
    assert [(r.status, r.error) for r in results] == [("defaced", None)]
    before, after = loaded(tmp_path / "in"), loaded(results[0].defaced)
    values = readers.by_pydicom([d.filename for d in after])
    assert values.dtype == stored.dtype and np.array_equal(stored, readers.by_pydicom([d.filename for d in before]))
    hu = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in before])
    region, changed, padding = region_of(hu), values != stored, hu < -1500
    assert not changed[~region | padding].any() and changed[FACE].mean() > 0.99
    for k, dataset in enumerate(after):
        filled = values[k][region[k] & ~padding[k]] * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert np.abs(filled - results[0].fill_hu).max(initial=0) <= float(dataset.RescaleSlope) / 2 + 0.01
    expected = maker.NATIVE.get(FORMS[form].get("syntax", "explicit"), pydicom.uid.ExplicitVRLittleEndian)
    assert {d.file_meta.TransferSyntaxUID for d in after} == {expected}
    _others_agree(before, after, values, tmp_path)


def _others_agree(before, after, values, folder):
    """GDCM, DCMTK, dcm2niix read ``values``, and the validator finds no error that the originals did not have."""
    paths = [Path(d.filename) for d in after]
    hu = np.stack([v * float(d.RescaleSlope) + float(d.RescaleIntercept) for v, d in zip(values, after)])
    assert np.allclose(readers.by_gdcm(paths), hu, atol=1e-3)
    if readers.have("dcmdump"):
        words = values[::16].astype(np.uint16)
        if after[0].BitsStored < 16:
            words &= np.uint16(0xFFFF if after[0].PixelRepresentation else (1 << after[0].BitsStored) - 1)
        assert np.array_equal(readers.by_dcmtk(paths[::16], folder, signed=False), words)
        assert readers.drawn_by_dcmtk(paths[16], folder)
    # dcm2niix takes one slope for all slices, and reads signed values of 12 bits as unsigned, in the originals too.
    if (
        readers.have("dcm2niix")
        and len({d.RescaleIntercept for d in after}) == 1
        and (after[0].BitsStored, after[0].PixelRepresentation) != (12, 1)
    ):
        assert np.allclose(readers.by_dcm2niix(paths[0].parent, folder), hu, atol=1e-3)
    if readers.have("dciodvfy"):
        for old, new in list(zip(before, after))[::16]:
            assert readers.validator_errors(new.filename) <= readers.validator_errors(old.filename)


def test_an_enhanced_file_is_patched_frame_by_frame(tmp_path, mask):
    maker.write_series(tmp_path / "in" / "a", maker.sparse())
    stored = maker.write_enhanced(tmp_path / "in" / "b" / "x.dcm", maker.sparse())
    single, enhanced = (deface_dicom(tmp_path / "in" / name, tmp_path / f"out {name}", Options(mask=mask))[0] for name in "ab")
    dataset = pydicom.dcmread(Path(enhanced.defaced) / "0001.dcm")
    frames = dataset.pixel_array[::-1]
    assert np.array_equal(frames, readers.by_pydicom(readers.sorted_files(single.defaced)))
    assert (frames != stored).any() and dataset.ImageType[0] == "DERIVED"
    assert dataset.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence[0].FrameType[0] == "DERIVED"
    assert CT_CLASSES[str(dataset.SOPClassUID)] == "enhanced"
    if readers.have("dciodvfy"):
        original = tmp_path / "in" / "b" / "x.dcm"
        assert readers.validator_errors(dataset.filename) <= readers.validator_errors(original)


def test_a_tilted_series_is_defaced_on_its_own_slices(tmp_path, mask):
    shape = maker.tilted()
    stored = maker.write_series(tmp_path / "in", shape)
    _before, after = one(tmp_path / "in", mask)
    changed = readers.by_pydicom([d.filename for d in after]) != stored
    face, skin = maker.phantom_at(shape.points(), 1) > 0, maker.phantom_at(shape.points()) > -300
    assert changed[face].mean() > 0.97
    # Behind the face nothing changes, but for the layer in which the two grids meet.
    assert (changed & skin & ~face).sum() < 0.06 * face.sum()


def test_a_fill_beyond_the_bits_is_clipped_and_fractions_are_rounded(tmp_path, mask):
    maker.write_series(tmp_path / "in", maker.sparse(), bits=(12, False), rescale=(1.0, -1024.0))
    before, after = one(tmp_path / "in", mask, fill=-5000.0)
    assert min(d.pixel_array.min() for d in before) > 0 == min(d.pixel_array.min() for d in after)
    # From the border of such a fill the old skin can be found again.
    assert not any("RecognizableVisualFeatures" in d for d in after)
    plane = type("", (), {"slope": 0.5, "intercept": -1000.25, "bits": (12, True)})
    # -1000.25 + 0.5 n: the nearest to -990.6 is n = 19.3, and 3000 HU lie above the largest of 12 signed bits.
    assert patch.stored_value(plane, -990.6) == 19 and patch.stored_value(plane, 3000) == 2047
    assert patch.stored_value(plane, -9000) == -2048


def test_headers_say_what_was_done_and_nothing_else_shows_the_face(tmp_path, mask):
    maker.write_series(tmp_path / "in", maker.sparse(), change=spoilt)
    before, after = one(tmp_path / "in", mask)
    for old, new in zip(before, after):
        assert new.ImageType[0] == "DERIVED" and list(new.ImageType[1:]) == list(old.ImageType[1:])
        assert "CTADeface" in new.DerivationDescription and new.RecognizableVisualFeatures == "NO"
        # An option is claimed together with a profile only.
        assert "DeidentificationMethodCodeSequence" not in new
        assert [m.partition(":")[2] for m in new.DeidentificationMethod] == [
            "",
            " face removed from pixels",
            " private, bulk data removed",
        ]
        assert new.DeidentificationMethod[0] == "earlier tool" and "CTADeface" in new.DeidentificationMethod[1]
        assert "PatientIdentityRemoved" not in new and "BurnedInAnnotation" not in new
        for keyword in ("IconImageSequence", "PixelDataProviderURL", "SmallestImagePixelValue"):
            assert keyword in old and keyword not in new
        assert not [e for e in new if 0x5000 <= e.tag.group <= 0x60FF or e.tag.is_private]
        # All that was not named stays as it was.
        kept = {e.tag for e in old} & {e.tag for e in new}
        differ = {e.keyword for e in old if e.tag in kept and e != new[e.tag]}
        assert differ <= {
            "ImageType",
            "PixelData",
            "SOPInstanceUID",
            "SeriesInstanceUID",
            "StudyInstanceUID",
            "DeidentificationMethod",
            "ReferencedImageSequence",
            "SourceImageSequence",
            "RequestAttributesSequence",
        }
        assert new.FrameOfReferenceUID == old.FrameOfReferenceUID
        assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
        assert new.SourceImageSequence[0].ReferencedSOPInstanceUID == new.SOPInstanceUID != old.SOPInstanceUID
        assert new.RequestAttributesSequence[0].StudyInstanceUID == new.StudyInstanceUID != old.StudyInstanceUID
    assert len({d.SOPInstanceUID for d in after}) == len(after) == len(before)
    assert len({d.SeriesInstanceUID for d in after}) == len({d.StudyInstanceUID for d in after}) == 1
    assert len({d.ReferencedImageSequence[0].ReferencedSOPInstanceUID for d in after}) == 1
    # No old UID is left in any file.
    old = {str(d.get(k)).encode() for d in before for k in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")}
    for dataset in after[::10]:
        content = Path(dataset.filename).read_bytes()
        assert not [uid for uid in old if uid in content]


def test_overlays_in_unused_bits_of_the_pixels_go(tmp_path, mask):
    def overlay(dataset, k):
        words = np.frombuffer(dataset.PixelData, "<u2").copy()
        words[::7] |= 0x8000
        dataset.PixelData = words.tobytes()
        dataset.add_new(0x60000100, "US", 16)
        dataset.add_new(0x60000102, "US", 15)

    stored = maker.write_series(tmp_path / "in", maker.sparse(), bits=(12, False), change=overlay)
    _before, after = one(tmp_path / "in", mask)
    words = np.stack([np.frombuffer(d.PixelData, "<u2").reshape(80, 64) for d in after])
    assert words.max() < 4096 and (words == stored).mean() > 0.5


def test_bits_above_those_stored_are_kept_when_they_are_no_overlay(tmp_path, mask):
    """Some scanners pad 12-bit images with a value that 12 bits cannot hold."""
    corner = maker.circle(80, 64)

    def pad(dataset, k):
        words = np.frombuffer(dataset.PixelData, "<u2").copy().reshape(80, 64)
        words[corner] = 63536
        dataset.PixelData = words.tobytes()

    maker.write_series(tmp_path / "in", maker.sparse(), bits=(12, False), change=pad)
    _before, after = one(tmp_path / "in", mask)
    words = np.stack([np.frombuffer(d.PixelData, "<u2").reshape(80, 64) for d in after])
    assert (words[:, corner] == 63536).all()


def identity_texts(dataset):
    """Every value of ``dataset`` as text, at every depth."""
    return [str(element.value) for element in dataset.iterall() if element.VR not in ("OW", "OB", "SQ")]


def test_identity_leaves_the_headers_only_when_asked_and_only_then_it_is_claimed(tmp_path, mask):
    maker.write_series(tmp_path / "in", maker.sparse(), change=spoilt)
    kept = deface_dicom(tmp_path / "in", tmp_path / "kept", Options(mask=mask))[0]
    cleaned = deface_dicom(tmp_path / "in", tmp_path / "cleaned", Options(mask=mask, deidentify_headers=True))[0]
    dataset = pydicom.dcmread(Path(kept.defaced) / "0001.dcm")
    assert dataset.PatientName == maker.PATIENT["PatientName"] and "PatientIdentityRemoved" not in dataset
    files, originals = loaded(cleaned.defaced), loaded(tmp_path / "in")
    for new, old in zip(files, originals):
        texts = " ".join(identity_texts(new))
        for secret in (
            "Secret",
            "ID4711",
            "ACC99",
            "Mercy",
            "Who^",
            "19500102",
            "20200304",
            "fell",
            "H30",
            "pacs",
            str(old.FrameOfReferenceUID),
            str(old.StudyInstanceUID),
            str(old.SOPInstanceUID),
        ):
            assert secret not in texts, secret
        assert new.PatientIdentityRemoved == "YES" and new.LongitudinalTemporalInformationModified == "REMOVED"
        assert {item.CodeValue for item in new.DeidentificationMethodCodeSequence} == {"113100", "113102"}
        methods = [text.partition(" ")[0] for text in new.DeidentificationMethod]
        assert methods == ["dicom-anonymizer", "CTADeface", "CTADeface", "CTADeface"]
        assert new.ImagePositionPatient == old.ImagePositionPatient and new.PixelSpacing == old.PixelSpacing
        assert not [e for e in new.iterall() if e.tag.is_private]
        assert new.SourceImageSequence[0].ReferencedSOPInstanceUID == new.SOPInstanceUID
    assert len({d.FrameOfReferenceUID for d in files}) == len({d.StudyInstanceUID for d in files}) == 1
    assert np.array_equal(
        readers.by_pydicom([d.filename for d in files]), readers.by_pydicom(readers.sorted_files(kept.defaced))
    )
    if readers.have("dciodvfy"):
        assert readers.validator_errors(files[20].filename) <= readers.validator_errors(originals[20].filename)


def test_names_and_records_tell_nothing_and_originals_stay_as_they_are(tmp_path, mask):
    maker.write_series(tmp_path / "in" / "Secret_Jane", maker.sparse(), name="ID4711_")

    def state():
        return {
            path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in (tmp_path / "in").rglob("*")
            if path.is_file()
        }

    before = state()
    results, _out = deface(tmp_path / "in", mask)
    assert state() == before and results[0].status == "defaced"
    made = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "in" not in path.parents]
    names = sorted(str(path.relative_to(tmp_path)) for path in made)
    assert names[:3] == [
        f"out-hospital-only/{name}" for name in ("series_01_facemask.nii.gz", "series_01_record.json", "uids.key")
    ]
    assert names[3:] == [f"out/series_01/{n:04}.dcm" for n in range(1, 41)]
    kept = [(tmp_path / "out-hospital-only" / name).read_text() for name in ("series_01_record.json", "uids.key")]
    original = pydicom.dcmread(next(iter(before)))
    for secret in ("Secret", "ID4711", original.StudyInstanceUID, original.SeriesInstanceUID, str(tmp_path)):
        assert not any(secret in text for text in kept)


def test_values_that_the_standard_does_not_allow_pass_through_unchanged_and_unprinted(tmp_path, mask, recwarn):
    """Scanners write numbers of more than 16 characters, dates with dashes, and lower-case codes."""

    def sloppy(dataset, k):
        with pydicom.config.disable_value_validation():
            dataset.add_new("WindowCenter", "DS", "40.123456789012345678")
            dataset.add_new("SeriesDate", "DA", "2020-03-04")
            dataset.add_new("BodyPartExamined", "CS", "head and neck ")
            dataset.add_new("StationName", "SH", "a station name of the lost Secret")
            dataset.add_new("DeviceSerialNumber", "LO", "")

    maker.write_series(tmp_path / "in", maker.sparse(), change=sloppy)
    recwarn.clear()
    results, _out = deface(tmp_path / "in", mask)
    assert [(r.status, r.error) for r in results] == [("defaced", None)]
    assert not [w for w in recwarn if "Secret" in str(w.message)]
    content = next(Path(results[0].defaced).iterdir()).read_bytes()
    for value in (b"40.123456789012345678", b"2020-03-04", b"head and neck", b"a station name of the lost Secret"):
        assert value in content


def test_a_file_that_is_not_what_was_meant_leaves_nothing(tmp_path, mask, monkeypatch):
    maker.write_series(tmp_path / "in", maker.sparse())
    save = patch.save

    def wrong(dataset, path):
        if path.name == "0020.dcm":
            content = bytearray(dataset.PixelData)
            content[5000] ^= 1
            dataset.PixelData = bytes(content)
        save(dataset, path)

    monkeypatch.setattr(patch, "save", wrong)
    results, _out = deface(tmp_path / "in", mask)
    assert results[0].status == "blocked" and "written_file" in results[0].error
    left = [path.name for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "in" not in path.parents]
    assert left == ["uids.key"]


@pytest.mark.parametrize("rescale", [(1.0, -1024.0), FORMS["per slice"]["rescale"]])
def test_a_file_that_another_one_replaces_meanwhile_leaves_nothing(tmp_path, mask, monkeypatch, rescale):
    """As where a study still arrives: the mask was made on other pixels."""
    maker.write_series(tmp_path / "in", maker.sparse(), rescale=rescale)
    path = readers.sorted_files(tmp_path / "in")[20]
    replaced = pydicom.dcmread(path)
    replaced.PixelData = np.frombuffer(replaced.PixelData, "<i2").reshape(80, 64)[::-1].tobytes()
    real = deface_series.write_defaced
    monkeypatch.setattr(deface_series, "write_defaced", lambda *given: (replaced.save_as(path), real(*given))[1])
    (result,), out = deface(tmp_path / "in", mask)
    assert result.status == "failed" and "changed while they were defaced" in result.error
    assert not list(out.rglob("*.dcm"))


def test_pixels_of_eight_bits_are_refused(tmp_path, mask):
    def eight(dataset, k):
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = bytes(80 * 64)

    maker.write_series(tmp_path / "in", maker.upright(count=5), change=eight)
    with pytest.raises(InputError, match="16 bits"):
        deface(tmp_path / "in", mask)

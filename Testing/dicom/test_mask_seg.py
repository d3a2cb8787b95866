"""The face mask as DICOM SEG: voxel by voxel on the source slices, however they lie, and in the hospital's folder only."""

import json
import os
import subprocess

import highdicom
import numpy as np
import pydicom
import pytest

from CTADefaceLib.batch.correct import correct, open_case
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.checks.check import TITLES
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom import deface_study
from CTADefaceLib.dicom.reading import dicom_packages
from CTADefaceLib.errors import MissingPackages
from CTADefaceLib.files.read import read_volume
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers

# What the checks say of masks on turned phantoms is the business of other tests.
ALLOWED = [f"--override={name}=a test" for name in TITLES if name != "written"]


def uneven():
    """Axial slices that are closer in the lower half, as of a scan in two steps."""
    shape = maker.upright()
    shape.positions = np.concatenate([shape.positions[:40], shape.positions[40::2]])
    return shape


SHAPES = {
    "upright": maker.upright,
    "tilted": maker.tilted,
    "oblique": maker.oblique,
    "sagittal": maker.sagittal,
    "uneven": uneven,
}


def run(study, out, mask, *options):
    given = ["--mask", str(mask), "--no-second-opinion", "--mask-seg", "--quiet", "--fill", "air"]
    return main(["run", str(study), "-o", str(out), *given, *ALLOWED, *options])


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


def by_source(path):
    """{(UID of a source instance, its frame): bool (rows, columns)} of a SEG, by pydicom alone."""
    seg = pydicom.dcmread(path)
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    shape = int(seg.NumberOfFrames), int(seg.Rows), int(seg.Columns)
    frames = bits[: np.prod(shape)].reshape(shape).astype(bool)
    found = {}
    for frame, about in zip(frames, seg.PerFrameFunctionalGroupsSequence):
        (source,) = about.DerivationImageSequence[0].SourceImageSequence
        key = str(source.ReferencedSOPInstanceUID), int(source.get("ReferencedFrameNumber") or 1)
        found[key] = frame, np.array(about.PlanePositionSequence[0].ImagePositionPatient, float)
    return seg, found


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_the_mask_voxel_by_voxel_on_the_source_slices(name, mask, tmp_path):
    maker.write_series(tmp_path / "in", SHAPES[name]())
    assert run(tmp_path / "in", tmp_path / "out", mask) == 0
    path = tmp_path / "out-hospital-only" / "series_01_facemask.seg.dcm"
    wanted = read_volume(tmp_path / "out-hospital-only" / "series_01_facemask.nii.gz").stored > 0
    seg, found = by_source(path)
    originals = [pydicom.dcmread(one) for one in readers.sorted_files(tmp_path / "in")]
    assert wanted.any() and len(wanted) == len(originals)
    for original, plane in zip(originals, wanted):
        frame, position = found.get((original.SOPInstanceUID, 1), (np.zeros_like(plane), None))
        assert np.array_equal(frame, plane)
        assert position is None or np.allclose(position, original.ImagePositionPatient, atol=1e-4)
    assert len(found) == wanted.any((1, 2)).sum()
    shared = seg.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.allclose(orientation, originals[0].ImageOrientationPatient, atol=1e-6)
    assert np.allclose(shared.PixelMeasuresSequence[0].PixelSpacing, originals[0].PixelSpacing)
    # And by highdicom, whose own geometry it must be too.
    read = highdicom.seg.segread(path)
    uids = [original.SOPInstanceUID for original in originals]
    pixels = read.get_pixels_by_source_instance(uids, ignore_spatial_locations=True, assert_missing_frames_are_empty=True)
    assert np.array_equal(pixels[..., 0] > 0, wanted)
    assert seg.StudyInstanceUID == originals[0].StudyInstanceUID and seg.PatientID == originals[0].PatientID
    assert seg.FrameOfReferenceUID == originals[0].FrameOfReferenceUID
    assert seg.SeriesInstanceUID != originals[0].SeriesInstanceUID


def test_what_a_header_leaves_out_stays_empty(mask, tmp_path):
    """As in files that another tool has cleaned."""

    def bare(dataset, _number):
        for keyword in ("PatientBirthDate", "PatientSex", "StudyID", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):
            if keyword in dataset:
                del dataset[keyword]
        if "SeriesNumber" in dataset:
            dataset.SeriesNumber = None

    maker.write_series(tmp_path / "in", maker.sparse(), change=bare)
    assert run(tmp_path / "in", tmp_path / "out", mask) == 0
    seg, found = by_source(tmp_path / "out-hospital-only" / "series_01_facemask.seg.dcm")
    assert found and not seg.PatientBirthDate and seg.PatientID


def test_it_lies_in_the_hospitals_folder_alone_for_its_owner_only(mask, tmp_path, capsys):
    maker.write_series(tmp_path / "in", maker.sparse())
    assert run(tmp_path / "in", tmp_path / "out", mask, "--deidentify-headers", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    path = tmp_path / "out-hospital-only" / "series_01_facemask.seg.dcm"
    assert said["mask_seg"] == str(path) and (os.name == "nt" or path.stat().st_mode & 0o777 == 0o600)
    released = [pydicom.dcmread(one, stop_before_pixels=True) for one in (tmp_path / "out").rglob("*") if one.is_file()]
    assert released and all(header.Modality == "CT" for header in released)
    before = path.read_bytes()
    assert run(tmp_path / "in", tmp_path / "out", mask, "--deidentify-headers", "--json") != 0
    assert "exists" in json.loads(capsys.readouterr().out)["error"] and path.read_bytes() == before


def test_a_case_that_is_stopped_leaves_none(mask, tmp_path):
    maker.write_series(tmp_path / "in", maker.sparse())
    half = read_volume(mask).stored.copy()
    half[:, :, 32:] = 0
    maker.write_mask_of(half > 0, maker.phantom_geometry(), tmp_path / "half.nii.gz")
    given = ["--mask", str(tmp_path / "half.nii.gz"), "--no-second-opinion", "--mask-seg", "--quiet"]
    assert main(["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), *given]) == 3
    assert (tmp_path / "out-hospital-only" / "series_01_facemask.nii.gz").exists()
    assert not list(tmp_path.rglob("*.seg.dcm"))


def as_read(path):
    """Bool (k, rows, columns) of a SEG, in the order of its frames' heights."""
    _seg, found = by_source(path)
    return np.stack([frame for frame, _position in sorted(found.values(), key=lambda pair: pair[1][2])])


@pytest.mark.parametrize("half", [True, False])
def test_a_correction_in_the_review_of_a_batch_renews_it(mask, tmp_path, half):
    """``half``: the case was stopped in the batch, so that it has no SEG yet."""
    maker.write_series(tmp_path / "in" / "study", maker.sparse())
    wrong = read_volume(mask).stored > 0
    wrong[:, :, 32 if half else 60 :] = False
    maker.write_mask_of(wrong, maker.phantom_geometry(), tmp_path / "wrong.nii.gz")
    options = Options(mask=str(tmp_path / "wrong.nii.gz"), second_opinion=False, fill="air", mask_seg=True)
    run_batch(tmp_path / "in", tmp_path / "out", options)
    hospital = tmp_path / "out-hospital-only"
    (item,) = load_queue(hospital)
    assert item.status == ("blocked" if half else "defaced") and len(list(hospital.rglob("*.seg.dcm"))) == (not half)
    source, _given = open_case(item)
    whole = maker.phantom_at(maker.sparse().points(), 1) > 0
    corrected = correct(hospital, item, whole, source.geometry, {name: "a test" for name in TITLES if name != "written"})
    (path,) = hospital.rglob("*.seg.dcm")
    assert corrected.review == "corrected" and np.array_equal(as_read(path), whole[whole.any((1, 2))])


def test_one_of_a_multi_frame_file_refers_to_its_frames(mask, tmp_path):
    maker.write_enhanced(tmp_path / "in" / "ct.dcm")
    assert run(tmp_path / "in", tmp_path / "out", mask, "--mask-only", "--hospital", str(tmp_path / "hospital")) == 2
    assert main(["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--mask", str(mask), "--mask-seg", *ALLOWED]) == 0
    wanted = read_volume(tmp_path / "out-hospital-only" / "series_01_facemask.nii.gz").stored > 0
    _seg, found = by_source(tmp_path / "out-hospital-only" / "series_01_facemask.seg.dcm")
    # The file's frames run from the highest slice to the lowest.
    for number, plane in enumerate(wanted[::-1], 1):
        frames = [frame for (_uid, at), (frame, _position) in found.items() if at == number]
        assert np.array_equal(frames[0], plane) if plane.any() else not frames


def test_the_validator_finds_no_error(mask, tmp_path):
    if not readers.have("dciodvfy"):
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    maker.write_series(tmp_path / "in", maker.tilted())
    assert run(tmp_path / "in", tmp_path / "out", mask) == 0
    path = tmp_path / "out-hospital-only" / "series_01_facemask.seg.dcm"
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True).stderr
    assert "Segmentation" in said and not [line for line in said.splitlines() if line.startswith("Error")]


def test_without_highdicom_nothing_is_begun_and_the_command_is_named(mask, tmp_path, monkeypatch):
    def missing():
        raise MissingPackages(f"run: {dicom_packages.INSTALL_SEG}")

    monkeypatch.setattr(deface_study, "need_highdicom", missing)
    maker.write_series(tmp_path / "in", maker.sparse())
    assert run(tmp_path / "in", tmp_path / "out", mask) != 0
    assert not (tmp_path / "out").exists() and "highdicom>=" in dicom_packages.INSTALL_SEG

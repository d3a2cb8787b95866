"""A study as a whole: one mask for its frame of reference, a gate for each series, nothing half-written, the shell."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from CTADefaceLib.api import segment_face
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom import deface_series as run
from CTADefaceLib.dicom import deface_study as case
from CTADefaceLib.dicom.deface_series import PersonsMask
from CTADefaceLib.dicom.deface_study import deface_dicom, deface_dicom_with
from CTADefaceLib.dicom.reading.grid import mask_on_stack
from CTADefaceLib.errors import Cancelled, InputError, MaskError
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.progress import Progress
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.paths import RESOURCES


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


def sparse_sagittal():
    shape = maker.sagittal()
    shape.positions = shape.positions[::2]
    return shape


@pytest.fixture(scope="module")
def study(tmp_path_factory, mask):
    """(source folder, results, warnings, release folder) of a study with all that a study can hold."""
    folder = tmp_path_factory.mktemp("study")
    source, study, short = folder / "in", maker.Study(), maker.upright(count=4)
    maker.write_series(source / "thin", maker.upright(), study, number=1)
    maker.write_series(source / "thick", maker.upright(count=20, spacing=12.0), study, number=2)
    maker.write_series(source / "mpr", sparse_sagittal(), study, number=3, image_type=("DERIVED", "SECONDARY", "MPR"))
    maker.write_series(
        source / "scout",
        maker.Shape(short.positions[:1], maker.SAGITTAL),
        study,
        number=4,
        image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"),
    )
    maker.write_series(source / "other frame", short, maker.Study(study.study), number=5)
    chest = maker.upright(count=4)
    chest.positions = chest.positions - [0, 0, 300]
    maker.write_series(source / "chest", chest, study, number=6)
    holed = maker.sparse()
    holed.positions = np.delete(holed.positions, [20, 21], axis=0)
    maker.write_series(source / "holed", holed, study, number=7)
    maker.write_other(source / "rt" / "s.dcm", "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", study, SeriesNumber=8)
    (source / "bad.dcm").write_bytes(b"no DICOM at all")
    warnings = []
    results = deface_dicom(source, folder / "release", Options(mask=mask), warn=warnings.append)
    return source, results, warnings, folder / "release"


def by_number(source, folder):
    """Series number -> the datasets of a defaced series, from the lowest slice."""
    found = {}
    for path in sorted(folder.glob("series_*")):
        datasets = [pydicom.dcmread(p) for p in readers.sorted_files(path)]
        found[int(datasets[0].SeriesNumber)] = datasets
    return found


def test_every_series_is_accounted_for(study):
    _source, results, _warnings, folder = study
    said = [(r.status, (r.reason or r.error or "")) for r in results]
    assert [status for status, _ in said] == [
        "not defaced",
        "defaced",
        "defaced",
        "defaced",
        "not defaced",
        "not defaced",
        "not defaced",
        "failed",
        "not defaced",
    ]
    assert "bad.dcm" in said[0][1] and "localizer" in said[4][1] and "frame of reference" in said[5][1]
    assert "does not reach" in said[6][1] and "missing" in said[7][1] and "RTSTRUCT" in said[8][1]
    assert sorted(path.name for path in folder.iterdir()) == ["series_02", "series_03", "series_04"]


def test_one_mask_reaches_every_series_of_the_frame_of_reference(study):
    source, _results, _warnings, folder = study
    after = by_number(source, folder)
    before = {
        number: [pydicom.dcmread(p) for p in readers.sorted_files(source / name)]
        for number, name in ((1, "thin"), (2, "thick"), (3, "mpr"))
    }
    for number, shape in ((1, maker.upright()), (3, sparse_sagittal())):
        changed = np.stack([new.pixel_array != old.pixel_array for old, new in zip(before[number], after[number])])
        face, skin = maker.phantom_at(shape.points(), 1) > 0, maker.phantom_at(shape.points()) > -300
        # Below the jaw a little of the soft tissue behind the mask goes with it.
        assert changed[face].mean() > 0.99 and changed[skin & ~face].mean() < 0.06
    changed = np.stack([new.pixel_array != old.pixel_array for old, new in zip(before[2], after[2])])
    assert changed.any()


def test_uids_are_new_and_consistent_over_the_study(study):
    source, _results, _warnings, folder = study
    after = [d for datasets in by_number(source, folder).values() for d in datasets]
    old = pydicom.dcmread(next((source / "thin").iterdir()))
    assert len({d.StudyInstanceUID for d in after}) == 1 and len({d.FrameOfReferenceUID for d in after}) == 1
    assert after[0].StudyInstanceUID != old.StudyInstanceUID and after[0].FrameOfReferenceUID == old.FrameOfReferenceUID
    assert len({d.SeriesInstanceUID for d in after}) == 3 and len({d.SOPInstanceUID for d in after}) == len(after)


def test_a_further_run_goes_into_the_same_study_and_only_the_hospital_can_tell_which(tmp_path, mask):
    study = maker.Study()
    maker.write_series(tmp_path / "in" / "a", maker.sparse(), study, number=1)
    maker.write_series(tmp_path / "in" / "b", maker.sparse(), maker.Study(study.study), number=2)

    def run_series(number, release):
        options = Options(mask=mask, series=str(number), deidentify_headers=True, overwrite=True)
        deface_dicom(tmp_path / "in", release, options)
        return pydicom.dcmread(next((release / f"series_{number:02}").iterdir()))

    first, second, again = (run_series(number, tmp_path / "out") for number in (1, 2, 2))
    assert study.study != first.StudyInstanceUID == second.StudyInstanceUID == again.StudyInstanceUID
    assert first.FrameOfReferenceUID != second.FrameOfReferenceUID == again.FrameOfReferenceUID
    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        assert len({dataset[keyword].value for dataset in (first, second, again)}) == 3
    assert not (tmp_path / "out" / "uids.key").exists() and (tmp_path / "out-hospital-only" / "uids.key").exists()
    assert run_series(1, tmp_path / "other").StudyInstanceUID != first.StudyInstanceUID


def test_contours_and_kept_headers_are_warned_of(study):
    warnings = " ".join(study[2])
    assert "RTSTRUCT" in warnings and "redraw the face" in warnings and "still carry the patient's identity" in warnings


def test_masks_and_records_lie_in_the_hospitals_folder_only(study):
    _source, results, _warnings, folder = study
    hospital = folder.with_name("release-hospital-only")
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".dcm"}
    assert sorted(path.name for path in hospital.iterdir()) == sorted(
        f"series_{n:02}_{what}" for n in (2, 3, 4) for what in ("facemask.nii.gz", "record.json")
    ) + ["uids.key"]
    record = json.loads((hospital / "series_03_record.json").read_text())
    assert record["status"] == "released" and record["settings"]["mask"] == "file, of another series"
    schema = json.loads((RESOURCES / "record.schema.json").read_text())
    pytest.importorskip("jsonschema").validate(record, schema)
    assert {check["name"] for check in record["checks"]} >= {"written_file", "residual_skin", "outside"}
    assert read_volume(hospital / "series_02_facemask.nii.gz").stored.sum() == maker.parts()[1].sum()
    assert all(r.checks and r.record for r in results if r.status == "defaced")


def test_a_series_whose_checks_fail_is_kept_back_unless_overridden(tmp_path):
    maker.write_series(tmp_path / "in", maker.sparse())
    brain = maker.write_mask(tmp_path / "brain.nii.gz", part=2)
    arguments = ["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--mask", brain, "--quiet", "--fill", "air"]
    assert main(arguments) == 3
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    hospital = tmp_path / "out-hospital-only"
    assert sorted(p.name for p in hospital.iterdir()) == ["series_01_facemask.nii.gz", "series_01_record.json"]
    record = json.loads((hospital / "series_01_record.json").read_text())
    assert record["status"] == "blocked"
    failing = [check["name"] for check in record["checks"] if check["verdict"] == "fail"]
    overrides = [text for name in failing for text in ("--override", f"{name}=a test")]
    assert "brain" in failing and main([*arguments, *overrides]) == 0
    assert (hospital / "series_01_facemask_2.nii.gz").exists()
    assert len(list((tmp_path / "out" / "series_01").iterdir())) == 40
    record = json.loads((hospital / "series_01_record_2.json").read_text())
    assert {o["check"] for o in record["overrides"]} == set(failing)


def test_a_series_that_shows_more_of_the_face_than_the_masks_is_kept_back(tmp_path, mask):
    """The mask ends where its own series ends: below, the other one still has its chin."""
    study, upper = maker.Study(), maker.sparse()
    maker.write_series(tmp_path / "in" / "whole", maker.sparse(), study, number=1)
    upper.positions = upper.positions[14:]
    maker.write_series(tmp_path / "in" / "upper", upper, study, number=2)
    volume = read_volume(mask)
    cut = maker.phantom_geometry()
    cut = type(cut)(cut.spacing, (*cut.origin[:2], cut.origin[2] + 28 * cut.spacing[2]), cut.direction)
    maker.write_mask_of(volume.stored[28:] > 0, cut, tmp_path / "upper.nii.gz")
    results = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=str(tmp_path / "upper.nii.gz"), series="2"))
    assert [r.status for r in results] == ["failed", "defaced"] and "shows more of the face" in results[0].error
    assert "--series 1" in results[0].error


@pytest.mark.parametrize("error, words", [(MemoryError(), "not enough memory"), (ValueError("odd"), "unexpected ValueError")])
def test_a_series_that_ends_with_a_fault_of_ours_hides_no_other(tmp_path, mask, monkeypatch, error, words):
    study = maker.Study()
    maker.write_series(tmp_path / "in" / "a", maker.sparse(), study, number=1)
    maker.write_series(tmp_path / "in" / "b", maker.upright(count=20, spacing=12.0), study, number=2)

    def fails_of_the_second(given, geometry, stack):
        if len(stack.planes) == 20:
            raise error
        return mask_on_stack(given, geometry, stack)

    monkeypatch.setattr(run, "mask_on_stack", fails_of_the_second)
    results = deface_dicom(tmp_path / "in", tmp_path / "out", Options(mask=mask))
    assert [(r.status, r.series) for r in results] == [("defaced", 1), ("failed", 2)] and words in results[1].error
    assert Path(results[0].defaced).is_dir() and results[1].defaced is None


def test_results_never_mix_with_originals(tmp_path, mask):
    maker.write_series(tmp_path / "a" / "in", maker.sparse())
    source = tmp_path / "a" / "in"
    for out in (source, source / "out", tmp_path / "a"):
        with pytest.raises(InputError, match="never mix"):
            deface_dicom(source, out, Options(mask=mask))
    with pytest.raises(InputError, match="never mix"):
        deface_dicom(source, tmp_path / "out", Options(mask=mask, records=str(source / "records")))
    with pytest.raises(InputError, match="release folder"):
        deface_dicom(source, tmp_path / "out", Options(mask=mask, masks=str(tmp_path / "out" / "masks")))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_two_patients_is_refused_whole_with_the_remedy(tmp_path, mask, capsys):
    """Also when their files have one series UID, or a series is asked for."""
    for name in ("a", "b"):
        maker.write_series(
            tmp_path / "in",
            maker.sparse(),
            name=name,
            change=lambda dataset, k: setattr(dataset, "SeriesInstanceUID", "1.2.3"),
        )
    for more in ([], ["--series", "1"]):
        assert main(["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--mask", mask, "--quiet", *more]) == 4
        said = capsys.readouterr().out
        assert "2 studies" in said and "series 1, 2" in said and "cta-deface batch" in said
    assert not (tmp_path / "out").exists()


def test_existing_series_stay_unless_overwriting_is_allowed(tmp_path, mask, capsys):
    maker.write_series(tmp_path / "in", maker.sparse())
    target = tmp_path / "out" / "series_01"
    target.mkdir(parents=True)
    (target / "mine.txt").write_text("mine")
    arguments = ["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--mask", mask, "--quiet"]
    assert main(arguments) == 5
    assert "exists already" in capsys.readouterr().out and [p.name for p in target.iterdir()] == ["mine.txt"]
    assert main([*arguments, "--overwrite", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["status"] == "defaced" and result["series"] == 1 and len(list(target.iterdir())) == 40


def test_a_mask_alone_and_files_instead_of_a_folder(tmp_path, mask, capsys):
    maker.write_series(tmp_path / "in", maker.sparse())
    files = [str(path) for path in (tmp_path / "in").iterdir()]
    assert main(["run", *files[1:], "-o", str(tmp_path / "out"), "--mask", mask, "--quiet"]) == 4
    assert "missing" in capsys.readouterr().out
    masks = deface_dicom(files, tmp_path / "masks", Options(mask=mask, mask_only=True))
    assert masks[0].status == "mask only"
    assert [p.name for p in (tmp_path / "masks").iterdir()] == ["series_01_facemask.nii.gz"]
    assert main(["run", files[0], "-o", str(tmp_path / "one"), "--quiet"]) == 4
    assert "single slice" in capsys.readouterr().out


def test_the_wanted_series_makes_the_mask_and_an_unknown_one_is_refused(tmp_path, mask, monkeypatch):
    study = maker.Study()
    maker.write_series(tmp_path / "in" / "a", maker.sparse(), study, number=1)
    maker.write_series(tmp_path / "in" / "b", maker.upright(count=4), study, number=2)
    seen = []

    def model(volume, *arguments):
        seen.append(volume.stored.shape)
        return np.zeros(volume.stored.shape, bool)

    monkeypatch.setattr(case, "face_mask", model)
    monkeypatch.setattr(case.NetworksHere, "begin", lambda networks, name=None: None)
    uid = str(pydicom.dcmread(next((tmp_path / "in" / "b").iterdir())).SeriesInstanceUID)
    for wanted in ("2", uid):
        with pytest.raises(MaskError, match="no face found"):
            deface_dicom(tmp_path / "in", tmp_path / "out", Options(series=wanted))
    assert seen == [(4, 80, 64)] * 2
    # Without a wish: all, the one that shows most of the head first.
    with pytest.raises(MaskError, match="any of 2"):
        deface_dicom(tmp_path / "in", tmp_path / "out", Options())
    assert seen[2:] == [(40, 80, 64), (4, 80, 64)]
    with pytest.raises(InputError, match="no such series"):
        deface_dicom(tmp_path / "in", tmp_path / "out", Options(series="9", mask=mask))
    assert not (tmp_path / "out").exists()


def test_a_persons_mask_will_do_and_a_cancelled_run_leaves_nothing(tmp_path):
    from CTADefaceLib.dicom.reading.series import find_series
    from CTADefaceLib.dicom.reading.stack import stack_of

    maker.write_series(tmp_path / "in", maker.sparse())
    stack, stages = stack_of(find_series(tmp_path / "in").series[0]), []

    def given(_volume):
        return PersonsMask(mask_on_stack(maker.parts()[1] > 0, maker.phantom_geometry(), stack))

    def cancel_when_half_is_written(report):
        stages.append(report.stage)
        if stages.count("write") > 60:
            progress.cancel()

    progress = Progress(cancel_when_half_is_written)
    with pytest.raises(Cancelled):
        deface_dicom_with(given, tmp_path / "in", tmp_path / "out", Options(), progress)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "in" not in path.parents]
    # The key for the study's UID stays with the hospital; it tells nothing of the study.
    assert left == ["uids.key"]
    result = deface_dicom_with(given, tmp_path / "in", tmp_path / "out", Options())[0]
    assert result.status == "defaced" and result.device is None
    assert json.loads(Path(result.record).read_text())["model"] is None


def test_a_real_head_with_a_tilted_gantry_makes_the_mask_for_its_sagittal_slices(small_cranium, tmp_path):
    low, high = maker.box_of(small_cranium)
    angle, spacing, study = np.radians(15), 3.0, maker.Study()
    rows, columns, count = (int(n) for n in (high - low)[[1, 0, 2]] / spacing)
    cosines = (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(np.sin(angle)))
    # Each slice leans about its own middle, its front down: so it shows all of the face that the sagittal slices show.
    corner = np.array([low[0], (low + high)[1] / 2, low[2]]) - np.array(cosines[3:]) * spacing * rows / 2
    tilted = maker.Shape(corner + np.arange(count)[:, None] * [0, 0, spacing], cosines, rows, columns, (spacing,) * 2)
    start = np.array([low[0], low[1], high[2]])
    across = np.arange(columns)[:, None] * [spacing, 0, 0]
    sagittal = maker.Shape(start + across, maker.SAGITTAL, count, rows, (spacing,) * 2)
    for number, shape in enumerate((tilted, sagittal), 1):
        maker.write_series(
            tmp_path / "in" / str(number),
            shape,
            study,
            maker.image_at(small_cranium, shape.points()),
            number=number,
            image_type=("ORIGINAL", "PRIMARY", "AXIAL") if number == 1 else ("DERIVED", "SECONDARY", "MPR"),
        )
    results = deface_dicom(tmp_path / "in", tmp_path / "out", Options())
    assert [(r.status, r.error) for r in results] == [("defaced", None)] * 2
    assert results[0].mask_ml > 100 and results[1].mask_ml == pytest.approx(results[0].mask_ml, rel=0.1)
    # The same face as the model finds without any DICOM.
    straight = sitk.GetArrayFromImage(segment_face(small_cranium)) > 0
    given = sitk.GetImageFromArray(straight.astype(np.float32))
    given.CopyInformation(small_cranium)
    # Slices are sorted along their normal, which looks to the right here.
    expected = maker.image_at(given, sagittal.points())[::-1] > 0.5
    found = read_volume(results[1].mask).stored > 0
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.85


def test_the_real_series_through_the_shell(real_series, tmp_path):
    out = tmp_path / "release"
    done = subprocess.run(
        [sys.executable, "-m", "CTADefaceLib", "run", str(real_series), "-o", str(out), "--json", "--deidentify-headers"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["status"] == "defaced" and result["mask_ml"] > 200 and "segment" in done.stderr
    before, after = readers.sorted_files(real_series), readers.sorted_files(out / "series_01")
    old, new = readers.by_pydicom(before), readers.by_pydicom(after)
    face = read_volume(result["mask"]).stored > 0
    changed = old != new
    assert changed[face].mean() > 0.99
    # Behind the rearmost voxel of the face and far above it, nothing changed.
    rows = np.flatnonzero(face.any((0, 2)))
    assert rows[0] > 0 and not changed[:, rows[-1] + 6 :].any()
    assert not changed[np.flatnonzero(face.any((1, 2)))[-1] + 5 :].any()
    assert np.array_equal(readers.by_gdcm(after), new - 1024.0)
    if readers.have("dcmdump"):
        assert np.array_equal(readers.by_dcmtk(after[::10], tmp_path, signed=False), new[::10])
    if readers.have("dcm2niix"):
        # It reads all slices with the first one's number of bits; six of these have one more, in the original too.
        bits = [pydicom.dcmread(path, stop_before_pixels=True).BitsStored for path in after]
        alike = np.equal(bits, bits[0])
        assert np.array_equal(readers.by_dcm2niix(out / "series_01", tmp_path)[alike], new[alike] - 1024.0)
    if readers.have("dciodvfy"):
        for one, other in list(zip(before, after))[::10]:
            assert readers.validator_errors(other) <= readers.validator_errors(one)

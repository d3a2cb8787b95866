"""DICOM studies in a batch: found by their folders, numbered in what is given away, resumable as any other case."""

import json
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from CTADefaceLib.batch.correct import correct, open_case, record_of, reject
from CTADefaceLib.batch.find import places
from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.batch.review_queue import load_queue, mark
from CTADefaceLib.batch.run_batch import Here, run_batch
from CTADefaceLib.batch.studies import find_studies, study_cases
from CTADefaceLib.cases.options import Options
from CTADefaceLib.checks import every
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.reading.input_files import study_in
from CTADefaceLib.dicom.reading.series import find_series
from CTADefaceLib.files.read import read_volume
from helpers import dicom_maker as maker


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two patients: one with two series of a study, one with a study in two folders side by side of which one is a scout."""
    source = tmp_path_factory.mktemp("batch-dicom") / "in"
    first, second = maker.Study(), maker.Study()
    maker.write_series(source / "Doe^Jane" / "thin", maker.sparse(), first, number=1)
    maker.write_series(source / "Doe^Jane" / "thick", maker.upright(count=20, spacing=12.0), first, number=2)
    maker.write_series(source / "Roe^John" / "ct", maker.sparse(), second, number=1)
    short = maker.upright(count=4)
    maker.write_series(
        source / "Roe^John" / "scout",
        maker.Shape(short.positions[:1], maker.SAGITTAL),
        second,
        number=2,
        image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"),
    )
    return source


def test_a_study_is_the_folder_that_holds_all_of_it(tree, tmp_path):
    assert [path.name for path in find_studies(tree, set())] == ["Doe^Jane", "Roe^John"]
    mixed = tmp_path / "mixed"
    for number in range(2):
        maker.write_series(mixed / f"series{number}", maker.upright(count=4), maker.Study())
    assert [path.name for path in find_studies(mixed, set())] == ["series0", "series1"]
    one, other = maker.Study(), maker.Study()
    for name, study in (("a", one), ("b", other), ("c", one)):
        maker.write_series(tmp_path / "woven" / name, maker.upright(count=4), study)
    assert [path.name for path in find_studies(tmp_path / "woven", set())] == ["a", "b", "c"]


def two_patients(folder, other=None):
    """Study UIDs of two patients: the first one's series lies in ``folder``, as the second one's unless ``other`` is given."""
    studies = maker.Study(), maker.Study()
    for name, study, place in zip("ab", studies, (folder, other or folder)):
        maker.write_series(
            place, maker.sparse(), study, name=name, change=lambda dataset, k, name=name: setattr(dataset, "PatientID", name)
        )
    return [study.study for study in studies]


def test_studies_that_share_a_folder_are_told_apart(tmp_path):
    flat, nested = tmp_path / "flat", tmp_path / "nested"
    both = two_patients(flat)
    assert find_studies(flat, set()) == sorted(study_in(flat, uid) for uid in both)
    first, _second = two_patients(nested, nested / "below")
    maker.write_series(nested / "more", maker.upright(count=4), maker.Study(first))
    assert find_studies(nested, set()) == sorted([nested / "below", study_in(nested, first)])
    assert sorted(len(series.instances) for series in find_series(study_in(nested, first)).series) == [4, 40]


def test_numbers_stay_with_their_studies_when_others_come(tree):
    where = places(tree, tree.parent / "nowhere")
    names = [case.folder for case in study_cases(where.source, find_studies(tree, set()), {})]
    assert names == ["study_0001", "study_0002"]
    known = {"Roe^John": {"folder": "study_0001"}}
    again = {case.id: case.folder for case in study_cases(where.source, find_studies(tree, set()), known)}
    assert again == {"Doe^Jane": "study_0002", "Roe^John": "study_0001"}


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


@pytest.fixture(scope="module")
def finished(tree, mask):
    """Release folder after a batch with the true mask of the synthetic head."""
    out = tree.parent / "out"
    summary = run_batch(tree, out, Options(mask=mask))
    assert summary.complete, summary.problems
    return out


def test_what_is_given_away_tells_no_names_and_no_mask_is_in_it(finished):
    assert sorted(path.relative_to(finished).as_posix() for path in finished.glob("*/*")) == [
        "study_0001/series_01",
        "study_0001/series_02",
        "study_0002/series_01",
    ]
    assert all(path.suffix == ".dcm" for path in finished.rglob("*") if path.is_file())
    kept = finished.with_name("out-hospital-only")
    assert len(list(kept.rglob("*_record.json"))) == 3 and len(list(kept.rglob("*_facemask.nii.gz"))) == 3
    one = pydicom.dcmread(next(finished.rglob("*.dcm")))
    assert one.RecognizableVisualFeatures == "NO"


def test_the_manifest_lists_what_was_left_out_and_a_second_run_does_nothing(finished, tree, capsys):
    path = finished.with_name("out-hospital-only") / NAME
    entry = Manifest(path).read()[1]["Roe^John"]
    assert entry["status"] == "defaced" and "localizer" in entry["not_defaced"][0]
    before = path.read_text()
    assert main(["batch", str(tree), str(finished), "--quiet"]) == 0
    assert path.read_text() == before and json.loads(before.splitlines()[0])["manifest"] == 1


def test_every_patient_of_a_mixed_folder_is_released_once_and_alone(tmp_path, mask, capsys):
    two_patients(tmp_path / "in" / "flat")
    two_patients(tmp_path / "in" / "nested", tmp_path / "in" / "nested" / "below")
    out = tmp_path / "out"
    summary = run_batch(tmp_path / "in", out, Options(mask=mask))
    assert summary.complete and summary.by_status == {"defaced": 4}
    patients = [
        {pydicom.dcmread(path, stop_before_pixels=True).PatientID for path in folder.rglob("*.dcm")}
        for folder in sorted(out.iterdir())
    ]
    assert sorted(map(sorted, patients)) == [["a"], ["a"], ["b"], ["b"]]
    assert sorted(path.relative_to(out).as_posix() for path in out.glob("*/*")) == [
        f"study_{number:04}/series_01" for number in range(1, 5)
    ]
    manifest = out.with_name("out-hospital-only") / NAME
    before = manifest.read_text()
    assert main(["batch", str(tmp_path / "in"), str(out), "--quiet"]) == 0 and manifest.read_text() == before
    for item in load_queue(manifest):
        _volume, drawn = open_case(item)
        assert correct(manifest, item, drawn.stored > 0, drawn.geometry).review == "corrected"
    assert len(list(out.rglob("*.dcm"))) == 4 * 40


def test_in_a_mixed_folder_a_study_runs_again_when_its_own_files_change(tmp_path, mask):
    two_patients(tmp_path / "in" / "flat")
    late = sorted((tmp_path / "in" / "flat").glob("b*"))[:5]
    kept = [path.rename(tmp_path / path.name) for path in late]
    run_batch(tmp_path / "in", tmp_path / "out", Options(mask=mask))
    for path, place in zip(kept, late):
        path.rename(place)
    lines, told = (tmp_path / "out-hospital-only" / NAME), []
    before = len(lines.read_text().splitlines())
    assert run_batch(tmp_path / "in", tmp_path / "out", Options(mask=mask, overwrite=True), told=told.append).complete
    assert len(told) == 1 and len(lines.read_text().splitlines()) == before + 2
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2 * 40


def test_what_an_earlier_version_released_of_a_mixed_folder_is_told(tmp_path, mask):
    source, out = tmp_path / "in", tmp_path / "out"
    two_patients(source / "flat")
    manifest = Manifest(tmp_path / "out-hospital-only" / NAME)
    manifest.add(
        {"manifest": 1, "input": "../in", "fill": "levelled"},
        {
            "case": "flat",
            "kind": "dicom",
            "input": "../in/flat",
            "status": "defaced",
            "folder": "study_0001",
            "outputs": ["../out/study_0001/series_01"],
            "mask": None,
        },
    )
    warnings = []
    summary = run_batch(source, out, Options(mask=mask), warn=warnings.append)
    assert summary.by_status == {"defaced": 2} and sorted(p.name for p in out.iterdir()) == ["study_0002", "study_0003"]
    assert any("study_0001" in text and "reject" in text for text in warnings)


def test_a_person_corrects_a_study_and_cleaned_headers_stay_clean(finished, tree):
    path = finished.with_name("out-hospital-only") / NAME
    item = next(item for item in load_queue(path) if item.case == "Doe^Jane")
    volume, mask = open_case(item)
    face = mask.stored > 0
    # Air in front of the nose, so that no check minds.
    front = np.argwhere(face)[:, 1].min()
    face[face.shape[0] // 2, front - 2 : front, 30:34] = True
    fixed = correct(path, item, face, mask.geometry)
    assert fixed.review == "corrected" and sorted(p.name for p in fixed.outputs) == ["series_01", "series_02"]
    record = record_of(fixed)
    assert record["mask"]["edits"]["added_voxels"] == (face & (mask.stored == 0)).sum() > 0
    assert record["settings"]["headers_deidentified"] == record_of(item)["settings"]["headers_deidentified"]
    assert np.array_equal(read_volume(fixed.mask).stored > 0, face) and volume.stored.shape == face.shape


@pytest.fixture
def thick_blocked(monkeypatch):
    """From when it is called, a check of every series of 20 slices fails."""
    checks_of = every.run_checks

    def run_checks(volume, *arguments):
        first, *others = checks_of(volume, *arguments)
        return [replace(first, verdict="fail") if len(volume.stored) == 20 else first, *others]

    return lambda: monkeypatch.setattr(every, "run_checks", run_checks)


def study_of_two(folder):
    """(input folder, mask file) of one patient with the series thin (40 slices) and thick (20)."""
    study = maker.Study()
    maker.write_series(folder / "in" / "pat" / "thin", maker.sparse(), study, number=1)
    maker.write_series(folder / "in" / "pat" / "thick", maker.upright(count=20, spacing=12.0), study, number=2)
    return folder / "in", maker.write_mask(folder / "mask.nii.gz")


def test_a_correction_leaves_nothing_of_a_series_that_it_does_not_release(tmp_path, thick_blocked):
    source, mask = study_of_two(tmp_path)
    out, kept = tmp_path / "out", tmp_path / "out-hospital-only"
    assert run_batch(source, out, Options(mask=mask)).complete
    item = load_queue(kept)[0]
    _volume, shown = open_case(item)
    thick_blocked()
    fixed = correct(kept, item, shown.stored > 0, shown.geometry)
    assert [path.name for path in fixed.outputs] == ["series_01"] and fixed.outputs[0].is_dir()
    assert [path.name for path in out.glob("*/*")] == ["series_01"], "the person has found the old one wrong"
    assert load_queue(kept) == [fixed]
    assert "series_02 was taken out of the release." in fixed.error and "not exported" in fixed.error
    reject(kept, fixed)
    assert not list(out.rglob("*.dcm"))


def test_a_study_of_which_one_series_is_broken_can_be_looked_at_and_decided(tmp_path):
    study, kept = maker.Study(), tmp_path / "out-hospital-only"
    gap = maker.Shape(np.delete(maker.sparse().positions, [20, 21], axis=0))
    maker.write_series(tmp_path / "in" / "pat" / "gap", gap, study, number=1)
    maker.write_series(tmp_path / "in" / "pat" / "whole", maker.sparse(), study, number=2)
    options = Options(mask=maker.write_mask(tmp_path / "mask.nii.gz"))
    assert run_batch(tmp_path / "in", tmp_path / "out", options).by_status == {"failed": 1}
    item = load_queue(kept)[0]
    assert [path.name for path in item.outputs] == ["series_02"] and record_of(item)["checks"]
    volume, shown = open_case(item)
    assert (shown.stored > 0).any() and volume.stored.shape == shown.stored.shape
    assert mark(kept, item, "accepted").review == "accepted"
    fixed = correct(kept, item, shown.stored > 0, shown.geometry)
    assert fixed.outputs == item.outputs and "missing" in fixed.error


class Shared(Here):
    """Looks to a batch like a cluster, whose workers may have published a part before they were killed."""

    shared = True


@pytest.mark.parametrize("engine", [Here, Shared])
def test_a_folder_of_others_is_not_replaced_by_a_study(tmp_path, engine):
    source, mask = study_of_two(tmp_path)
    theirs = tmp_path / "out" / "study_0001" / "series_01" / "precious.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("not ours")
    summary = run_batch(source, tmp_path / "out", Options(mask=mask), engine=engine())
    assert "exists already" in summary.problems[0][1] and not list(tmp_path.rglob("out/*/*/*.dcm"))
    assert theirs.read_text() == "not ours"
    assert run_batch(source, tmp_path / "out", Options(mask=mask, mask_only=True), engine=engine(), retry_failed=True).complete
    theirs.unlink()
    theirs.parent.rmdir()
    assert run_batch(source, tmp_path / "out", Options(mask=mask), engine=engine()).complete


def test_slices_that_arrive_later_are_not_passed_over(tmp_path):
    source, mask = study_of_two(tmp_path)
    late = sorted((source / "pat" / "thin").iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])[30:]
    for path in late:
        path.rename(tmp_path / path.name)
    assert run_batch(source, tmp_path / "out", Options(mask=mask)).complete
    for path in late:
        (tmp_path / path.name).rename(path)
    assert not run_batch(source, tmp_path / "out", Options(mask=mask)).complete
    assert run_batch(source, tmp_path / "out", Options(mask=mask, overwrite=True)).complete
    assert len(list((tmp_path / "out" / "study_0001" / "series_01").iterdir())) == 40

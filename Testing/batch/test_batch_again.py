"""A batch run again after its inputs, its options or a person's decisions have changed; the head is synthetic."""

import itertools
import json
import os

import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.case_kinds import run_case
from CTADefaceLib.batch.correct import correct, open_case, reject
from CTADefaceLib.batch.input_stamp import has_changed, stamp_of
from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.batch.review_queue import load_queue, mark
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.errors import InputError
from helpers import dicom_maker as maker
from helpers import phantom


@pytest.fixture
def batch(tmp_path):
    """``batch(**options)`` runs the one case a.nii.gz of the folder ``in`` with the true mask; returns the ``Summary``."""
    (tmp_path / "in").mkdir()
    write_head(tmp_path / "in")
    mask = maker.write_mask(tmp_path / "mask.nii.gz")

    def run(retry_failed=False, **options):
        return run_batch(tmp_path / "in", tmp_path / "out", Options(mask=mask, **options), retry_failed=retry_failed)

    return run


def write_head(folder, brighter=0):
    """The head as a.nii.gz, by some HU brighter, and never of the time that it had before."""
    path = folder / "a.nii.gz"
    before = path.stat().st_mtime_ns if path.exists() else 0
    sitk.WriteImage(phantom.image((maker.parts()[0] + brighter).astype("int16")), str(path))
    os.utime(path, ns=(before + 10**9,) * 2)


def item(folder):
    return load_queue(folder / "out-hospital-only")[0]


def test_what_was_released_of_an_input_that_was_replaced_can_be_taken_out(batch, tmp_path):
    assert batch().complete
    before = item(tmp_path).outputs
    write_head(tmp_path / "in", brighter=3)
    for again in ({}, {"retry_failed": True}):
        assert "exists already" in batch(**again).problems[0][1], "without --overwrite it stays"
        assert item(tmp_path).outputs == before and before[0].exists()
    reject(tmp_path / "out-hospital-only", item(tmp_path))
    assert not before[0].exists()


def test_what_was_released_stays_known_when_the_next_run_fails_or_is_killed(batch, tmp_path):
    assert batch().complete
    before = item(tmp_path).outputs
    (tmp_path / "in" / "a.nii.gz").write_bytes(b"no volume")
    assert "cannot be read" in batch(overwrite=True).problems[0][1]
    assert item(tmp_path).outputs == before and before[0].exists()
    lines = (tmp_path / "out-hospital-only" / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / "out-hospital-only" / NAME).write_bytes(b"".join(lines[:-1]))
    entry = Manifest(tmp_path / "out-hospital-only" / NAME).read()[1]["a.nii.gz"]
    assert entry["status"] == "started" and entry["outputs"] == ["../out/case-0001_defaced.nii.gz"]


def test_a_replaced_input_is_done_again_where_that_is_allowed(batch, tmp_path):
    assert batch().complete
    before = item(tmp_path).outputs[0].read_bytes()
    write_head(tmp_path / "in", brighter=3)
    assert not batch().complete and batch(overwrite=True).complete
    assert item(tmp_path).outputs[0].read_bytes() != before


def test_what_all_results_must_have_in_common_is_never_mixed(batch, tmp_path):
    assert batch().complete
    for options, why in (
        ({"deidentify_headers": True}, "with headers kept, not with headers cleaned"),
        ({"fill": "air"}, "with fill levelled, not with fill air"),
    ):
        with pytest.raises(InputError, match=f"{why}; choose another output folder"):
            batch(**options)
    assert run_batch(tmp_path / "in", tmp_path / "cleaned", Options(mask=tmp_path / "mask.nii.gz", deidentify_headers=True))
    with pytest.raises(InputError, match="with headers cleaned, not with headers kept"):
        run_batch(tmp_path / "in", tmp_path / "cleaned", Options())


def test_another_model_is_for_what_failed_or_was_blocked(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nii.gz").write_bytes(b"no volume")
    Manifest(tmp_path / "out-hospital-only" / NAME).add(
        {"manifest": 1, "input": "../in", "output": "../out", "fill": "levelled", "model": "ours"}
    )
    with pytest.raises(InputError, match=r"with model ours, not with model head-3mm.*--retry-failed"):
        run_batch(tmp_path / "in", tmp_path / "out", Options())
    assert run_batch(tmp_path / "in", tmp_path / "out", Options(), retry_failed=True).by_status == {"failed": 1}


def test_a_manifest_of_before_that_tells_less_is_continued(batch, tmp_path):
    assert batch().complete
    path = tmp_path / "out-hospital-only" / NAME
    first, *lines = path.read_text().splitlines()
    old = {key: value for key, value in json.loads(first).items() if key in ("manifest", "input", "output", "fill")}
    path.write_text("\n".join([json.dumps(old), *lines]) + "\n")
    assert batch().complete and path.read_text().splitlines()[1:] == lines


def test_after_the_masks_the_volumes_are_still_to_be_done(batch, tmp_path):
    for _again in range(2):
        assert batch(mask_only=True).by_status == {"mask only": 1}
    with pytest.raises(InputError, match="nothing to accept"):
        mark(tmp_path / "out-hospital-only", item(tmp_path), "accepted")
    theirs = tmp_path / "out" / "case-0001_defaced.nii.gz"
    theirs.parent.mkdir()
    theirs.write_bytes(b"not ours")
    assert "exists already" in batch().problems[0][1] and theirs.read_bytes() == b"not ours"
    theirs.unlink()
    summary = batch(retry_failed=True, overwrite=True)
    assert summary.complete and summary.by_status == {"defaced": 1} and item(tmp_path).outputs[0].exists()
    before = (tmp_path / "out-hospital-only" / NAME).read_bytes()
    assert batch(mask_only=True).complete and (tmp_path / "out-hospital-only" / NAME).read_bytes() == before


@pytest.mark.parametrize("decision", ["accepted", "corrected"])
def test_a_decision_is_about_the_input_as_it_was(batch, tmp_path, decision):
    kept = tmp_path / "out-hospital-only"
    assert batch().complete
    before = item(tmp_path).outputs[0].read_bytes()
    if decision == "accepted":
        mark(kept, item(tmp_path), "accepted")
    else:
        write_head(tmp_path / "in", brighter=2)
        shown, mask = open_case(item(tmp_path))
        correct(kept, item(tmp_path), mask.stored > 0, shown.geometry)
    assert batch(retry_failed=True).complete and item(tmp_path).review == decision
    write_head(tmp_path / "in", brighter=3)
    assert batch(overwrite=True).complete
    assert item(tmp_path).review is None and item(tmp_path).outputs[0].read_bytes() != before


def test_what_was_rejected_comes_back_only_on_demand(batch, tmp_path):
    assert batch().complete
    reject(tmp_path / "out-hospital-only", item(tmp_path))
    write_head(tmp_path / "in", brighter=3)
    assert batch(overwrite=True).complete and item(tmp_path).outputs == ()
    assert batch(retry_failed=True, overwrite=True).complete and item(tmp_path).outputs and item(tmp_path).review is None


def test_an_input_that_changes_while_it_runs_has_changed(batch, tmp_path, monkeypatch):
    def replaced_meanwhile(*arguments):
        results = run_case(*arguments)
        write_head(tmp_path / "in", brighter=3)
        return results

    with monkeypatch.context() as patch:
        patch.setattr("CTADefaceLib.batch.run_batch.run_case", replaced_meanwhile)
        assert batch().complete
    assert "exists already" in batch().problems[0][1]


def test_the_stamp_of_a_study_tells_of_all_its_files(tmp_path):
    study = tmp_path / "pat"
    (study / "thin").mkdir(parents=True)
    stamps = [stamp_of(study)]
    for name in ("thin/1.dcm", "thin/2.dcm"):
        (study / name).write_bytes(b"slice")
        stamps.append(stamp_of(study))
    os.utime(study / "thin" / "1.dcm", ns=(1, 1))
    stamps.append(stamp_of(study))
    (study / "thin" / "2.dcm").rename(study / "thin" / "3.dcm")
    stamps.append(stamp_of(study))
    assert all(has_changed(before, now) for before, now in itertools.pairwise(stamps)) and stamps[-1][0] == 10
    assert not has_changed(stamps[-1], stamp_of(study)) and not has_changed(None, stamps[-1])
    status = study.stat()
    assert not has_changed([status.st_size, status.st_mtime_ns - 1], stamps[-1]), "of a manifest of before"

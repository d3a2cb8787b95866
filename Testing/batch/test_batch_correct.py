"""What a person decides about a case of a batch, carried out in its files."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.correct import correct, is_strict, record_of, reject
from CTADefaceLib.batch.manifest import NAME
from CTADefaceLib.batch.review_queue import load_queue, manifest_at
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import ChecksFailed, InputError, MaskError
from CTADefaceLib.face.edit import grown, without_bone
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.files.write import write_new_mask
from helpers import phantom


@pytest.fixture(scope="module")
def folder(small_cranium, tmp_path_factory):
    """A finished batch of two heads in folders of their own."""
    folder = tmp_path_factory.mktemp("review")
    for name in ("a", "b"):
        (folder / "in" / name).mkdir(parents=True)
        sitk.WriteImage(small_cranium, str(folder / "in" / name / "head.nii.gz"))
    assert main(["batch", str(folder / "in"), str(folder / "out"), "--quiet"]) == 0
    return folder


@pytest.fixture
def manifest(folder):
    return folder / "out-hospital-only" / NAME


def item_of(manifest, case):
    return next(item for item in load_queue(manifest) if item.case == case)


def test_a_corrected_mask_is_defaced_anew_and_the_record_tells_the_edits(manifest):
    item = item_of(manifest, "a/head.nii.gz")
    before = read_volume(item.mask)
    original = read_volume(item.input)
    mask = without_bone(grown(before.stored > 0, 3.0, before.geometry.spacing[::-1]), original.to_hu(original.stored))
    mask |= before.stored > 0
    fixed = correct(manifest, item, mask, before.geometry, by="reader 1")
    assert fixed.review == "corrected" and fixed.outputs == item.outputs
    assert np.array_equal(read_volume(fixed.mask).stored > 0, mask)
    assert np.array_equal(read_volume(fixed.mask.with_name("case-0001_facemask_model.nii.gz")).stored, before.stored)
    record, first = record_of(fixed), record_of(item)
    assert record["mask"]["edits"]["added_voxels"] == mask.sum() - (before.stored > 0).sum() > 0
    assert record["model"] == first["model"] is not None and fixed.record != item.record
    defaced = read_volume(fixed.outputs[0])
    assert (defaced.stored != original.stored)[mask].mean() > 0.9 and defaced.stored.dtype == original.stored.dtype
    assert item_of(manifest, item.case).by == "reader 1"


def test_a_second_correction_is_still_measured_against_the_models_mask(manifest):
    item = item_of(manifest, "a/head.nii.gz")
    model = read_volume(item.mask.with_name("case-0001_facemask_model.nii.gz"))
    again = correct(manifest, item, model.stored > 0, model.geometry)
    assert record_of(again)["mask"]["edits"]["edited"] is False


def test_a_correction_that_fails_its_checks_changes_nothing_until_it_is_overridden(manifest):
    item = item_of(manifest, "b/head.nii.gz")
    volume = read_volume(item.mask)
    half = volume.stored > 0
    half[:, :, : half.shape[2] // 2] = False
    kept = {path: path.read_bytes() for path in (*item.outputs, item.mask)}
    with pytest.raises(ChecksFailed) as blocked:
        correct(manifest, item, half, volume.geometry)
    assert {path: path.read_bytes() for path in kept} == kept and item_of(manifest, item.case).review is None
    reasons = {check.name: "one-sided on purpose" for check in blocked.value.checks}
    assert json.loads(correct(manifest, item, half, volume.geometry, reasons).record.read_text())["overrides"]


def test_a_correction_of_a_strict_batch_is_stopped_by_a_warning_too(parts, tmp_path):
    """A head without its chin: the field of view warns, which stopped the case in the batch."""
    (tmp_path / "in").mkdir()
    sitk.WriteImage(phantom.image(parts[0][30:]), str(tmp_path / "in" / "cut.nii.gz"))
    sitk.WriteImage(phantom.image(parts[1][30:].astype(np.uint8)), str(tmp_path / "mask.nii.gz"))
    strict = Options(mask=str(tmp_path / "mask.nii.gz"), second_opinion=False, strict=True)
    assert run_batch(tmp_path / "in", tmp_path / "out", strict).by_status == {"blocked": 1}
    (item,) = load_queue(tmp_path / "out-hospital-only")
    assert is_strict(manifest_at(tmp_path / "out-hospital-only")) and item.failed_checks == ("field_of_view",)
    mask = read_volume(tmp_path / "mask.nii.gz")
    with pytest.raises(ChecksFailed) as blocked:
        correct(tmp_path / "out-hospital-only", item, mask.stored > 0, mask.geometry)
    reasons = {check.name: "the scan ends there" for check in blocked.value.checks}
    assert "field_of_view" in reasons and not list((tmp_path / "out").glob("*"))
    fixed = correct(tmp_path / "out-hospital-only", item, mask.stored > 0, mask.geometry, reasons)
    assert fixed.outputs[0].exists() and record_of(fixed)["settings"]["strict"] is True


def test_a_correction_of_a_mask_from_elsewhere_is_held_against_the_models(small_cranium, manifest, tmp_path):
    """The batch took a mask that leaves the forehead, and so does the correction: the mask of the batch proves nothing."""
    model = read_volume(item_of(manifest, "a/head.nii.gz").mask.with_name("case-0001_facemask_model.nii.gz"))
    mask = model.stored > 0
    mask[np.flatnonzero(mask.any((1, 2))).max() - 6 :] = False
    (tmp_path / "in").mkdir()
    sitk.WriteImage(small_cranium, str(tmp_path / "in" / "head.nii.gz"))
    write_new_mask(mask, model.geometry, tmp_path / "mask.nii.gz")
    given = Options(mask=str(tmp_path / "mask.nii.gz"), second_opinion=False)
    assert run_batch(tmp_path / "in", tmp_path / "out", given).complete
    (item,) = load_queue(tmp_path / "out-hospital-only")
    with pytest.raises(ChecksFailed) as blocked:
        correct(tmp_path / "out-hospital-only", item, mask, model.geometry)
    assert [check.name for check in blocked.value.checks] == ["model_face"]
    # Where the packages of the model are missing, a person can still correct.
    fixed = correct(tmp_path / "out-hospital-only", item, mask, model.geometry, networks=None)
    assert fixed.review == "corrected" and record_of(fixed)["model"] is None


def test_a_correction_of_a_case_with_the_identity_check_runs_it_too(manifest):
    item = item_of(manifest, "a/head.nii.gz")
    assert record_of(item).get("identity") is None
    # As a batch with --identity would have noted it, which takes as long again.
    item.record.write_text(json.dumps({**record_of(item), "identity": {}}))
    mask = read_volume(item.mask)
    reasons = {"identity": "a test"}
    fixed = correct(manifest, item, mask.stored > 0, mask.geometry, reasons)
    assert record_of(item)["identity"] is not None and "identity" in [check["name"] for check in record_of(fixed)["checks"]]


def test_a_mask_on_another_grid_is_refused(manifest):
    item = item_of(manifest, "b/head.nii.gz")
    volume = read_volume(item.mask)
    with pytest.raises(MaskError, match="grid"):
        correct(manifest, item, volume.stored[1:] > 0, volume.geometry)


def test_rejecting_takes_the_volume_out_of_the_release_and_keeps_the_original(manifest, folder):
    item = item_of(manifest, "b/head.nii.gz")
    assert item.outputs[0].exists()
    rejected = reject(manifest, item, "reader 2")
    assert not item.outputs[0].exists() and item.input.exists() and item.mask.exists()
    assert item_of(manifest, item.case) == rejected and rejected.outputs == ()
    assert main(["batch", str(folder / "in"), str(folder / "out"), "--quiet"]) in (0, 1)
    assert not item.outputs[0].exists(), "a batch that goes on must not bring it back"


def test_a_case_whose_original_is_gone_cannot_be_corrected(manifest):
    item = item_of(manifest, "a/head.nii.gz")
    volume = read_volume(item.mask)
    item.input.rename(item.input.with_suffix(".away"))
    with pytest.raises(InputError, match="is gone"):
        correct(manifest, item, volume.stored > 0, volume.geometry)

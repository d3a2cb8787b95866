"""Structures that are kept in a case of a batch: stored for the hospital, and kept by corrections as the batch kept them."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.correct import correct, kept_structures, open_case, record_of
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.checks.check import TITLES
from CTADefaceLib.errors import InputError
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.voxels.kept import Structure
from helpers import dicom_maker as maker
from helpers import phantom

# What the checks say of these masks is not asked here.
PASSED = {name: "a test" for name in TITLES if name != "written_file"}


def structure_in(face, number):
    """A small box deep in the ``face`` (bool (k, j, i)), where that is thickest; another one for another ``number``."""
    mask = np.zeros(face.shape, bool)
    k, i = np.unravel_index(face.sum(1).argmax(), face.shape[::2])
    k += 4 * number
    rear = face[k, :, i].argmax()
    mask[k - 1 : k + 2, rear : rear + 4, i - 1 : i + 2] = True
    assert (mask & face).sum() > mask.sum() / 2
    return mask


@pytest.fixture
def kept(parts):
    """Two structures that overlap, bool (k, j, i)."""
    one = structure_in(parts[1], 0)
    return one, one | structure_in(parts[1], 1)


@pytest.fixture
def batch(parts, kept, tmp_path):
    """A batch of one synthetic head in which both were kept; (hospital's folder, release folder, options)."""
    (tmp_path / "in").mkdir()
    sitk.WriteImage(phantom.image(parts[0]), str(tmp_path / "in" / "head.nii.gz"))
    sitk.WriteImage(phantom.image(parts[1].astype(np.uint8)), str(tmp_path / "mask.nii.gz"))
    for number, mask in enumerate(kept, 1):
        sitk.WriteImage(phantom.image(mask.astype(np.uint8)), str(tmp_path / f"orbit{number}.nii.gz"))
    options = Options(
        mask=str(tmp_path / "mask.nii.gz"),
        second_opinion=False,
        keep=(str(tmp_path / "orbit1.nii.gz"), str(tmp_path / "orbit2.nii.gz")),
    )
    return tmp_path / "out-hospital-only", tmp_path / "out", options


def run(batch, **options):
    hospital, release, given = batch
    run_batch(release.parent / "in", release, replace(given, **{"override": PASSED, **options}))
    (item,) = load_queue(hospital)
    return item


def stored(hospital):
    return sorted(path.name for path in hospital.rglob("*_kept-*"))


def unchanged(item, mask):
    """Are the voxels of ``mask`` in the released file those of the input?"""
    return np.array_equal(read_volume(item.outputs[0]).stored[mask], read_volume(item.input).stored[mask])


def corrected(hospital, item, face, **more):
    grid = read_volume(item.mask)
    wider = face.copy()
    wider[:, 1:] |= face[:, :-1]
    return correct(hospital, item, wider, grid.geometry, PASSED, "me", **more)


def test_a_correction_keeps_what_the_batch_kept_under_the_same_names(batch, kept, parts):
    hospital, release, _options = batch
    item = run(batch)
    assert item.status == "defaced" and stored(release) == []
    assert stored(hospital) == ["case-0001_facemask_kept-1.nii.gz", "case-0001_facemask_kept-2.nii.gz"]
    found = kept_structures(item, open_case(item)[0])
    assert [one.name for one in found] == ["keep 1", "keep 2"]
    for one, mask in zip(found, kept):
        assert np.array_equal(one.whole(mask.shape), mask)
    before = record_of(item)["kept"]
    item = corrected(hospital, item, parts[1])
    after = record_of(item)["kept"]
    assert unchanged(item, kept[1]) and [one["voxels"] for one in after["structures"]] == [mask.sum() for mask in kept]
    assert [one["name"] for one in after["structures"]] == ["keep 1", "keep 2"] and after["spared_ml"] >= before[
        "spared_ml"
    ] > 0
    # And so does the next one.
    item = corrected(hospital, item, parts[1])
    assert unchanged(item, kept[1]) and len(stored(hospital)) == 2 and stored(release) == []


def test_a_correction_may_keep_other_structures_or_none(batch, kept, parts):
    hospital = batch[0]
    item = run(batch)
    item = corrected(hospital, item, parts[1], keep=[Structure.of("GTV", kept[0])])
    assert unchanged(item, kept[0]) and not unchanged(item, kept[1])
    assert [one["name"] for one in record_of(item)["kept"]["structures"]] == ["GTV"]
    # Those of the batch that are kept no more do not lie there as if they were.
    assert stored(hospital) == ["case-0001_facemask_kept-1.nii.gz"]
    (one,) = kept_structures(item, open_case(item)[0])
    assert one.name == "GTV" and np.array_equal(one.whole(kept[0].shape), kept[0])
    item = corrected(hospital, item, parts[1], keep=())
    assert record_of(item)["kept"] is None and stored(hospital) == [] and not unchanged(item, kept[0])


def test_a_case_that_was_stopped_has_its_structures_beside_its_mask_too(batch, kept, parts):
    hospital, release, _options = batch
    half = parts[1].copy()
    half[:, :, : half.shape[2] // 2] = False
    sitk.WriteImage(phantom.image(half.astype(np.uint8)), str(release.parent / "half.nii.gz"))
    item = run(batch, mask=str(release.parent / "half.nii.gz"), override={})
    assert item.status == "blocked" and len(stored(hospital)) == 2
    assert unchanged(corrected(hospital, item, parts[1]), kept[1])


def test_structures_that_are_gone_stop_the_correction_before_anything_changes(batch, kept, parts):
    hospital = batch[0]
    item = run(batch)
    (hospital / "case-0001_facemask_kept-2.nii.gz").unlink()
    released = item.outputs[0].read_bytes()
    with pytest.raises(InputError, match=r"head.nii.gz: .* are not stored \(case-0001_facemask_kept-2.nii.gz is missing\)"):
        corrected(hospital, item, parts[1])
    assert item.outputs[0].read_bytes() == released and load_queue(hospital)[0].review is None
    assert unchanged(corrected(hospital, item, parts[1], keep=[Structure.of("eye", kept[1])]), kept[1])


def test_a_case_in_which_nothing_was_kept_has_nothing_stored(batch):
    item = run(batch, keep=())
    assert stored(batch[0]) == [] and kept_structures(item, open_case(item)[0]) == ()


@pytest.fixture
def study(tmp_path):
    """A study of two series, a mask and a structure; the second series ends below the structure."""
    face = maker.parts()[1]
    for name, part in (("mask", face), ("orbit", structure_in(face, 0))):
        maker.write_mask_of(part, maker.phantom_geometry(), tmp_path / f"{name}.nii.gz")
    study = maker.Study()
    maker.write_series(tmp_path / "in" / "study" / "a", maker.upright(), study, number=1)
    maker.write_series(tmp_path / "in" / "study" / "b", maker.upright(count=40, spacing=6.0, thickness=6.0), study, number=2)
    return tmp_path


def test_a_correction_of_a_study_keeps_them_in_every_series(study):
    options = Options(
        mask=str(study / "mask.nii.gz"), second_opinion=False, override=PASSED, fill="air", keep=(str(study / "orbit.nii.gz"),)
    )
    run_batch(study / "in", study / "out", options)
    hospital = study / "out-hospital-only"
    (item,) = load_queue(hospital)
    names = [f"series_0{number}_facemask_kept-1.nii.gz" for number in (1, 2)]
    assert item.status == "defaced" and stored(hospital) == names and stored(study / "out") == []
    source, mask = open_case(item)
    (one,) = kept_structures(item, source)
    fixed = correct(hospital, item, mask.stored > 0, source.geometry, PASSED)
    assert fixed.review == "corrected" and len(fixed.outputs) == 2 and stored(hospital) == names
    for record in sorted(hospital.rglob("*_record_2.json")):
        (facts,) = record_of(replace(fixed, record=record))["kept"]["structures"]
        assert facts["voxels"] > 0 and facts["spared_ml"] > 0
    again, _mask = open_case(replace(fixed, input=fixed.outputs[0], mask=fixed.mask.parent / "series_01_facemask.nii.gz"))
    inside = one.whole(source.stored.shape)
    assert np.array_equal(again.stored[inside], source.stored[inside])
    assert np.any(again.stored[mask.stored > 0] != source.stored[mask.stored > 0])

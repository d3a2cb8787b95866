"""Both ears go when they are asked to, down to the side of the head, and nothing else does."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage as ndi

from CTADefaceLib import deface, segment_face
from CTADefaceLib.checks.ear_checks import ear_gone
from CTADefaceLib.checks.every import run_checks
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import MaskError
from CTADefaceLib.face.survey import surveyed
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.filling.fill import filled
from CTADefaceLib.head import pinna
from CTADefaceLib.head.ears import SIDES, Ears
from CTADefaceLib.voxels.volume import Geometry, Volume, ras_view

TISSUE_HU = -300


def as_volume(image):
    return Volume(sitk.GetArrayFromImage(image), Geometry.from_image(image), name="head")


@pytest.fixture(scope="module")
def cranium_head(small_cranium):
    return as_volume(small_cranium)


@pytest.fixture(scope="module")
def survey(cranium_head):
    return surveyed(cranium_head)


@pytest.fixture(scope="module")
def face(small_cranium):
    return sitk.GetArrayFromImage(segment_face(small_cranium)) > 0


def side_of_head(ear=True):
    """HU (S, A, L) on the grid of one ear: a round head's side, bone 6 mm below its skin, and a pinna over air behind it."""
    s, a, lateral = np.meshgrid(*(pinna.grid_axis(axis) for axis in range(3)), indexing="ij")
    skin = 75 - ((a + 125) ** 2 + (s - 10) ** 2) / 250
    hu = np.where(lateral < skin, 40, -1000)
    hu[lateral < skin - 6] = 700
    hu[lateral < skin - 12] = 40
    if ear:
        disc = ((s - 8) / 30) ** 2 + ((a + 132) / 16) ** 2 < 1
        hu[disc & (lateral > skin + 14) & (lateral < skin + 19)] = 40
        root = (np.abs(s - 8) < 22) & (np.abs(a + 122) < 4)
        hu[root & (lateral >= skin - 1) & (lateral < skin + 19)] = 40
    return hu.astype(np.float32), skin[..., 0], lateral


def test_the_side_of_a_head_goes_on_below_an_ear_that_hangs_over_air():
    hu, skin, lateral = side_of_head()
    found = pinna.head_side(hu, np.ones(hu.shape, bool))
    stands_out = (hu > TISSUE_HU) & (lateral > skin[..., None] + 2)
    assert found.foot[stands_out.any(-1)].all()
    assert np.abs(found.height - skin)[found.foot].max() < 3.5
    # Hardly more than where the ear is.
    assert found.foot.sum() < 2.5 * stands_out.any(-1).sum()


def test_a_side_without_an_ear_has_no_foot_and_one_outside_of_the_image_is_not_guessed():
    hu, _, _ = side_of_head(ear=False)
    inside = np.ones(hu.shape, bool)
    assert not pinna.head_side(hu, inside).foot.any()
    assert pinna.head_side(np.full_like(hu, -1000), inside) is None


def test_both_ears_of_a_real_head_are_found_as_thin_tissue_beside_it(cranium_head, survey):
    ears = survey.ears
    assert [ear.name for ear in ears.each] == list(SIDES)
    for ear in ears.each:
        assert 2 < cranium_head.geometry.millilitres(ear.tissue.sum()) < 30
    mask = ears.added_to(np.zeros(cranium_head.stored.shape, bool))
    assert (cranium_head.to_hu(cranium_head.stored)[mask] > TISSUE_HU).all()
    assert not ears.taken_from(mask).any()
    # None in the middle of the head.
    points = survey.frame.to_head(
        (np.argwhere(mask)[:, ::-1] @ cranium_head.geometry.affine()[:3, :3].T) + cranium_head.geometry.affine()[:3, 3]
    )
    assert np.abs(points[:, 0]).min() > 45


def test_an_ear_that_is_put_back_is_noticed_and_the_other_passes(cranium_head, survey, face):
    mask = survey.ears.added_to(face)
    stored, value = filled(cranium_head, mask, histogram=survey.histogram, frame=survey.frame, ears=survey.ears)
    assert {ear_gone(name, survey.ears, stored).verdict for name in SIDES} == {"pass"}
    right = survey.ears.of("right_ear")
    back = stored.copy()
    right.part_of(back)[:] = np.where(right.tissue, right.part_of(cranium_head.stored), right.part_of(back))
    checks = {check.name: check for check in run_checks(cranium_head, mask, (back, value), survey, ears=survey.ears)}
    assert checks["right_ear"].verdict == "fail" and checks["left_ear"].verdict == "pass"
    # The place lies in the ear.
    assert survey.frame.to_head(checks["right_ear"].place)[0] > 45


def test_the_face_is_levelled_as_without_ears_and_only_air_and_the_mask_change_beside_them(cranium_head, survey, face):
    mask = survey.ears.added_to(face)
    alone, value = filled(cranium_head, survey.ears.taken_from(mask), frame=survey.frame)
    both, _ = filled(cranium_head, mask, frame=survey.frame, ears=survey.ears)
    assert (both[mask] == value).all()
    more = (both != alone) & ~mask
    assert not (more & ~survey.ears.beside()).any()
    assert (cranium_head.to_hu(cranium_head.stored)[more] <= TISSUE_HU).all()
    checks = {check.name: check.verdict for check in run_checks(cranium_head, mask, (both, value), survey, mask, survey.ears)}
    for name in ("mask_filled", "outside", "vessels", "brain", "bone", *SIDES):
        assert checks[name] == "pass", name


def test_nothing_beside_the_head_tells_where_the_ear_stood(cranium_head, survey, face):
    """Behind the fill lies tissue that stays, or the border of an ellipse that does not follow the ear."""
    mask = survey.ears.added_to(face)
    for ear in survey.ears.each:
        gone = ear.levelled(ear.part_of(mask))
        halo = ear.outside & ~gone & (ear.volume.to_hu(ear.part_of(cranium_head.stored)) <= TISSUE_HU)
        kept = ear.outside & ~gone & ~halo
        # Air that stays lies on a line with tissue that stays.
        assert halo.sum() < 0.2 * gone.sum() and kept.sum() < 0.2 * gone.sum()


def test_deface_with_ears_adds_them_to_a_given_mask_and_without_keeps_them(small_cranium, cranium_head, survey, face):
    given = sitk.GetImageFromArray(face.astype(np.uint8))
    given.CopyInformation(small_cranium)
    reasons = {
        name: "a coarse head"
        for name in (
            "mouth",
            "chin",
            "model_face",
            "residual_skin",
            "nose",
            "brows",
            "forehead",
            "right_jaw",
            "left_jaw",
            "right_cheek",
            "left_cheek",
            "right_eye",
            "left_eye",
            "submental",
            "bone",
        )
    }
    with_ears = deface(small_cranium, given, overrides=reasons, ears=True)
    without = deface(small_cranium, given, overrides=reasons)
    tissue = survey.ears.added_to(np.zeros(face.shape, bool))
    assert (sitk.GetArrayFromImage(with_ears.mask)[tissue] == 1).all()
    assert (sitk.GetArrayFromImage(without.mask) == face).all()
    assert {check.name for check in with_ears.checks} - {check.name for check in without.checks} == set(SIDES)


def test_segment_face_holds_the_ears_when_asked(small_cranium, survey, face):
    both = sitk.GetArrayFromImage(segment_face(small_cranium, ears=True)) > 0
    assert np.array_equal(both, survey.ears.added_to(face))


def test_a_mask_of_ears_alone_is_refused(cranium_head, survey):
    ears_alone = survey.ears.added_to(np.zeros(cranium_head.stored.shape, bool))
    with pytest.raises(MaskError, match="ears only"):
        filled(cranium_head, ears_alone, frame=survey.frame, ears=survey.ears)


def test_where_no_head_is_found_there_are_no_ears(cranium_head):
    ears = Ears(cranium_head, None)
    mask = np.zeros(cranium_head.stored.shape, bool)
    mask[5:9, 5:9, 5:9] = True
    assert np.array_equal(ears.added_to(mask), mask) and not ears.beside().any()
    assert {ear_gone(name, ears, cranium_head.stored).verdict for name in SIDES} == {"not applicable"}


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0)])
def test_the_order_of_the_stored_axes_does_not_matter(cranium_head, survey, order):
    """The same voxels, stored along other axes."""
    geometry = cranium_head.geometry
    axes = [2 - axis for axis in order][::-1]
    turned = Volume(
        np.ascontiguousarray(cranium_head.stored.transpose(order)),
        replace(geometry, spacing=tuple(geometry.spacing[axis] for axis in axes), direction=geometry.direction[:, axes]),
    )
    ears = Ears(turned, survey.frame)
    empty = np.zeros(turned.stored.shape, bool)
    here = ras_view(ears.added_to(empty), turned.geometry)
    there = ras_view(survey.ears.added_to(np.zeros(cranium_head.stored.shape, bool)), geometry)
    assert np.array_equal(here, there)


def test_a_head_that_is_turned_loses_its_ears_too(small_cranium, survey, cranium_head):
    turn = sitk.Euler3DTransform(
        small_cranium.TransformContinuousIndexToPhysicalPoint([size / 2 for size in small_cranium.GetSize()]),
        0.0,
        np.radians(15),
        np.radians(30),
    )
    moved = sitk.Resample(small_cranium, small_cranium, turn, sitk.sitkLinear, -1000)
    tissue = survey.ears.added_to(np.zeros(cranium_head.stored.shape, bool))
    image = sitk.GetImageFromArray(tissue.astype(np.uint8))
    image.CopyInformation(small_cranium)
    expected = sitk.GetArrayFromImage(sitk.Resample(image, small_cranium, turn, sitk.sitkNearestNeighbor, 0)) > 0
    volume = as_volume(moved)
    found = surveyed(volume).ears.added_to(np.zeros(expected.shape, bool))
    expected &= volume.to_hu(volume.stored) > TISSUE_HU
    # All but a voxel's layer at its foot, which is a good part of ears seen every 3 mm.
    assert (found & expected).sum() > 0.8 * expected.sum()
    assert not (ndi.binary_erosion(expected) & ~found).any()


def test_the_shell_takes_the_ears_and_the_record_says_so(small_cranium, tmp_path):
    sitk.WriteImage(small_cranium, str(tmp_path / "head.nii.gz"))
    main(["run", str(tmp_path / "head.nii.gz"), "-o", str(tmp_path / "release"), "--ears", "--quiet"])
    (path,) = (tmp_path / "release-hospital-only").glob("*_record.json")
    record = json.loads(path.read_text())
    assert record["settings"]["ears"] is True
    assert {check["name"]: check["verdict"] for check in record["checks"]}["right_ear"] == "pass"
    (mask,) = (tmp_path / "release-hospital-only").glob("*_facemask*")
    # Of the file's own grid, which holds fewer digits.
    ears = surveyed(read_volume(tmp_path / "head.nii.gz")).ears
    assert read_volume(mask).as_mask()[ears.added_to(np.zeros(ears.volume.stored.shape, bool))].all()

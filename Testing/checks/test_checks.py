"""Each check passes on a good fill of a real head, and fails on a case made to fail it."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.checks.check import TITLES, failed, require_passed
from CTADefaceLib.checks.every import face_left, run_checks
from CTADefaceLib.checks.face_left import FAIL_PATCH_CM2, model_face, residual_skin
from CTADefaceLib.checks.face_picture import face_picture
from CTADefaceLib.checks.place import ras_point
from CTADefaceLib.checks.scan import already_defaced, input_is_ct
from CTADefaceLib.checks.untouched import Changes
from CTADefaceLib.checks.written import written_file
from CTADefaceLib.errors import ChecksFailed, InputError, MaskError
from CTADefaceLib.face.mask import face_mask
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.files.write import write_new
from CTADefaceLib.filling.fill import fill_value, filled
from CTADefaceLib.head.atlas import NOSE_MM
from CTADefaceLib.head.pose import locate
from CTADefaceLib.head.view import HeadView
from CTADefaceLib.network.host import NetworksHere
from CTADefaceLib.voxels.morphology import bounding_box
from CTADefaceLib.voxels.volume import Volume, ras_view
from gate import as_volume
from sabotage import FaceOf, turned


class Case:
    """The public cranium at its own resolution, the engine's mask, and a fill that tests may spoil."""

    def __init__(self, volume, mask):
        self.volume, self.mask = volume, mask
        self.stored = filled(volume, mask, "levelled")[0]

    def checks(self, mask=None, stored=None, fill="levelled"):
        stored = self.stored if stored is None else stored
        found = run_checks(self.volume, self.mask if mask is None else mask, (stored, fill_value(self.volume, fill)))
        return {check.name: check for check in found}

    def without(self, axis, low, high):
        """The mask without a part of its extent along an axis of its RAS view, and its fill's checks."""
        mask = self.mask.copy()
        view = ras_view(mask, self.volume.geometry)
        box = list(bounding_box(view))
        start, size = box[axis].start, box[axis].stop - box[axis].start
        box[axis] = slice(start + int(low * size), start + int(np.ceil(high * size)))
        view[tuple(box)] = False
        return self.checks(mask, filled(self.volume, mask, "levelled")[0])

    def spoilt(self, index, value):
        """Checks after the voxels ``index`` of the RAS view of the defaced volume became ``value``."""
        stored = self.stored.copy()
        ras_view(stored, self.volume.geometry)[index] = value
        return self.checks(stored=stored)


@pytest.fixture(scope="module")
def case(cranium):
    volume = read_volume(cranium)
    return Case(volume, face_mask(volume, NetworksHere()))


def verdicts(checks):
    return {name: check.verdict for name, check in checks.items()}


# The public cranium ends at the upper lip; no model was asked.
OUT_OF_VIEW = {"chin", "submental", "model_face"}
WHEN_ASKED = {"right_ear", "left_ear", "kept"}


def test_a_good_fill_passes_every_check_and_names_what_is_out_of_view(case):
    seen = verdicts(case.checks())
    assert {seen.pop(name) for name in OUT_OF_VIEW} == {"not applicable"} and seen.pop("field_of_view") == "warn"
    assert set(seen.values()) == {"pass"}
    assert set(seen) | OUT_OF_VIEW | {"field_of_view", "written_file", "identity"} | WHEN_ASKED == set(TITLES)
    require_passed(case.checks().values())


@pytest.mark.parametrize("fill", ["percentile", "published", "air", -900.0])
def test_the_other_fills_pass_too(case, fill):
    assert failed(case.checks(stored=filled(case.volume, case.mask, fill)[0], fill=fill).values()) == []


@pytest.mark.parametrize("fill", ["levelled", "air"])
def test_a_shell_of_the_face_leaves_the_same_face_farther_back_and_is_stopped(case, fill):
    hu = case.volume.to_hu(case.volume.stored)
    outside, _ = ndi.label(ndi.binary_opening(hu < -500, iterations=2))
    air = outside == 1 + np.bincount(outside.ravel())[1:].argmax()
    shell = case.mask & (ndi.distance_transform_edt(~air, case.volume.geometry.spacing[::-1]) <= 2)
    checks = case.checks(shell, filled(case.volume, shell, fill)[0], fill)
    assert {"nose", "residual_skin"} <= {check.name for check in failed(checks.values())}


def test_a_fill_that_looks_like_tissue_is_stopped(case):
    checks = case.checks(stored=filled(case.volume, case.mask, 55.0)[0], fill=55.0)
    assert "looks like tissue" in checks["mask_filled"].text
    assert {"mask_filled", "nose", "residual_skin"} <= {check.name for check in failed(checks.values())}


def test_changes_are_counted_by_several_threads_at_once():
    changes, hit = Changes(tuple), np.ones((2, 2, 2), bool)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: changes.note("bone", hit, slice(n, n + 2), 0), range(4000)))
    finally:
        sys.setswitchinterval(interval)
    assert changes.bone == 4000 * hit.size


def test_nothing_filled_is_noticed(case):
    checks = case.checks(stored=case.volume.stored)
    assert {check.name for check in failed(checks.values())} == {
        "mask_filled",
        "residual_skin",
        "forehead",
        "brows",
        "right_eye",
        "left_eye",
        "nose",
        "right_cheek",
        "left_cheek",
        "mouth",
        "right_jaw",
        "left_jaw",
    }
    assert checks["residual_skin"].value > 100 and checks["nose"].value == 0.0


@pytest.mark.parametrize(
    "part, names",
    [
        ((0, 0.0, 0.4), {"nose", "mouth"}),
        ((0, 0.55, 1.0), {"forehead"}),
        ((2, 0.0, 0.5), {"left_cheek", "left_eye", "residual_skin"}),
        ((2, 0.5, 1.0), {"right_cheek", "right_eye", "residual_skin"}),
    ],
)
def test_a_part_of_the_face_left_is_noticed_where_it_is(case, part, names):
    checks = case.without(*part)
    assert names <= {check.name for check in failed(checks.values())}
    if part[0] == 2:
        # The place to look at lies on the side that was left: R is positive in RAS.
        middle = case.volume.geometry.affine()[:3] @ [127, 127, 50, 1]
        assert (checks["residual_skin"].place[0] > middle[0]) == (part[1] == 0.5)


def test_without_a_head_only_a_person_can_say_that_the_face_is_gone(case):
    random = np.random.default_rng(1)
    rock = ndi.gaussian_filter(random.normal(size=(60, 60, 60)), 4) > 0
    volume = Volume(
        np.where(rock, 40, -1000).astype(np.int16),
        type(case.volume.geometry).from_affine(np.diag([4.0, 4.0, 4.0, 1.0])),
        name="rock",
    )
    mask = np.zeros(rock.shape, bool)
    mask[20:40, 40:, 10:50] = True
    checks = {c.name: c for c in run_checks(volume, mask, filled(volume, mask, "air"))}
    assert checks["head_found"].verdict == "fail" and "look at the whole face yourself" in checks["head_found"].text
    assert {checks[name].verdict for name in ("nose", "left_eye", "residual_skin", "mask_place")} == {"not applicable"}


@pytest.mark.parametrize("degrees", [(25, 0, 0), (0, -25, 0), (0, 0, 25), (-40, 0, 0)])
def test_a_turned_head_is_judged_as_an_upright_one(case, degrees):
    """Degrees about (superior, anterior, right); the cranium on every second voxel in the plane."""
    spacing = tuple(np.multiply(case.volume.geometry.ras_spacing(), (1, 2, 2)))
    hu, mask = (
        np.ascontiguousarray(ras_view(array, case.volume.geometry)[:, ::2, ::2]) for array in (case.volume.stored, case.mask)
    )
    face = FaceOf(hu, mask, spacing)
    kept = mask & ~face.near(2, -8, 0, 22)
    arrays = turned([hu, mask.view(np.uint8), kept.view(np.uint8)], [0, 0, 0], [-2048, 0, 0], spacing, degrees)
    volume = as_volume(arrays[0], spacing)
    frame = locate(volume)
    assert abs(frame.turned_degrees - max(map(abs, degrees))) < 12
    good, spoilt = (array > 0 for array in arrays[1:])
    for given, wrong in ((good, set()), (spoilt, {"model_face"})):
        after, value = filled(volume, given, frame=frame)
        found = {check.name for check in failed(run_checks(volume, given, (after, value), proposal=good))}
        assert found >= wrong and bool(found) == bool(wrong)


@pytest.fixture(scope="module")
def rests(case):
    """``rests(kept)``: (residual_skin, model_face) of a mask without the part ``kept(face)``; the model's own is whole."""
    face = FaceOf(
        case.volume.ras(), np.ascontiguousarray(ras_view(case.mask, case.volume.geometry)), case.volume.geometry.ras_spacing()
    )
    frame = locate(case.volume)

    def judged(kept):
        mask = np.zeros_like(case.mask)
        ras_view(mask, case.volume.geometry)[:] = face.mask & ~kept(face)
        left = face_left(case.volume, filled(case.volume, mask, "percentile")[0], frame)
        return residual_skin(left), model_face(left, case.mask)

    return judged


def test_a_rest_of_two_square_centimetres_at_the_tip_of_the_nose_is_stopped_also_without_a_model(rests):
    skin, opinion = rests(lambda face: face.near(2, -4, 0, 8))
    assert (skin.verdict, opinion.verdict) == ("fail", "fail")
    # Too small for a patch elsewhere: it is stopped because every face goes there.
    assert 1.5 < skin.value < FAIL_PATCH_CM2 and "nearly every face" in skin.text
    assert np.linalg.norm(np.subtract(skin.place, opinion.place)) < 10


def test_a_mask_that_ends_a_little_lower_on_the_forehead_than_the_models_is_as_good(rests):
    skin, opinion = rests(lambda face: _above(face, 9.0))
    assert (skin.verdict, opinion.verdict) == ("pass", "pass")


def test_a_mask_that_ends_far_lower_on_the_forehead_is_not(rests):
    assert rests(lambda face: _above(face, 30.0))[1].verdict == "fail"


def test_a_large_rest_is_stopped_also_where_faces_end_in_many_heads(rests, monkeypatch):
    # No limit for small patches here, nor for what the average head knows.
    monkeypatch.setattr("CTADefaceLib.checks.face_left.FAIL_MODEL_CM2", np.inf)
    assert rests(lambda face: _above(face, 9.0))[1].verdict == "pass"
    opinion = rests(lambda face: _above(face, 45.0))[1]
    assert opinion.verdict == "fail" and opinion.value > 2


def _above(face, mm):
    """The upper ``mm`` of a face."""
    return face.place[0] > face.place[0].ravel()[np.flatnonzero(face.mask.any((1, 2))).max()] - mm


def test_one_voxel_of_the_mask_left_is_noticed(case):
    stored = case.stored.copy()
    index = tuple(np.argwhere(case.mask)[1000])
    stored[index] = 40
    check = case.checks(stored=stored)["mask_filled"]
    assert check.verdict == "fail" and check.value == 1
    assert np.allclose(check.place, case.volume.geometry.affine()[:3] @ [*index[::-1], 1], atol=1e-6)


def test_one_voxel_changed_behind_the_face_is_noticed(case):
    s, _a, _ = np.argwhere(ras_view(case.mask, case.volume.geometry)).mean(0).astype(int)
    before = case.volume.ras()[s, 60, 128]
    checks = case.spoilt((s, 60, 128), before + 1)
    assert checks["outside"].verdict == "fail" and checks["outside"].value == 1
    assert np.allclose(checks["outside"].place, ras_point((s, 60, 128), case.volume))
    top = case.volume.stored.shape[0] - 1
    assert case.spoilt((top, 250, 5), 33)["outside"].value == 1


def test_brain_bone_and_vessels_changed_are_noticed(case):
    view = case.volume.ras()
    # Above the face, in the middle of the head.
    brain = (slice(80, 90), slice(110, 130), slice(110, 140))
    checks = case.spoilt(brain, -1000)
    assert checks["brain"].verdict == "fail" and checks["brain"].value > 5 and checks["outside"].value > 5000
    bone = np.argwhere(view[80:92] > 600).T
    checks = case.spoilt((bone[0] + 80, bone[1], bone[2]), -1000)
    assert checks["bone"].verdict == "fail" and checks["bone"].value > 20
    # An artery with contrast, drawn into the scan and lost in the fill.
    volume = Volume(case.volume.stored.copy(), case.volume.geometry, name="artery")
    ras_view(volume.stored, volume.geometry)[80:90, 118:121, 118:121] = 350
    found = {c.name: c for c in run_checks(volume, case.mask, (case.stored, fill_value(case.volume)))}
    assert found["vessels"].verdict == "fail" and found["vessels"].value == 90


def test_a_mask_of_another_size_or_place_is_noticed(case):
    tiny = np.zeros_like(case.mask)
    tiny[40:44, 100:110, 100:110] = True
    assert case.checks(tiny)["mask_size"].verdict == "fail"
    everything = np.ones_like(case.mask)
    assert case.checks(everything)["mask_size"].verdict == "fail"
    behind = np.zeros_like(case.mask)
    ras_view(behind, case.volume.geometry)[20:60, 20:60, 60:200] = True
    check = case.checks(behind)["mask_place"]
    assert check.verdict == "fail" and check.value < 0.1


def test_a_defaced_head_is_recognised_whatever_the_fill(case):
    view = HeadView(case.volume, locate(case.volume))
    assert already_defaced(view).verdict == "pass"
    for fill in ("levelled", "published", "air"):
        after = Volume(filled(case.volume, case.mask, fill)[0], case.volume.geometry)
        assert already_defaced(HeadView(after, locate(after))).verdict == "fail"


def test_values_that_are_not_hu_are_noticed(case):
    assert input_is_ct(case.volume).verdict == "pass"
    shifted = Volume(case.volume.stored + np.int16(200), case.volume.geometry)
    assert input_is_ct(shifted).verdict == "fail"
    scaled = Volume((case.volume.stored // 8).astype(np.int16), case.volume.geometry)
    assert input_is_ct(scaled).verdict == "fail"


@pytest.mark.parametrize("order", ["RAS", "LPS", "SAL", "PIR"])
def test_the_answer_does_not_depend_on_how_the_volume_is_stored(case, order):
    import SimpleITK as sitk

    from CTADefaceLib.voxels.volume import Geometry

    def turned(array):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(case.volume.geometry.spacing)
        image.SetOrigin(case.volume.geometry.origin)
        image.SetDirection(np.ravel(case.volume.geometry.direction).tolist())
        image = sitk.DICOMOrient(image, order)
        return sitk.GetArrayFromImage(image), Geometry.from_image(image)

    stored, geometry = turned(case.volume.stored)
    volume = Volume(stored, geometry)
    assert np.allclose(locate(volume).to_ras(NOSE_MM), locate(case.volume).to_ras(NOSE_MM), atol=4)
    mask, after = turned(case.mask.astype(np.uint8))[0] > 0, turned(case.stored)[0]
    checks = run_checks(volume, mask, (after, fill_value(volume)))
    assert failed(checks) == []
    unfilled = run_checks(volume, mask, (stored, fill_value(volume)))
    place = next(c.place for c in unfilled if c.name == "nose")
    assert np.linalg.norm(np.subtract(place, case.checks(stored=case.volume.stored)["nose"].place)) < 15


def test_a_file_that_is_not_what_was_meant_is_noticed(case, tmp_path):
    path = tmp_path / "a.nii.gz"
    write_new(case.stored, case.volume.geometry, path)
    assert written_file(path, case.volume, case.stored).verdict == "pass"
    other = case.stored.copy()
    other[3, 4, 5] += 1
    check = written_file(path, case.volume, other)
    assert check.verdict == "fail" and check.value == 1
    assert written_file(path, case.volume, case.stored.astype(np.int32)).verdict == "fail"
    moved = Volume(
        case.volume.stored,
        type(case.volume.geometry)(case.volume.geometry.spacing, (9.0, 0.0, 0.0), case.volume.geometry.direction),
    )
    assert written_file(path, moved, case.stored).verdict == "fail"
    path.write_bytes(path.read_bytes()[:-5000])
    assert written_file(path, case.volume, case.stored).verdict == "fail"


def test_only_a_reason_opens_the_gate(case):
    checks = list(case.checks(stored=case.volume.stored).values())
    names = [check.name for check in failed(checks)]
    with pytest.raises(ChecksFailed, match="residual_skin") as caught:
        require_passed(checks, dict.fromkeys(names[:-1], "seen"))
    assert [check.name for check in caught.value.checks] == names[-1:]
    require_passed(checks, dict.fromkeys(names, "seen"))
    with pytest.raises(InputError, match="needs a reason"):
        require_passed(checks, dict.fromkeys(names, "  "))
    with pytest.raises(InputError, match="no such check"):
        require_passed(checks, {"everything": "hurry"})


def test_an_empty_or_foreign_mask_is_an_error(case):
    with pytest.raises(MaskError, match="empty"):
        case.checks(np.zeros_like(case.mask))
    with pytest.raises(MaskError, match="own"):
        case.checks(case.mask[1:])


def test_the_picture_marks_what_is_left_where_it_is(case):
    frame = locate(case.volume)
    gone = face_picture(face_left(case.volume, case.stored, frame)).astype(int)
    left = face_picture(face_left(case.volume, case.volume.stored, frame)).astype(int)

    def red(picture):
        return picture[..., 0] > 2 * picture[..., 2] + 20

    assert gone.shape == left.shape and red(left).sum() > 20 * (red(gone).sum() + 1)
    # Upright, from the front: the face is in the middle of the middle view, and the borders are empty.
    third = left.shape[1] // 3
    columns = np.flatnonzero(red(left[:, third : 2 * third]).any(0))
    assert abs(columns.mean() - third / 2) < 10 and (left[:, [0, -1]] == 255).all()

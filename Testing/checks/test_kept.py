"""Structures that are kept: never changed, and what face is left because of them is said or stops the case."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.cases.prepare import fill_scan, with_ears
from CTADefaceLib.checks.check import failed
from CTADefaceLib.checks.every import face_left
from CTADefaceLib.checks.kept_check import shown_skin
from CTADefaceLib.errors import MaskError
from CTADefaceLib.face.mask import face_mask
from CTADefaceLib.face.survey import surveyed
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.network.host import NetworksHere
from CTADefaceLib.release.outgoing import CaseMask, Outgoing, Scan
from CTADefaceLib.voxels.kept import kept_of, kept_on
from CTADefaceLib.voxels.volume import Geometry, Volume, ras_view
from gate import as_volume
from sabotage import FaceOf, turned


class Head:
    """The public cranium, every second voxel in the plane, and the engine's mask."""

    def __init__(self, path):
        whole = read_volume(path)
        geometry = Geometry.from_affine(whole.geometry.affine() @ np.diag([2.0, 2.0, 1.0, 1.0]))
        self.volume = Volume(np.ascontiguousarray(whole.stored[:, ::2, ::2]), geometry, name="cranium")
        self.scan = Scan(self.volume, surveyed(self.volume))
        self.mask = face_mask(self.volume, NetworksHere())
        self.hu = self.volume.to_hu(self.volume.stored)
        mask = np.ascontiguousarray(ras_view(self.mask, self.volume.geometry))
        self.up, self.forward, self.right = FaceOf(self.volume.ras(), mask, self.volume.geometry.ras_spacing()).place

    def ball(self, up, forward, right, mm):
        """A ball around a place in mm from the tip of the nose, bool (k, j, i)."""
        ball = (self.up - up) ** 2 + (self.forward - forward) ** 2 + (self.right - right) ** 2 <= mm**2
        mask = np.zeros_like(self.mask)
        ras_view(mask, self.volume.geometry)[:] = ball
        return mask

    def block(self, low, high):
        """The part of the mask in a box, (up, forward, right) mm from the tip of the nose."""
        part, axes = np.ones(1, bool), (self.up, self.forward, self.right)
        for place, first, last in zip(axes, low, high):
            part = part & (place >= first) & (place < last)
        mask = np.zeros_like(self.mask)
        ras_view(mask, self.volume.geometry)[:] = part
        return mask & self.mask

    def case(self, keep, fill="levelled", mask=None, ears=False):
        mask = with_ears(self.mask if mask is None else mask, self.scan.survey, ears)
        face = CaseMask(mask, "model", None, mask, ears=ears, kept=kept_of(keep, self.volume))
        return Outgoing(self.scan, face, *fill_scan(self.scan, face, fill), fill)


@pytest.fixture(scope="module")
def head(cranium):
    return Head(cranium)


def by_name(case):
    return {check.name: check for check in case.checks}


@pytest.fixture(scope="module")
def deep(head):
    """The fat and muscle behind an eye, which reach into the mask."""
    return head.ball(25, -45, 30, 12)


@pytest.mark.parametrize(
    "fill, ears", [("levelled", False), ("levelled", True), ("percentile", False), ("published", False), (40.0, False)]
)
def test_kept_voxels_stay_and_all_others_are_as_without_keeping(head, fill, ears):
    # From the air in front of the nose to deep in the neck, with an ear.
    keep = head.ball(-10, 0, 0, 25) | head.ball(-60, -40, 0, 20) | head.ball(0, -100, -75, 30)
    kept, without = (head.case(keep if given else None, fill, ears=ears) for given in (True, False))
    assert np.array_equal(kept.stored[keep], head.volume.stored[keep])
    assert np.array_equal(kept.stored[~keep], without.stored[~keep])
    assert (without.stored != head.volume.stored)[keep & ~kept.mask].any() == (fill != "published")
    checks = by_name(kept)
    assert {checks[name].verdict for name in ("outside", "vessels", "brain")} == {"pass"}
    assert checks["mask_filled"].verdict == ("fail" if fill == 40.0 else "pass") and checks["mask_filled"].value == 0


def test_an_orbit_deep_inside_is_kept_without_a_fail(head, deep):
    checks = by_name(head.case({"orbit": deep}))
    assert not failed(checks.values()) and checks["kept"].value < 1.5
    assert checks["kept"].text.startswith("orbit: ") and "0.0 ml" not in checks["kept"].text


def test_a_structure_far_from_the_face_is_harmless(head):
    case = head.case({"node": head.ball(-20, -120, 20, 10)})
    checks = by_name(case)
    assert checks["kept"].verdict == "pass" and checks["kept"].value == 0 and "0.0 ml" in checks["kept"].text
    assert np.array_equal(case.stored, head.case(None).stored)


def test_without_structures_nobody_is_told_of_them(head):
    assert "kept" not in by_name(head.case(None))


def test_kept_skin_is_told_once_where_it_is(head):
    checks = by_name(head.case({"nose": head.ball(0, 0, 0, 12), "behind it": head.ball(0, -40, 0, 10)}))
    assert [check.name for check in failed(checks.values())] == ["kept"]
    assert (
        "because of nose (" in checks["kept"].text
        and np.linalg.norm(np.subtract(checks["kept"].place, _tip(head))) < 20
        and checks["kept"].value > 3
    )


def _tip(head):
    index = np.argwhere(head.ball(0, 0, 0, 2)).mean(0)
    return (head.volume.geometry.affine() @ [*index[::-1], 1])[:3]


def test_a_small_piece_of_whole_skin_where_every_face_goes_is_too_much(head):
    check = by_name(head.case({"tip": head.ball(0, 0, 0, 8)}))["kept"]
    assert check.verdict == "fail" and 1.5 < check.value < 3


def test_skin_that_the_mask_takes_beyond_most_faces_counts_too(head):
    check = by_name(head.case({"graft": head.block((82, -70, -40), (99, 99, 40))}))["kept"]
    assert check.verdict == "fail" and check.text.endswith("because of graft.")
    # Also what is only shaved, at the rear of a cheek.
    under = ndi.distance_transform_edt(head.hu > -500, head.volume.geometry.spacing[::-1]) > 5
    case = head.case({"graft": head.block((-46, -115, -95), (50, -85, -50)) & under})
    face = face_left(head.volume, case.stored, head.scan.survey.frame, case.face.kept)
    shown, area = shown_skin(face, head.mask, case.face.kept)
    assert area[shown & (face.zone == 0)].sum() > 4


def test_a_little_kept_skin_warns(head):
    check = by_name(head.case({"tip": head.ball(0, 0, 0, 5)}))["kept"]
    assert check.verdict == "warn" and 0 < check.value < 1.5


def test_other_skin_that_is_left_still_fails(head):
    side = head.mask.copy()
    ras_view(side, head.volume.geometry)[:] &= np.broadcast_to(head.right < 20, side.shape)
    checks = by_name(head.case({"node": head.ball(-20, -120, 20, 10)}, mask=side))
    assert {"right_cheek", "residual_skin"} <= {check.name for check in failed(checks.values())}


def test_kept_skin_counts_with_other_skin_that_is_left_beside_it(head):
    """On the forehead neither of the two is too large by itself."""
    keep = {"graft": head.block((56, -60, -24), (66, 99, 0))}
    hole = head.mask & ~head.block((56, -60, 0), (66, 99, 24))
    cases = (keep, None), (None, hole), (keep, hole)
    seen = [by_name(head.case(one, "percentile", mask)) for one, mask in cases]
    assert [seen[0]["kept"].verdict, seen[1]["residual_skin"].verdict] == ["warn", "pass"]
    # The hole in the mask is told by a check of its own.
    stopped = [{check.name for check in failed(checks.values())} - {"enclosed_skin"} for checks in seen]
    assert stopped == [set(), set(), {"kept"}] and seen[0]["enclosed_skin"].verdict == "pass"


@pytest.mark.parametrize("what", ["body", "all", "inverted", "face"])
def test_the_bodys_contour_and_inverted_masks_are_refused(head, deep, what):
    keep = {"body": head.hu > -300, "all": head.hu > -9999, "inverted": ~deep, "face": head.mask}[what]
    with pytest.raises(MaskError, match=f"External: .* more than half of the face mask of {head.volume.name}"):
        head.case({"small": deep, "External": keep})


def test_half_a_body_and_the_air_in_front_of_the_skin_fail(head):
    half = np.zeros_like(head.mask)
    ras_view(half, head.volume.geometry)[:] = np.broadcast_to(head.right < -5, half.shape)
    for keep in (half & (head.hu > -300), head.hu < -500):
        check = by_name(head.case(keep))["kept"]
        assert check.verdict == "fail" and check.value > 100


def test_a_kept_voxel_that_changed_or_a_face_that_was_kept_whole_fails(head, deep):
    case = head.case(deep)
    spoilt = case.stored.copy()
    spoilt[tuple(np.argwhere(deep)[7])] += 1
    checks = by_name(replace(case, stored=spoilt))
    assert {"kept", "outside"} <= {check.name for check in failed(checks.values())} and "1 voxels changed" in checks[
        "kept"
    ].text
    whole = replace(case, face=replace(case.face, kept=kept_of(head.mask, head.volume)), stored=head.volume.stored)
    assert "more than half" in by_name(whole)["kept"].text and by_name(whole)["kept"].verdict == "fail"


def test_an_ear_that_is_kept_is_no_ear_that_is_gone(head):
    ears = with_ears(head.mask, head.scan.survey, True) & ~head.mask
    checks = by_name(head.case({"ears": ears}, ears=True))
    assert {"right_ear", "left_ear", "kept"} & {check.name for check in failed(checks.values())}


def test_on_a_slanted_head_the_rest_is_judged_as_without_keeping(head):
    spacing = head.volume.geometry.ras_spacing()
    arrays = [
        np.ascontiguousarray(ras_view(array, head.volume.geometry))
        for array in (head.volume.stored, head.mask.view(np.uint8), head.ball(-12, -20, 35, 14).view(np.uint8))
    ]
    hu, mask, keep = turned(arrays, [0, 0, 0], [-2048, 0, 0], spacing, (0, 0, 25))
    volume = as_volume(hu, spacing)
    scan, kept = Scan(volume, surveyed(volume)), kept_on(volume, [("parotid", keep > 0)])
    face = CaseMask(mask > 0, "model", None, mask > 0, kept=kept)
    stored, value = fill_scan(scan, face, "levelled")
    checks = by_name(Outgoing(scan, face, stored, value, "levelled"))
    assert (stored[mask > 0] != hu[mask > 0]).any() and checks["outside"].verdict == "pass"
    assert {check.name for check in failed(checks.values())} <= {"kept"}


def test_what_is_empty_or_of_another_shape_is_refused(head):
    with pytest.raises(MaskError, match="nothing: what is to be kept is empty"):
        kept_of({"nothing": np.zeros_like(head.mask)}, head.volume)
    with pytest.raises(MaskError, match="keep 2: has"):
        kept_of([head.mask, np.ones((3, 3, 3), bool)], head.volume)

"""Skin that is left in the middle of gone skin is found, also where the head's frame is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from CTADefaceLib.checks.enclosed_skin import enclosed_skin
from CTADefaceLib.checks.every import face_left
from CTADefaceLib.face.mask import face_mask
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.filling.fill import filled
from CTADefaceLib.head.frame import rotation
from CTADefaceLib.head.pose import locate
from CTADefaceLib.network.host import NetworksHere
from CTADefaceLib.voxels.volume import ras_view
from gate import as_volume
from sabotage import FaceOf


@pytest.fixture(scope="module")
def judged(cranium):
    """``judged(kept, frame, fill)``: the check of the engine's mask without ``kept(face)``, seen in ``frame(right one)``."""
    whole = read_volume(cranium)
    spacing = tuple(np.multiply(whole.geometry.ras_spacing(), (1, 2, 2)))
    volume = as_volume(np.ascontiguousarray(ras_view(whole.stored, whole.geometry)[:, ::2, ::2]), spacing)
    face = FaceOf(volume.stored, face_mask(volume, NetworksHere()), spacing)
    found = locate(volume)

    def check(kept=lambda face: np.False_, frame=lambda right: right, fill="levelled"):
        after, _ = filled(volume, face.mask & ~kept(face), fill, frame=found)
        return enclosed_skin(face_left(volume, after, frame(found)))

    return check


def _above(face, mm):
    """The upper ``mm`` of a face."""
    return face.place[0] > face.place[0].ravel()[np.flatnonzero(face.mask.any((1, 2))).max()] - mm


def _frame_off(right):
    """A frame that is wrong by 15 degrees and 10 mm."""
    matrix, middle = right.matrix.copy(), np.array([0.0, -90.0, 15.0])
    matrix[:3, :3] = rotation(np.radians([15.0, 0.0, 0.0])) @ matrix[:3, :3]
    matrix[:3, 3] = middle + [0, 10, 0] - matrix[:3, :3] @ right.to_ras(middle)
    return replace(right, matrix=matrix)


def test_a_whole_mask_passes(judged):
    assert judged().verdict == "pass" and judged(fill="air").verdict == "pass"
    assert judged(frame=_frame_off).verdict == "pass"


@pytest.mark.parametrize("mm", [10.0, 25.0])
def test_a_mask_that_ends_lower_has_no_notch(judged, mm):
    assert judged(lambda face: _above(face, mm)).verdict == "pass"


@pytest.mark.parametrize(
    "place", [(30, -25, 30), (2, -4, 0), (60, -20, 0), (14, -35, -40)], ids=["right eye", "nose", "forehead", "left cheek"]
)
@pytest.mark.parametrize("frame", [lambda right: right, _frame_off], ids=["frame", "wrong frame"])
def test_a_hole_is_found_also_in_a_wrong_frame(judged, place, frame):
    check = judged(lambda face: face.near(*place, 18), frame, "air")
    assert check.verdict == "fail" and check.value > 1.5


def test_a_notch_at_the_border_is_found(judged):
    """Half of the ball lies beyond the upper border of the mask."""
    check = judged(lambda face: _above(face, 20.0) & (np.abs(face.place[2]) < 14))
    assert check.verdict == "fail" and check.place is not None


def test_skin_shaved_by_a_hair_is_left(judged):
    """Half a millimetre off the skin of an eye's surroundings hides nothing."""
    assert judged(lambda face: face.near(30, -25, 30, 16) & (face.below_skin > 0.5), fill="air").verdict == "fail"

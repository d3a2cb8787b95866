"""The head's frame is found in a real head that ends at the upper lip, also where the image was turned into empty corners."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.files.read import read_volume
from CTADefaceLib.head.cuts import beyond, cuts
from CTADefaceLib.head.frame import angle_degrees
from CTADefaceLib.head.pose import locate
from CTADefaceLib.head.samples import samples
from CTADefaceLib.head.skin import Skin
from CTADefaceLib.head.view import HeadView
from gate import AIR_HU, as_volume
from sabotage import turn_matrix, turned

STEP_MM = 2.0
# Degrees about (superior, anterior, right), as for ``turned``.
PADDED_HU = -2048
TURNS = {"chin up": (0, 0, -25), "chin down": (0, 0, 25), "tilted": (0, 20, 0), "all": (-20, -15, -15)}


def volume_of(hu):
    return as_volume(hu, (STEP_MM,) * 3)


@pytest.fixture(scope="module")
def upright(cranium):
    """HU (S, A, R) of the public cranium in voxels of 2 mm."""
    volume = read_volume(cranium)
    zoom = [mm / STEP_MM for mm in volume.geometry.ras_spacing()]
    return ndi.zoom(np.clip(volume.to_hu(volume.ras()), -1024, 3071).astype(np.float32), zoom, order=1).astype(np.int16)


def in_empty_corners(hu, degrees, corners=AIR_HU):
    """(``Volume`` of the head turned about the middle into a larger image of ``corners`` HU, 3x3 of the turn in RAS)."""
    (array,) = turned([hu], [1], [corners], (STEP_MM,) * 3, degrees)
    return volume_of(array), turn_matrix(degrees)[::-1, ::-1]


@pytest.mark.parametrize("corners", [AIR_HU, PADDED_HU])
@pytest.mark.parametrize("degrees", TURNS.values(), ids=TURNS)
def test_a_head_cut_at_the_lip_is_found_turned_in_an_image_with_empty_corners(upright, degrees, corners):
    true = locate(volume_of(upright))
    volume, turn = in_empty_corners(upright, degrees, corners)
    frame = locate(volume)
    assert frame is not None
    assert angle_degrees(frame.axes @ (true.axes @ turn.T).T) < 12
    assert len(frame.cuts) == 1
    assert angle_of(frame.cuts[0][:3], turn @ [0, 0, -1]) < 2


def angle_of(one, other):
    return np.degrees(np.arccos(np.clip(one @ other, -1, 1)))


@pytest.mark.parametrize("corners", [AIR_HU, PADDED_HU])
def test_the_cut_is_no_skin(upright, corners):
    volume, turn = in_empty_corners(upright, TURNS["chin up"], corners)
    frame = locate(volume)
    skin = Skin(HeadView(volume, frame))
    down = turn @ [0, 0, -1]
    away = frame.to_ras(skin.points) @ down
    # Skin reaches down to the cut, which lies where the body of the turned image ends.
    body = np.argwhere(volume.stored > -300)[:, ::-1] * STEP_MM
    end = (body @ down).max()
    assert 0 < end - away.max() < 12
    facing = (skin.normals @ frame.axes) @ -down > 0.95
    assert np.count_nonzero(facing & (away > end - 8)) < 0.02 * len(away)


def test_an_image_that_ends_with_the_head_has_no_cuts(upright):
    assert len(locate(volume_of(upright)).cuts) == 0


def test_a_ball_has_no_cuts_and_a_ball_of_bone_and_brain_cut_in_the_middle_has_one():
    axes = np.meshgrid(*[np.arange(-75, 75) * STEP_MM] * 3, indexing="ij")
    away = np.sqrt(sum(axis**2 for axis in axes))
    ball = np.where(away < 85, 40, np.where(away < 92, 900, AIR_HU)).astype(np.int16)
    assert len(cuts_of(ball)) == 0
    normal = np.array([0.0, 0.6, -0.8])
    end = 20 + normal @ np.full(3, 150.0)
    half = np.where(axes[1] * normal[1] + axes[0] * normal[2] > 20, AIR_HU, ball).astype(np.int16)
    (plane,) = cuts_of(half)
    assert angle_of(plane[:3], normal) < 1
    assert abs(plane[3] - end) < 1.5
    assert beyond(plane[None], np.array([(end + 5) * normal, (end - 5) * normal])).tolist() == [True, False]


def cuts_of(hu):
    volume = volume_of(hu)
    return cuts(volume, samples(volume))

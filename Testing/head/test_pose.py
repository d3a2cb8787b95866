"""The head's frame is found in a real head that ends at the upper lip, also where the image was turned into empty corners."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.files.read import read_volume
from CTADefaceLib.head.cuts import beyond, cuts
from CTADefaceLib.head.frame import angle_degrees, rotation
from CTADefaceLib.head.pose import locate
from CTADefaceLib.head.samples import samples
from CTADefaceLib.head.skin import Skin
from CTADefaceLib.head.view import HeadView
from CTADefaceLib.voxels.volume import Geometry, Volume

AIR_HU = -1000
STEP_MM = 2.0
# Degrees about the head's right (pitch), anterior (roll) and superior (yaw).
TURNS = {"chin up": (25, 0, 0), "chin down": (-25, 0, 0), "tilted": (0, 20, 0), "all": (15, -15, 20)}


def volume_of(hu):
    return Volume(hu, Geometry.from_affine(np.diag([STEP_MM] * 3 + [1.0])), name="head")


@pytest.fixture(scope="module")
def upright(cranium):
    """HU (S, A, R) of the public cranium in voxels of 2 mm."""
    volume = read_volume(cranium)
    zoom = [mm / STEP_MM for mm in volume.geometry.ras_spacing()]
    return ndi.zoom(np.clip(volume.to_hu(volume.ras()), -1024, 3071).astype(np.float32), zoom, order=1).astype(np.int16)


def turned(hu, degrees):
    """(``Volume`` of the head turned about the middle into a larger image of -1000 HU, 3x3 of the turn in RAS)."""
    x, y, z = (rotation(np.radians(angle) * axis) for angle, axis in zip(degrees, np.eye(3)))
    turn = z @ y @ x
    around, shape = turn[::-1, ::-1], np.array(hu.shape)
    corners = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1)
    size = np.ceil(np.ptp(corners @ around.T, axis=0)).astype(int) + 1
    offset = (shape - 1) / 2 - around.T @ ((size - 1) / 2)
    return volume_of(ndi.affine_transform(hu, around.T, offset, tuple(size), order=1, cval=AIR_HU, prefilter=False)), turn


@pytest.mark.parametrize("degrees", TURNS.values(), ids=TURNS)
def test_a_head_cut_at_the_lip_is_found_turned_in_an_image_with_empty_corners(upright, degrees):
    true = locate(volume_of(upright))
    volume, turn = turned(upright, degrees)
    frame = locate(volume)
    assert frame is not None
    assert angle_degrees(frame.axes @ (true.axes @ turn.T).T) < 12
    assert len(frame.cuts) == 1
    assert angle_of(frame.cuts[0][:3], turn @ [0, 0, -1]) < 2


def angle_of(one, other):
    return np.degrees(np.arccos(np.clip(one @ other, -1, 1)))


def test_the_cut_is_no_skin(upright):
    volume, turn = turned(upright, TURNS["chin up"])
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

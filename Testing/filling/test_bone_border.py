"""Below the jaw the levelled fill ends where bone says, whatever the shape of the skin was."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.checks.untouched import find_changes
from CTADefaceLib.filling.bone_border import DEEPEST_MM, before_bone
from CTADefaceLib.filling.fill import filled
from CTADefaceLib.head.face_lines import BELOW_MM, FaceLines
from CTADefaceLib.head.frame import Frame, rotation
from CTADefaceLib.voxels.volume import Geometry, Volume, foremost, ras_view

MM = 2.0
SHAPE = 90, 80, 70
# The mask ends so far under the skin.
DEPTH_MM = 8.0
JAW_LOW, JAW_HIGH = 40, 50


def jaw(fullness_mm, tilt=0.0):
    """(Volume, mask, bone) of a jaw, a spine and the soft tissue around and below them.

    ``fullness_mm``: how far the skin hangs below the jaw; ``tilt``: more to one side, in mm per mm.
    """
    s, a, r = np.indices(SHAPE) * MM
    middle = SHAPE[2] * MM / 2
    beside = np.abs(r - middle)
    # An arch that opens backwards: its front at 130 mm, its halves up to 32 mm from the middle.
    arch = 130 - (beside / 32) ** 2 * 65
    bone = (s >= JAW_LOW * MM) & (s < JAW_HIGH * MM) & (np.abs(a - arch) < 6) & (a > 60)
    bone |= np.hypot(a - 30, r - middle) < 12
    skin_below = JAW_LOW * MM - fullness_mm - tilt * (r - middle) + np.maximum(0, 100 - a) * -0.7
    tissue = (a < arch + 16) & (beside < 56) & (a > 4) & (s > skin_below) & (s < 170)
    tissue |= np.hypot(a - 40, r - middle) < 34
    inner = ndi.distance_transform_edt(tissue, MM) > DEPTH_MM
    face = tissue & ~inner & ~bone & (a > 62) & (s > JAW_LOW * MM - 30)
    hu = np.where(bone, 900, np.where(tissue, 50, -1000)).astype(np.int16)
    hu += np.random.default_rng(3).normal(0, 8, SHAPE).astype(np.int16)
    return Volume(hu, Geometry.from_affine(np.diag([MM] * 3 + [1.0]))), face, bone


def turned(array, turn, fill, order=0):
    """``array`` (S, A, R) turned about its middle by a rotation of RAS mm."""
    matrix = turn[::-1, ::-1].T
    middle = (np.array(array.shape) - 1) / 2
    return ndi.affine_transform(array, matrix, middle - matrix @ middle, order=order, cval=fill, prefilter=False)


def frame_of(turn):
    """The ``Frame`` of a jaw that was turned about the middle of its image."""
    middle = (np.array(SHAPE[::-1]) - 1) / 2 * MM
    matrix = np.eye(4)
    matrix[:3, :3] = turn.T
    # The chin's place in the average head.
    matrix[:3, 3] = (0, -90, -40) - turn.T @ middle
    return Frame(matrix, 1.0)


def lowest_left(volume, mask, turn=None):
    """(A, R) mm of the lowest tissue that the levelled fill leaves in the columns below the floor of the mouth."""
    if turn is None:
        after = filled(volume, mask, "levelled")[0]
    else:
        there = Volume(turned(volume.stored, turn, -1000, order=1), volume.geometry)
        after = turned(filled(there, turned(mask, turn, False), "levelled", frame=frame_of(turn))[0], turn.T, -1000)
    left = ndi.binary_opening(ras_view(after, volume.geometry)[20:JAW_HIGH] > -300)
    lowest = (left.shape[0] - 1 - foremost(left[::-1].transpose(1, 0, 2))) * MM
    return lowest[50:58, 28:43]


@pytest.mark.parametrize("shapes", [((14.0, 0.0), (22.0, 0.0)), ((18.0, 0.3), (18.0, -0.3))])
def test_border_below_the_jaw_is_the_same_for_another_skin(shapes):
    first, second = (jaw(*shape) for shape in shapes)
    assert np.array_equal(first[2], second[2])
    borders = [lowest_left(volume, mask) for volume, mask, _ in (first, second)]
    skin = [
        np.where((v.ras() > -300), np.arange(SHAPE[0])[:, None, None], 999).min(0)[50:58, 28:43] * MM
        for v, *_ in (first, second)
    ]
    assert np.abs(skin[0] - skin[1]).mean() >= 3
    assert np.abs(borders[0] - borders[1]).mean() < 0.5


@pytest.mark.parametrize("degrees", [(20, 0, 0), (-25, 0, 0), (0, 20, 0), (0, 0, 25), (15, 15, -15)])
def test_border_below_the_jaw_of_a_turned_head_is_the_same_for_another_skin(degrees):
    first, second = jaw(14.0), jaw(22.0)
    turn = rotation(np.radians(degrees))
    assert not FaceLines(first[0], turned(first[1], turn, False), frame_of(turn)).straight
    borders = [lowest_left(volume, mask, turn) for volume, mask, _ in (first, second)]
    # Half a voxel is what turning there and back costs.
    assert np.abs(borders[0] - borders[1]).mean() < 1.0


def test_bone_and_what_lies_behind_it_stay_and_the_checks_agree():
    volume, mask, bone = jaw(20.0)
    after, value = filled(volume, mask, "levelled")
    changed = after != volume.stored
    beyond = changed & ~mask & (volume.stored > -300)
    assert beyond.any() and not (changed & bone).any()
    # No farther behind the mask than it says, with the size of a cell.
    far = ndi.distance_transform_edt(~mask, MM) > DEEPEST_MM + 2 * 4
    assert not (beyond & far).any()
    # The spine, and all that lies at its depth.
    assert not (beyond & (np.arange(SHAPE[1]) * MM < 62)[:, None]).any()
    changes = find_changes(volume, after, mask, value)
    assert changes.outside == changes.bright == changes.bone == 0


@pytest.mark.parametrize("fill", ["percentile", "published", "air"])
def test_other_fills_take_the_mask_alone(fill):
    volume, mask, _ = jaw(20.0)
    changed = filled(volume, mask, fill)[0] != volume.stored
    assert not (changed & ~mask & (volume.stored > -300)).any()


def test_without_bone_nothing_more_goes():
    volume, mask, _ = jaw(20.0)
    soft = Volume(np.minimum(volume.stored, 100), volume.geometry)
    lines, face = FaceLines(soft, mask), ras_view(mask, soft.geometry)
    assert not before_bone(lines, face, lines.planes(face)).hit.any()


def test_skin_right_below_the_mask_goes_too_and_none_below_the_lowest_plane():
    volume, mask, _ = jaw(34.0)
    # It ends above the lowest skin.
    mask[: JAW_LOW - 8] = False
    after, value = filled(volume, mask, "levelled")
    lost = (after != volume.stored) & ~mask & (volume.stored > -300)
    lowest = np.flatnonzero(mask.any((1, 2)))[0]
    assert find_changes(volume, after, mask, value).outside == 0
    assert lost[lowest - 4 : lowest].any()
    assert not lost[: lowest - int(BELOW_MM / MM)].any()

"""Growing masks: the same voxels as SciPy's, on any shape and at every border."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.voxels.morphology import beside, bounding_box, depth_below_ball, narrowed, near, opened, widened, within
from CTADefaceLib.voxels.volume import foremost, in_front

SHAPES = [(9, 14, 11), (1, 6, 5), (4, 2, 3)]


@pytest.fixture(params=SHAPES, ids=str)
def mask(request):
    """Pieces of all sizes, some at the border."""
    random = np.random.default_rng(3)
    return ndi.binary_dilation(random.random(request.param) > 0.93) | (random.random(request.param) > 0.8)


def test_neighbours_are_what_a_dilation_adds(mask):
    assert np.array_equal(mask | beside(mask), ndi.binary_dilation(mask))


def test_opening_takes_the_outside_for_more_of_the_same(mask):
    wanted = ndi.binary_dilation(ndi.binary_erosion(mask, border_value=1))
    assert np.array_equal(opened(mask), wanted) and not np.array_equal(opened(mask), mask)


@pytest.fixture(params=SHAPES, ids=str)
def few(request):
    """A voxel in a corner and one inside."""
    result = np.zeros(request.param, bool)
    result.flat[[0, result.size // 2 + 2]] = True
    return result


@pytest.mark.parametrize("reach", [(2, 2, 2), (0, 1, 4), (5, 6, 7), (20, 20, 20)])
def test_widening_is_a_dilation_by_a_box(few, reach):
    wanted = ndi.binary_dilation(few, np.ones([2 * n + 1 for n in reach], bool))
    assert np.array_equal(widened(few, reach), wanted)
    assert np.array_equal(near(few, 2.0, [2.0 / max(n, 0.1) for n in reach]), wanted)


@pytest.mark.parametrize("reach", [(1, 1, 1), (0, 1, 1), (0, 1, 4), (20, 20, 20)])
def test_narrowing_is_an_erosion_by_a_box_with_nothing_beyond_the_border(few, reach):
    box = np.ones([2 * n + 1 for n in reach], bool)
    assert np.array_equal(narrowed(~few, reach), ndi.binary_erosion(~few, box))
    whole = np.ones_like(few)
    assert np.array_equal(narrowed(whole, reach), ndi.binary_erosion(whole, box))


@pytest.mark.parametrize("distance", [0.5, 3.0, 4.2, 50.0])
def test_distances_are_those_of_the_whole_array(few, distance):
    spacing = 1.5, 0.7, 1.0
    assert np.array_equal(within(few, distance, spacing), ndi.distance_transform_edt(~few, spacing) <= distance)


def test_bounding_box_holds_all_and_no_more(mask):
    box = bounding_box(mask)
    assert mask[box].sum() == mask.sum()
    assert all(mask[box].any(tuple(a for a in range(3) if a != axis))[[0, -1]].all() for axis in range(3))
    assert all(b.start >= 0 and b.stop <= n for b, n in zip(bounding_box(mask, (1, 5, 0)), mask.shape))
    assert bounding_box(np.zeros_like(mask)) is None


def test_what_lies_in_front_of_the_foremost_voxel_is_empty(mask):
    front = in_front(foremost(mask), mask.shape[1])
    assert not (front & mask).any() and front[:, :, 0].shape == mask.shape[:2]
    # Wherever a line holds a voxel, all that is not in front reaches up to that voxel.
    lines = mask.any(1)
    assert np.array_equal((~front).sum(1)[lines], foremost(mask)[lines] + 1) and front.all(1)[~lines].all()


def test_a_ball_rests_on_two_walls_and_does_not_reach_the_ground_between_them():
    there = np.zeros((40, 60, 5), bool)
    there[:10] = True
    there[:20, 20:24] = there[:20, 36:40] = True
    depth = depth_below_ball(there, 15.0, (1.0, 1.0, 1.0))
    covered = depth > 15
    assert covered[there].all() and not covered[21:].any()
    # Over a gap 12 mm wide a ball of 15 mm sags by 15 - sqrt(15 ** 2 - 6.5 ** 2) mm.
    assert covered[:18, 30, 2].all() and not covered[19:, 30, 2].any()
    assert not covered[16:, 10].any() and np.isinf(depth_below_ball(np.ones((4, 4, 4), bool), 9.0, (1, 1, 1))).all()

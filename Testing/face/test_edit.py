"""Quick corrections of a mask."""

import numpy as np
import pytest

from CTADefaceLib.face.edit import grown, largest_piece, shrunk, without_bone


@pytest.fixture
def cube():
    mask = np.zeros((12, 20, 20), bool)
    mask[4:8, 8:12, 8:12] = True
    return mask


def test_growing_reaches_so_many_millimetres_along_each_axis(cube):
    result = grown(cube, 2.0, (2.0, 1.0, 0.5))
    used = [np.flatnonzero(result.any(tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    assert [(u[0], u[-1]) for u in used] == [(3, 8), (6, 13), (4, 15)]
    assert (result & cube).sum() == cube.sum()


def test_growing_is_at_least_one_voxel_and_undone_by_shrinking(cube):
    result = grown(cube, 1.0, (3.0, 3.0, 3.0))
    assert result.sum() > cube.sum()
    assert np.array_equal(shrunk(result, 1.0, (3.0, 3.0, 3.0)), cube)


def test_shrinking_does_not_eat_from_the_border_of_the_volume():
    mask = np.ones((5, 5, 5), bool)
    mask[:, :, 4] = False
    result = shrunk(mask, 1.0, (1, 1, 1))
    assert result[:, :, :3].all() and not result[:, :, 3:].any()


def test_empty_masks_stay_empty():
    empty = np.zeros((4, 4, 4), bool)
    assert not grown(empty, 2, (1, 1, 1)).any() and not largest_piece(empty).any()


def test_largest_piece_and_bone(cube):
    dotted = cube.copy()
    dotted[0, 0, 0] = True
    assert np.array_equal(largest_piece(dotted), cube)
    hu = np.where(np.arange(20) < 10, 100, 700)[None, None, :] * np.ones(cube.shape)
    assert np.array_equal(without_bone(cube, hu), cube & (hu < 300))


@pytest.mark.parametrize("spacing", [(1.0, 0.5, 0.7), (3.0, 1.0, 1.0)])
def test_growing_and_shrinking_are_distances_to_the_mask(spacing):
    from scipy import ndimage as ndi

    mask = ndi.gaussian_filter(np.random.default_rng(3).random((20, 24, 22)), 2) > 0.5
    inside, outside = (ndi.distance_transform_edt(m, spacing) for m in (mask, ~mask))
    assert np.array_equal(grown(mask, 2.0, spacing), outside <= 2.0 + 1e-5)
    assert np.array_equal(shrunk(mask, 2.0, spacing), inside > 2.0 + 1e-5)

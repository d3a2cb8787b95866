"""Voxels in cells of about 1 mm, and slabs of planes on every core."""

import numpy as np
import pytest

from CTADefaceLib.voxels.cells import Cells, expand
from CTADefaceLib.voxels.slabs import for_slabs

SHAPE, SPACING = (23, 10, 37), (0.4, 1.0, 0.5)


@pytest.fixture
def mask():
    return np.random.default_rng(1).random(SHAPE) > 0.9


def brute(mask, steps):
    """Voxels per cell, counted one by one."""
    counts = np.zeros([-(-n // s) for n, s in zip(mask.shape, steps)], int)
    for voxel in np.argwhere(mask):
        counts[tuple(voxel // steps)] += 1
    return counts


def test_cells_are_about_a_millimetre():
    assert Cells(SHAPE, SPACING).steps == (2, 1, 2)
    assert Cells(SHAPE, (1.0, 3.0, 0.2)).steps == (1, 1, 5)


@pytest.mark.parametrize("spacing", [SPACING, (0.1, 0.1, 0.2), (1.0, 1.2, 3.0)])
def test_counts_are_those_counted_one_by_one(mask, spacing):
    cells = Cells(SHAPE, spacing)
    wanted = brute(mask, cells.steps)
    assert np.array_equal(cells.count(mask), wanted)
    assert np.array_equal(cells.any(mask), wanted > 0)
    assert np.array_equal(cells.capacity(), brute(np.ones(SHAPE, bool), cells.steps))
    assert cells.shape == wanted.shape


def test_slabs_and_spreading_cover_every_voxel_once(mask):
    cells = Cells(SHAPE, SPACING)
    counts, back = np.zeros(cells.shape, int), np.zeros(SHAPE, int)
    numbers = np.arange(np.prod(cells.shape)).reshape(cells.shape)

    def work(planes, rows):
        counts[rows] += cells.count(mask[planes])
        back[planes] += cells.spread(numbers, planes)

    cells.for_slabs(work)
    assert np.array_equal(counts, brute(mask, cells.steps))
    for voxel in np.argwhere(mask):
        assert back[tuple(voxel)] == numbers[tuple(voxel // cells.steps)]


def test_expand_takes_the_nearest_sample():
    coarse = np.arange(4)[:, None, None] * np.ones((4, 1, 1))
    wide = expand(coarse, (3, 1, 1), (slice(1, 10), slice(0, 1), slice(0, 1)))
    assert wide[:, 0, 0].tolist() == [0, 1, 1, 1, 2, 2, 2, 3, 3]


def test_an_error_in_a_slab_is_raised():
    def fail(planes):
        raise ValueError(planes.start)

    with pytest.raises(ValueError):
        for_slabs(fail, 40)

"""Labelmaps are told from scans by their voxels: made ones, and real heads as careless exports leave them."""

import numpy as np
import pytest

from CTADefaceLib.files.read import read_volume
from CTADefaceLib.voxels.labelmap import is_labelmap
from CTADefaceLib.voxels.volume import Geometry, Volume

GRID = Geometry((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def volume(voxels, slope=1.0, intercept=0.0):
    return Volume(np.asarray(voxels), GRID, slope, intercept)


@pytest.fixture(scope="module")
def labels():
    """Five organs of some voxels each."""
    found = np.zeros((30, 40, 50), np.uint8)
    for label in range(1, 6):
        found[4 * label : 4 * label + 3, 5:30, 8 * label : 8 * label + 6] = label
    return found


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_labels_of_any_type(labels, dtype):
    assert is_labelmap(volume(labels.astype(dtype)))
    assert is_labelmap(volume((labels > 0).astype(dtype)))
    # 0 and 1 with a slope, as some programs save a mask.
    assert is_labelmap(volume((labels > 0).astype(np.uint8) * 255, 1 / 255))


def test_what_is_no_labelmap(labels):
    noise = np.random.default_rng(0).integers(0, 9, labels.shape).astype(np.uint8)
    assert not is_labelmap(volume(labels * 0)) and not is_labelmap(volume(labels * 0 + 1))
    assert not is_labelmap(volume(labels.astype(np.int16) - 1000)), "air is negative"
    assert not is_labelmap(volume(labels / 10)), "parts of one"
    assert not is_labelmap(volume(labels.astype(np.int16) * 100)), "large numbers"
    assert not is_labelmap(volume(noise)) and not is_labelmap(volume(noise + np.uint8(200)))


@pytest.mark.parametrize("low, high", [(-1000, 1000), (-160, 240), (0, 80), (-1000, 3000)])
def test_a_head_in_eight_bits_is_an_image_that_somebody_has_to_export_again(cranium, low, high):
    head = read_volume(cranium)
    grey = (np.clip((head.to_hu(head.stored) - low) / (high - low), 0, 1) * 254).astype(np.uint8)
    assert not is_labelmap(volume(grey)) and not is_labelmap(volume(grey + np.uint8(1)))
    assert is_labelmap(volume(grey > 127))

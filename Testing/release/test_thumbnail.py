"""The small picture of a case before and after: the synthetic head, stored in several directions."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.files.png import png_bytes
from CTADefaceLib.release.thumbnail import GAP_PIXELS, MOST_PIXELS, thumbnail
from CTADefaceLib.voxels.volume import Geometry, Volume


def panels(picture):
    """Front before and after, slice before and after."""
    gaps = np.flatnonzero((picture == 255).all(0))
    assert len(gaps) == 3 * GAP_PIXELS
    return [part[:, ~(part == 255).all(0)] for part in np.split(picture, gaps[1::GAP_PIXELS], axis=1)]


def defaced(head, mask):
    return np.where(mask, -1000, head.stored).astype(np.int16)


def test_it_shows_what_was_removed(head, parts):
    mask = np.ascontiguousarray(parts[1])
    picture = thumbnail(head, defaced(head, mask), mask)
    assert picture.dtype == np.uint8 and picture.shape[0] <= MOST_PIXELS
    front, front_after, side, side_after = panels(picture)
    assert front.shape == front_after.shape and side.shape == side_after.shape
    assert (front != front_after).mean() > 0.02 and (side != side_after).mean() > 0.02
    same = panels(thumbnail(head, head.stored, mask))
    assert np.array_equal(same[0], same[1]) and np.array_equal(same[2], same[3])
    # The face looks to the left, and air surrounds the head.
    changed = np.argwhere(side != side_after)[:, 1].mean()
    assert changed < np.argwhere(side_after > 0)[:, 1].mean() and side[0, 0] == front[0, 0] == 0


@pytest.mark.parametrize("order", [(2, 1, 0), (0, 2, 1)])
def test_the_order_of_stored_axes_changes_nothing(head, parts, order):
    """Stored with other axes first, and one of them backwards."""
    mask = np.ascontiguousarray(parts[1])
    expected = thumbnail(head, defaced(head, mask), mask)

    def turned(array):
        return np.ascontiguousarray(array.transpose(order)[::-1])

    image = sitk.GetImageFromArray(head.stored)
    image.SetSpacing(head.geometry.spacing)
    image.SetOrigin(head.geometry.origin)
    image.SetDirection(np.ravel(head.geometry.direction))
    axes = [2 - order[2 - axis] for axis in range(3)]
    image = sitk.Flip(sitk.PermuteAxes(image, axes), [False, False, True])
    other = replace(head, stored=turned(head.stored), geometry=Geometry.from_image(image))
    assert np.array_equal(sitk.GetArrayFromImage(image), other.stored)
    picture = thumbnail(other, turned(defaced(head, mask)), turned(mask))
    assert picture.shape == expected.shape and (picture != expected).mean() < 0.02


def test_any_grid_gives_a_small_picture():
    for shape, spacing in (((3, 400, 300), (1.0, 1.0, 40.0)), ((900, 20, 20), (0.2, 0.2, 2.0)), ((2, 2, 2), (9.0, 9.0, 9.0))):
        volume = Volume(np.zeros(shape, np.int16), Geometry(spacing, (0.0, 0.0, 0.0), np.eye(3)))
        picture = thumbnail(volume, volume.stored, np.zeros(shape, bool))
        assert max(picture.shape[0], picture.shape[1] // 4) <= MOST_PIXELS and picture.size


@pytest.mark.parametrize("shape", [(7, 11), (7, 11, 3)], ids=["grey", "RGB"])
def test_it_is_a_png(tmp_path, shape):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png_bytes(picture))
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.png"))), picture)

"""What stands where the face was."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.errors import InputError, MaskError
from CTADefaceLib.filling import fill
from CTADefaceLib.voxels.volume import Geometry, Volume
from helpers import phantom


@pytest.fixture
def padded(head):
    """The head with 30 % padding of -3024 beside it, and a mask over face and some padding."""
    stored = head.stored.copy()
    stored[:, :, :20] = -3024
    mask = np.zeros(stored.shape, bool)
    mask[20:40, 40:70, 10:50] = True
    return Volume(stored, head.geometry, name="padded"), mask


def test_percentile_ignores_padding_and_published_does_not(padded):
    volume, _ = padded
    body = volume.stored[volume.stored != -3024]
    assert fill.fill_value(volume, "percentile") == np.percentile(body, 10) == phantom.AIR
    assert fill.fill_value(volume, "published") == np.percentile(volume.stored, 10) == -3024


@pytest.mark.parametrize("kind, value", [("percentile", -1000), ("air", -1000), (-55.4, -55), ("12", 12)])
def test_only_the_mask_changes_and_padding_stays(padded, kind, value):
    volume, mask = padded
    before = volume.stored.copy()
    result, filled_with = fill.filled(volume, mask, kind)
    assert filled_with == value
    padding = before == -3024
    assert np.array_equal(volume.stored, before)
    assert np.array_equal(result[~mask], before[~mask])
    assert np.array_equal(result[padding], before[padding])
    assert np.all(result[mask & ~padding] == value)
    assert result.dtype == before.dtype


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32])
def test_histogram_and_sort_give_numpys_percentile(head, dtype):
    stored = np.random.default_rng(5).integers(0, 3000, head.stored.shape).astype(dtype)
    volume = Volume(stored, head.geometry, slope=1.0, intercept=-1024.0)
    expected = volume.from_hu(np.percentile(stored, 10) - 1024)
    assert fill.fill_value(volume, "published") == expected


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_falling_scale_gives_the_same_percentile(head, dtype):
    noisy = (head.stored + np.random.default_rng(3).normal(0, 20, head.stored.shape)).astype(dtype)
    rising, falling = Volume(noisy, head.geometry), Volume(-noisy, head.geometry, slope=-1.0)
    for kind in ("percentile", "published"):
        assert falling.to_hu(fill.fill_value(falling, kind)) == pytest.approx(fill.fill_value(rising, kind), abs=1)


def test_a_background_of_padding_alone_is_filled_with_air_and_not_with_tissue(head):
    stored = np.where(head.stored == phantom.AIR, -2000, head.stored).astype(np.int16)
    volume = Volume(stored, head.geometry)
    assert np.percentile(stored[stored != -2000], 10) > -300
    assert fill.fill_value(volume, "percentile") == fill.fill_value(volume, "levelled") == -1000


def test_published_fills_the_whole_mask(padded):
    volume, mask = padded
    assert np.all(fill.filled(volume, mask, "published")[0][mask] == -3024)


def test_slope_and_intercept_are_used(head):
    stored = ((head.stored.astype(int) + 1024) // 2).astype(np.uint16)
    volume = Volume(stored, head.geometry, slope=2.0, intercept=-1024.0)
    assert fill.fill_value(volume, "air") == 12
    assert fill.fill_value(volume, -5000) == 0


def test_unknown_fill_empty_and_foreign_masks_are_refused(head):
    with pytest.raises(InputError, match="unknown fill"):
        fill.parse_fill("black")
    with pytest.raises(InputError, match="unknown fill"):
        fill.parse_fill("nan")
    with pytest.raises(MaskError, match="empty"):
        fill.filled(head, np.zeros(head.stored.shape, bool))
    with pytest.raises(MaskError, match="own grid"):
        fill.filled(head, np.ones((3, 3, 3), bool))


@pytest.mark.parametrize(
    "kind, goes", [("percentile", True), ("air", True), (-900, True), ("levelled", True), ("published", False)]
)
def test_layer_of_less_than_half_skin_goes_with_the_mask_and_stays_thin(kind, goes):
    hu, face, _, _ = (part.copy() for part in phantom.head_parts())
    beside = (hu == phantom.AIR) & ndi.binary_dilation(face)
    hu[beside] = -650
    beyond = (hu == phantom.AIR) & ndi.binary_dilation(beside)
    hu[beyond] = -660
    volume = Volume(hu, Geometry.from_affine(np.diag([phantom.SPACING_MM] * 3 + [1.0])))
    output, value = fill.filled(volume, face, kind)
    assert (output[beside] == value).all() == goes
    assert kind == "levelled" or (output[beyond] == -660).all()

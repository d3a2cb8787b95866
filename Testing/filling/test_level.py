"""The irreversible fill: what it levels, and what it must leave alone."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.errors import MaskError
from CTADefaceLib.filling.fill import filled
from CTADefaceLib.voxels.volume import Geometry, Volume, ras_view
from helpers import phantom

SPACING = phantom.SPACING_MM


def volume_of(hu, flips=(1, 1, 1)):
    """The (S, A, R) array as a volume stored along RAS, or against it where ``flips`` is -1."""
    affine = np.diag([f * SPACING for f in flips] + [1.0])
    return Volume(np.ascontiguousarray(hu[tuple(slice(None, None, f) for f in flips[::-1])]), Geometry.from_affine(affine))


def noisy(hu, seed=1):
    return (hu + np.random.default_rng(seed).normal(0, 15, hu.shape)).astype(np.int16)


def test_nothing_in_front_of_the_face_varies_any_more(parts):
    hu, face, _, _ = parts
    volume = volume_of(noisy(hu))
    output, value = filled(volume, face, "levelled")
    lines = face.any(1)
    for s, r in np.argwhere(lines)[::37]:
        foremost = np.flatnonzero(face[s, :, r])[-1]
        assert (output[s, foremost:, r] == value).all()


def test_outer_border_is_planes_that_do_not_follow_the_face(parts):
    hu, face, _, _ = parts
    region = phantom.levelled(volume_of(hu), face)
    used = np.flatnonzero(face.any((1, 2)))
    slices = np.flatnonzero(region.any((1, 2)))
    assert slices[0] <= used[0] - 6 and slices[-1] >= min(used[-1] + 3, len(face) - 1)
    # To the front it reaches the edge of the image everywhere, at all heights and from side to side.
    assert region[slices[0] : slices[-1] + 1, -1, :].all()
    rear = np.flatnonzero(region.any((0, 2)))[0]
    beside = region[used[0] : used[-1], :, 0]
    assert (beside[:, rear:]).all() and not beside[:, :rear].any()


def test_kept_tissue_bone_and_brain_are_bit_identical(parts):
    hu, face, brain, bone = parts
    volume = volume_of(noisy(hu))
    output, _ = filled(volume, face, "levelled")
    changed = output != volume.stored
    assert not (changed & (brain | bone)).any()
    tissue = (hu > -300) & ~face
    # Below the jaw soft tissue goes with it, up to 20 mm from the mask and 60 mm above its lowest slice.
    lowest = np.flatnonzero(face.any((1, 2)))[0]
    low = (np.arange(len(face)) < lowest + 21)[:, None, None]
    below_jaw = (ndi.distance_transform_edt(~face, phantom.SPACING_MM) <= 24) & low
    assert not (changed & tissue & ~below_jaw).any() and (changed & tissue).sum() * 0.027 < 30
    rear = np.flatnonzero(face.any((0, 2)))[0]
    assert not changed[:, : rear - 3].any()


@pytest.mark.parametrize("flips", [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, -1)])
def test_storage_order_does_not_matter(parts, flips):
    hu, face, _, _ = parts
    wanted = phantom.levelled(volume_of(hu), face)
    volume = volume_of(hu, flips)
    mask = np.ascontiguousarray(face[tuple(slice(None, None, f) for f in flips[::-1])])
    assert np.array_equal(ras_view(phantom.levelled(volume, mask), volume.geometry), wanted)


def test_device_and_streak_in_front_go_too(parts):
    hu, face, _, _ = parts
    hu = hu.copy()
    front = np.flatnonzero(face.any((0, 2)))[-1]
    device, streak = (slice(28, 33), slice(front + 3, front + 5), slice(20, 44)), (slice(20, 40), slice(front + 2, None), 30)
    hu[device], hu[streak] = 900, -600
    output, value = filled(volume_of(hu), face, "levelled")
    assert (output[device] == value).all() and (output[streak] == value).all()


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1)])
def test_padding_outside_of_the_scanners_circle_stays(parts, flips):
    hu, face, _, _ = parts
    hu = hu.copy()
    a, r = (np.arange(n) - (n - 1) / 2 for n in hu.shape[1:])
    outside = np.hypot(a[:, None], r) > 39
    hu[:, outside] = -3024
    volume = volume_of(hu, flips)
    output, value = filled(volume, face[tuple(slice(None, None, f) for f in flips[::-1])], "levelled")
    assert outside.any() and (ras_view(output, volume.geometry)[:, outside] == -3024).all() and value == phantom.AIR


@pytest.mark.parametrize("kept_air", [0, 2])
@pytest.mark.parametrize("padding", [-2000, -3024])
def test_padding_around_the_head_does_not_keep_its_outline(parts, padding, kept_air):
    hu, face, _, _ = parts
    hu = hu.copy()
    outside = ndi.label(hu == phantom.AIR)[0] == 1
    hu[ndi.binary_erosion(outside, iterations=kept_air) if kept_air else outside] = padding
    output, value = filled(volume_of(hu), face, "levelled")
    assert value == phantom.AIR
    lines = np.argwhere(face.any(1))
    assert all((output[s, np.flatnonzero(face[s, :, r])[-1] :, r] == value).all() for s, r in lines)


def test_nor_does_padding_around_a_head_that_is_small_in_its_image(parts):
    """As a child's in a field of view of 500 mm: there all but few voxels beside the head are padding."""
    hu, face, _, _ = parts
    around = ((0, 0), (90, 90), (90, 90))
    outside = ndi.label(hu == phantom.AIR)[0] == 1
    output, value = filled(
        volume_of(np.pad(np.where(outside, -3024, hu), around, constant_values=-3024)), np.pad(face, around), "levelled"
    )
    front = output[:, 90 + np.flatnonzero(face.any((0, 2)))[-1] :]
    assert value == phantom.AIR and (front[np.flatnonzero(face.any((1, 2)))] == value).all()


def test_mask_that_looks_backwards_is_refused_before_it_destroys_the_head(parts):
    hu, face, _, _ = parts
    turned = volume_of(hu[:, ::-1, ::-1])
    with pytest.raises(MaskError, match="does not look to anterior"):
        filled(turned, np.ascontiguousarray(face[:, ::-1, ::-1]), "levelled")


def test_small_rest_of_skin_that_the_mask_has_left_goes_too(parts):
    hu, face, _, _ = parts
    hollow = face.copy()
    front = np.flatnonzero(face[30, :, 32])[-1]
    hollow[29:32, front - 1 : front + 1, 30:35] = False
    output, value = filled(volume_of(hu), hollow, "levelled")
    assert (output[29:32, front - 1 : front + 1, 30:35] == value).all()


def test_teeth_that_touch_the_mask_stay(parts):
    hu, face, _, bone = parts
    deep = face.copy()
    jaw = np.argwhere(bone[22])[:, 0].max()
    # The lips were missed: bone is the foremost thing that is not air, with mask behind it.
    deep[:, jaw + 1 :, :] = False
    output, _ = filled(volume_of(hu), deep, "levelled")
    assert np.array_equal(output[bone], hu[bone])

"""Slices before and after: where things appear, that storage order does not matter, and that the mask is outlined."""

from itertools import pairwise

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.rendering.slices import GAP_PIXELS, OUTLINE, slice_pairs
from CTADefaceLib.voxels.images import to_volume
from helpers import phantom

AIR = -1000


def pairs(orientation="RAS", rotation_deg=0.0, mark=None):
    """The synthetic head's slices, filled with air; ``mark`` (s, a, r slices) becomes bright bone that stays."""
    hu, face = phantom.head_parts()[:2]
    hu, face = hu.copy(), face.copy()
    if mark is not None:
        hu[mark], face[mark] = 1000, False
    image, mask = (phantom.image(array, orientation, rotation_deg) for array in (hu, face.astype(np.uint8)))
    volume, inside = to_volume(image), sitk.GetArrayFromImage(mask) > 0
    return slice_pairs(volume, inside, np.where(inside, AIR, volume.stored).astype(np.int16))


def halves(pair):
    half = (len(pair.picture) - GAP_PIXELS) // 2
    return pair.picture[:half].astype(int), pair.picture[-half:].astype(int)


def is_outline(picture):
    return (picture == OUTLINE).all(2)


def test_three_axial_from_above_and_three_sagittal_from_the_right_with_the_same_outline_before_and_after():
    found = pairs()
    assert [pair.plane for pair in found] == ["axial"] * 3 + ["sagittal"] * 3
    assert all(a.at_mm > b.at_mm for group in (found[:3], found[3:]) for a, b in pairwise(group))
    for pair in found:
        before, after = halves(pair)
        edge = is_outline(before)
        assert np.array_equal(edge, is_outline(after)) and 100 < edge.sum() < 0.2 * edge.size
        # Tissue within the outline became air; what changed is not seen elsewhere.
        darker = (before.sum(2) - after.sum(2) > 100) & ~edge
        assert darker.sum() > 200 and not (after.sum(2) - before.sum(2) > 0).any()
        assert (before[..., 0] == before[..., 1])[~edge].all()
    assert found[0].caption == f"axial, S {found[0].at_mm:.0f} mm"


def test_anterior_is_up_in_axial_slices_and_left_in_sagittal_ones():
    for pair in pairs():
        before, after = halves(pair)
        gone = np.argwhere((before - after).sum(2) > 100)
        stays = np.argwhere((after.min(2) > 0) & ~is_outline(after))
        axis = 0 if pair.plane == "axial" else 1
        assert gone.mean(0)[axis] < stays.mean(0)[axis] - 20


def test_the_patients_right_is_on_the_left_and_superior_is_up():
    beside = np.s_[:, 60:66, 44:50]
    right = [np.argwhere(halves(a)[1].min(2) > halves(b)[1].min(2)) for a, b in zip(pairs(mark=beside), pairs())][1]
    assert right[:, 1].mean() < 0.4 * halves(pairs()[1])[0].shape[1]
    above = np.s_[50:54, 60:66, :]
    middle = pairs()[4], pairs(mark=above)[4]
    higher = np.argwhere(halves(middle[1])[1].min(2) > halves(middle[0])[1].min(2))
    assert higher[:, 0].mean() < 0.5 * halves(middle[0])[0].shape[0]


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "SAL"])
def test_the_pictures_do_not_depend_on_how_the_volume_is_stored(orientation):
    for one, other in zip(pairs(), pairs(orientation)):
        assert np.array_equal(one.picture, other.picture) and one.at_mm == pytest.approx(other.at_mm, abs=0.01)

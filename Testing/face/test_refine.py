"""The coarse answer made tight: skin, bone, brain, islands, holes."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.face.refine import refine
from CTADefaceLib.voxels.anatomy import enclosed_by_bone
from helpers import phantom

SPACING = (phantom.SPACING_MM,) * 3


@pytest.fixture(scope="module")
def sloppy(parts):
    """Log-odds as a 4 mm network gives them: smooth, over bone and air alike."""
    face = phantom.middle_face()
    distance = ndi.distance_transform_edt(face) - ndi.distance_transform_edt(~face)
    return 4 * ndi.gaussian_filter(distance.astype(np.float32), 1.2) + 1


def test_face_is_found_again_without_bone_and_air(parts, sloppy):
    hu, _, _, bone = parts
    face = phantom.middle_face()
    mask = refine(hu, sloppy, SPACING)
    assert not (mask & bone).any()
    assert not (mask & (hu <= -700)).any()
    dice = 2 * (mask & face).sum() / (mask.sum() + face.sum())
    raw = sloppy > 0
    assert dice > 0.93 and dice > 2 * (raw & face).sum() / (raw.sum() + face.sum())


def test_skin_just_outside_the_networks_border_is_taken(parts):
    hu, face, _, _ = parts
    shrunk = np.where(ndi.binary_erosion(face), 3.0, np.where(face, -2.0, -8.0)).astype(np.float32)
    front = face & ndi.binary_dilation(hu < -500)
    assert (refine(hu, shrunk, SPACING) & front).sum() > 0.9 * front.sum()


def test_brain_is_not_touched_when_the_network_reaches_far_too_deep(parts):
    hu, face, brain, _ = parts
    deep = np.where(ndi.distance_transform_edt(~face, SPACING) < 40, 5.0, -5.0).astype(np.float32)
    assert ((deep > 0) & brain).sum() > 5000
    mask = refine(hu, deep, SPACING, enclosed_by_bone(hu > 300, SPACING).__getitem__)
    assert mask.any()
    assert (mask & brain).sum() == 0


def test_brain_is_hardly_touched_even_when_everything_is_called_face(parts):
    hu, _, brain, _ = parts
    mask = refine(hu, np.full(hu.shape, 5.0, np.float32), SPACING, enclosed_by_bone(hu > 300, SPACING).__getitem__)
    # What is left are the uppermost slices, where skull all but closes.
    assert (mask & brain).sum() < 0.03 * brain.sum()


def test_islands_go_and_holes_close(parts, sloppy):
    hu, face = parts[0], phantom.middle_face()
    logits = sloppy.copy()
    hu = hu.copy()
    hu[70:72, 70:71, 5:7], logits[70:72, 70:71, 5:7] = 40, 5
    z, y, x = np.argwhere(ndi.binary_erosion(face, iterations=2))[0]
    logits[z, y, x] = -5
    mask = refine(hu, logits, SPACING)
    assert not mask[70:72, 70:71, 5:7].any()
    assert mask[z, y, x]


@pytest.mark.parametrize("device_hu", [250, 1500])
def test_device_on_the_face_is_kept(parts, sloppy, device_hu):
    hu, face = parts[0], phantom.middle_face()
    hu, logits = hu.copy(), sloppy.copy()
    front = np.argwhere(face)[:, 1].max()
    device = (slice(28, 33), slice(front + 1, front + 4), slice(26, 38))
    hu[device], logits[device] = device_hu, 4
    assert refine(hu, logits, SPACING)[device].all()


def test_empty_answer_gives_an_empty_mask(parts):
    assert not refine(parts[0], np.full(parts[0].shape, -4, np.float32), SPACING).any()

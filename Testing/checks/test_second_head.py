"""Two heads in one image: one face only is removed, so the gate stops; what else lies beside a head does not stop it."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage as ndi

from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.checks.scan import second_head
from CTADefaceLib.errors import ChecksFailed
from CTADefaceLib.face.survey import surveyed
from gate import as_volume

AIR, BONE, MUSCLE, FAT = -1000, 1000, 50, -90
SPACING = (3.0, 2.87, 2.87)


@pytest.fixture(scope="module")
def head(small_cranium):
    """HU (S, A, R) of the public cranium at about 3 mm: upper lip to vertex, with the table's head holder."""
    return sitk.GetArrayFromImage(small_cranium)


def checked(hu):
    volume = as_volume(np.ascontiguousarray(hu), SPACING)
    survey = surveyed(volume)
    assert survey.frame is not None
    return second_head(volume, survey.frame, *survey.brain)


def beside(one, other, axis=2):
    """Two arrays side by side along an axis, the smaller one padded with air."""
    shape = np.maximum(one.shape, other.shape)
    shape[axis] = 0
    padded = [np.pad(a, [(0, max(n - m, 0)) for n, m in zip(shape, a.shape)], constant_values=AIR) for a in (one, other)]
    return np.concatenate(padded, axis)


SECOND = {
    "side by side": lambda head: beside(head, head),
    "behind": lambda head: beside(head, head, 1),
    "upside down": lambda head: beside(head, head[::-1, ::-1], 0),
    "a child's": lambda head: beside(head, ndi.zoom(head, 0.75, order=1)),
    "without its vertex": lambda head: beside(head, head[: len(head) * 2 // 3]),
}


@pytest.mark.parametrize("case", SECOND)
def test_a_second_head_is_seen_wherever_it_lies(head, case):
    both = SECOND[case](head)
    check = checked(both)
    assert check.verdict == "fail" and check.value > 50 and "give an image of each head" in check.text
    # The place to look at lies inside of the second skull.
    index = tuple(np.rint(np.array(check.place)[::-1] / SPACING).astype(int))
    assert -50 < both[index] < 150


def tube(shape, radius, thickness, wall, content):
    """A tube along the body, (S, A, R)."""
    _s, a, r = np.indices(shape)
    distance = np.hypot((a - shape[1] / 2) * SPACING[1], (r - shape[2] / 2) * SPACING[2])
    return np.select([distance < radius - thickness, distance < radius], [content, wall], AIR)


def forearm(shape):
    arm = tube(shape, 45.0, 3.0, FAT, MUSCLE)
    for low in (shape[2] // 2 - 6, shape[2] // 2 + 1):
        bone = tube((*shape[:2], 5), 8.0, 4.0, BONE, FAT)
        arm[:, :, low : low + 5] = np.where(bone > AIR, bone, arm[:, :, low : low + 5])
    return arm


def chest(shape):
    """Ribs around lungs, a spine and a heart: bone that encloses much, but not a brain."""
    ribs = tube(shape, 85.0, 6.0, BONE, -800)
    heart = tube(shape, 35.0, 0.0, MUSCLE, MUSCLE)
    return np.where(heart > AIR, heart, ribs)


BESIDE = {
    "a phantom of water": lambda head: beside(head, tube((len(head), 40, 40), 50.0, 4.0, 120, 0)),
    "a forearm": lambda head: beside(head, forearm((len(head), 40, 40))),
    "a box of bone with fat": lambda head: beside(head, tube((len(head), 40, 40), 50.0, 6.0, BONE, FAT)),
    "a chest": lambda head: beside(head, chest((30, 64, 64)), 0),
    "a small bone with marrow": lambda head: beside(head, tube((8, 40, 40), 20.0, 6.0, BONE, MUSCLE)),
}


@pytest.mark.parametrize("case", BESIDE)
def test_what_is_no_head_does_not_stop_the_gate(head, case):
    assert checked(BESIDE[case](head)).verdict == "pass"


def test_without_a_head_nothing_is_said_of_a_second_one(head):
    enclosed = np.ones((2, 2, 2), bool)
    assert second_head(as_volume(head, SPACING), None, enclosed, (1, 1, 1)).verdict == "not applicable"


def test_an_image_of_two_heads_is_not_released(small_cranium, tmp_path):
    both = sitk.Tile([small_cranium, small_cranium], [2, 1, 1], AIR)
    both.SetSpacing(small_cranium.GetSpacing())
    both.SetDirection(small_cranium.GetDirection())
    sitk.WriteImage(both, str(tmp_path / "two.nii.gz"))
    with pytest.raises(ChecksFailed, match=r"1 of the checks failed \(second_head: \d+ ml of soft tissue"):
        deface_file(tmp_path / "two.nii.gz", tmp_path / "release", Options())
    assert not (tmp_path / "release").exists()

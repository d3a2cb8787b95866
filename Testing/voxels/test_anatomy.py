"""What the skull encloses: the brain that no fill may change."""

import numpy as np

from CTADefaceLib.voxels.anatomy import BRAIN_CLOSING_MM, enclosed_by_bone

RADIUS_MM = 60.0


def skull(spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """40 mm of a skull one sample thick: bool (S, A, R) of wall and inside, in 2 mm slices; mm of A and R."""
    place = (np.arange(round(260 / spacing)) + 0.5) * spacing - 130
    radius = np.hypot(place[:, None], place)
    wall = np.abs(radius - RADIUS_MM) <= spacing / 2
    return np.repeat(wall[None], 20, 0), np.repeat((~wall & (radius < RADIUS_MM))[None], 20, 0), place


def test_a_gap_in_the_skull_hides_no_brain_wherever_it_lies() -> None:
    """Only every third millimetre is looked at, and thin bone drops out; obliquely to the axes it counts as much."""
    wall, brain, place = skull(3.0)
    angle = np.degrees(np.arctan2(place[:, None], place))
    for degrees in range(0, 360, 15):
        bone = wall & (np.abs((angle - degrees + 180) % 360 - 180) > 2.5)
        found = enclosed_by_bone(bone, (2.0, 3.0, 3.0))
        assert (found & brain).sum() > 0.95 * brain.sum(), degrees
        assert not (found & ~brain & ~wall).any(), degrees


def test_a_passage_through_the_skull_does_not_make_brain_of_a_face() -> None:
    """Corners behind bone belong to the brain; what lies farther off does not, however thin the slices are."""
    bone, _, place = skull(5.0)
    front, beside = place[:, None], np.abs(place)
    bone &= ~((front > 0) & (beside < 10))
    bone |= (front > RADIUS_MM - 10) & (front < 115) & (beside > 10) & (beside < 15)
    bone |= (front > 115) & (front < 120) & (beside < 15)
    found = enclosed_by_bone(bone, (2.0, 5.0, 5.0))
    assert found.any()
    # The wall itself may be one sample deep.
    assert place[found.any((0, 2))].max() < RADIUS_MM + BRAIN_CLOSING_MM

"""The judge of the gate's benchmark: what of a face an output shows, and what of that a person would see."""

import numpy as np

from sabotage import FaceOf, outer_skin, seen_cm2, shown_cm2

SPACING = (1.0, 1.0, 1.0)


def head(depth_mm):
    """A ``FaceOf`` with ``depth_mm`` of soft tissue in front of bone, in a part of 30 x 30 mm the face."""
    hu = np.full((50, 60, 50), -1000, np.int16)
    hu[:, :40] = 40
    hu[:, : 40 - depth_mm] = 800
    mask = np.zeros(hu.shape, bool)
    mask[10:40, 40 - depth_mm : 40, 10:40] = True
    return FaceOf(hu, mask, SPACING)


def without_front(face, mm):
    """HU of the head after the foremost ``mm`` of its face went."""
    after = face.hu.copy()
    after[face.mask & (face.place[1] > -mm)] = -1000
    return after


def test_untouched_skin_is_shown_and_seen():
    face = head(12)
    outer = outer_skin(face.hu, SPACING)
    assert abs(shown_cm2(face, face.hu) - 9) < 0.5
    # At the border of the face the ball also meets tissue that no mask takes.
    assert abs(seen_cm2(face, face.hu, outer) - shown_cm2(face, face.hu)) < 0.01
    assert shown_cm2(face, without_front(face, 12)) == 0


def test_a_film_over_bone_is_shown_but_not_seen():
    face = head(3)
    after = without_front(face, 2)
    assert shown_cm2(face, after) > 8 and seen_cm2(face, after, outer_skin(face.hu, SPACING)) == 0


def test_shaved_thick_tissue_is_shown_and_seen_by_what_is_left():
    face = head(20)
    outer = outer_skin(face.hu, SPACING)
    assert shown_cm2(face, without_front(face, 1)) > 8 and seen_cm2(face, without_front(face, 1), outer) > 8
    assert shown_cm2(face, without_front(face, 7)) > 8


def test_the_end_of_the_image_and_narrow_openings_are_no_outer_skin():
    hu = head(12).hu
    hu[20:24, 20:45, 20:24] = -1000
    outer = outer_skin(hu, SPACING)
    assert outer[:, 39].sum() > 2000 and outer.sum() == outer[:, 39].sum()

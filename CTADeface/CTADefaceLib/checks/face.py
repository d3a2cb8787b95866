"""Is the face gone? Asked of the skin itself, zone by zone from the tip of the nose, not of the network's answer."""

from functools import cached_property

import numpy as np

from ..anatomy import BONE_HU
from ..volume import foremost, in_front
from .check import SKIP, Check, graded
from .head import TISSUE_HU

# mm above the tip of the nose, (from, to), of an upright head.
ZONES = {"forehead": (45.0, 75.0), "nose": (-8.0, 40.0), "mouth": (-45.0, -12.0), "chin": (-80.0, -50.0)}
HALF_WIDTH_MM = 40.0
# A raised or lowered head turns a zone away from the viewer: only skin this near to the tip's depth is asked for.
DEPTH_MM = 45.0
LEAST_AREA_CM2 = 3.0
# A face that is so much farther back is still that face.
SHOWS_MM = 3.0
# Least shares covered: below nearly all reference masks of the training heads (2nd percentiles 0.31, 0.74, 0.90, 0.85;
# their foreheads are one or two voxels thick), above those without an upper, lower or side part
# (``Testing/benchmarks/checks.py``).
LEAST_COVERED = {"forehead": 0.45, "nose": 0.65, "mouth": 0.8, "chin": 0.6}
WARN_BELOW = {"forehead": 0.6, "nose": 0.75, "mouth": 0.88, "chin": 0.8}
# Share of the skin of all zones together, per side.
WARN_RESIDUAL, FAIL_RESIDUAL = 0.2, 0.35
SIDES = ("on the left", "on the right")


class FaceSkin:
    """The skin of the face before, and whether each of its lines shows it still; all (S', R')."""

    def __init__(self, head, stored_after):
        self.head = head
        self._after = stored_after

    @cached_property
    def kept(self):
        """Bool: there is still tissue where the skin was or close behind it, which shows the same face.

        Where bone lies as close behind the skin, nothing more can go.
        """
        head = self.head
        depth = head.hu.shape[1]
        # What lies in front of the skin, such as a device, hides nothing and shows nothing.
        behind = ~in_front(head.skin, depth)
        near = behind & in_front(head.skin - np.ceil(SHOWS_MM / head.spacing[1]) - 1, depth)
        after = head.volume.to_hu(head.lines(self._after))
        left = foremost((after > TISSUE_HU) & behind)
        to_bone = (near & (head.hu > BONE_HU)).any(1) & (left < head.skin)
        return (head.skin >= 0) & ((head.skin - left) * head.spacing[1] < SHOWS_MM) & ~to_bone

    def zone(self, low, high):
        """Bool: lines of skin from ``low`` to ``high`` mm above the tip of the nose that face the viewer."""
        head = self.head
        s, a, r = head.nose
        above = (np.arange(head.skin.shape[0]) - s) * head.spacing[0]
        beside = (np.arange(head.skin.shape[1]) - r) * head.spacing[2]
        near = (head.skin >= 0) & ((a - head.skin) * head.spacing[1] <= DEPTH_MM)
        return near & ((above >= low) & (above < high))[:, None] & (np.abs(beside) <= HALF_WIDTH_MM)

    def area_cm2(self, lines):
        return float(lines.sum()) * self.head.spacing[0] * self.head.spacing[2] / 100

    def place(self, lines):
        """RAS mm of the skin in the middle of ``lines``, None without any."""
        found = np.argwhere(lines)
        if len(found) == 0:
            return None
        s, r = found[np.abs(found - found.mean(0)).sum(1).argmin()]
        return self.head.place((s, self.head.skin[s, r], r))


def zone_covered(name, skin):
    """Share of the skin of one zone ('forehead', 'nose', 'mouth', 'chin') that is gone; or: not in view."""
    if skin.head.nose is None:
        return Check(name, SKIP, None, "share", "No nose stands out in the image, so the zone was not found.")
    lines = skin.zone(*ZONES[name])
    if skin.area_cm2(lines) < LEAST_AREA_CM2:
        return Check(name, SKIP, None, "share", "Outside the image, or turned away from the front.")
    left = lines & skin.kept
    covered = 1 - left.sum() / lines.sum()
    return graded(name, covered, "share", f"{100 * covered:.0f} % of its skin is gone.", skin.place(left),
                  fail=covered < LEAST_COVERED[name], warn=covered < WARN_BELOW[name])


def residual_skin(skin, mask):
    """Share of the face's skin that is still there, the worse of the two sides.

    The face reaches from forehead to chin around the tip of the nose; without a nose, over the mask's own slices.
    """
    head = skin.head
    lines = skin.zone(ZONES["chin"][0], ZONES["forehead"][1]) if head.nose else _lines_of(mask, skin)
    shares, columns = [], np.arange(lines.shape[1])
    middle = head.nose[2] if head.nose else np.mean(np.nonzero(lines)[1]) if lines.any() else 0
    for side in (columns < middle, columns >= middle):
        part = lines & side
        shares.append((part & skin.kept).sum() / max(part.sum(), 1))
    worst = max(shares)
    text = "Skin still there: " + ", ".join(f"{100 * share:.0f} % {side}" for side, share in zip(SIDES, shares)) + "."
    if head.nose is None:
        # The lines are the mask's own then, and say nothing about a face beside it.
        text += (" No nose stands out (the head may be turned), so only the mask's own slices were looked at: look at "
                 "the whole face yourself.")
    return graded("residual_skin", worst, "share", text, skin.place(lines & skin.kept),
                  fail=worst > FAIL_RESIDUAL, warn=worst > WARN_RESIDUAL or head.nose is None)


def _lines_of(mask, skin):
    rows = skin.head.lines(mask).any((1, 2))
    front = skin.head.skin[rows].max(initial=-1)
    return rows[:, None] & (skin.head.skin >= 0) & ((front - skin.head.skin) * skin.head.spacing[1] <= DEPTH_MM)

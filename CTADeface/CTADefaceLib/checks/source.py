"""Is the input what defacing is made for: a CT, with the face in view, not defaced already?"""

import numpy as np

from ..anatomy import BONE_HU
from .check import SKIP, Check, graded
from ..volume import foremost

# Soft tissue of every CT lies around water; what is scaled in another way has its peak elsewhere.
SOFT_TISSUE_HU = (-200.0, 300.0)
WATER_HU = (-150.0, 150.0)
PEAK_BIN_HU = 10.0
AIR_HU = -850.0
LEAST_AIR_SHARE = 0.005

# Bone within this depth of the foremost one, and this far from the middle, is the face's or the forehead's.
FACE_DEPTH_MM, FACE_HALF_WIDTH_MM = 45.0, 40.0
NAKED_MM = 2.0
# Such lines: 0 to 0.18 of all on the training heads, 0.39 and more once their reference masks are filled
# (``Testing/benchmarks/checks.py``).
WARN_NAKED, FAIL_NAKED = 0.16, 0.25
LEAST_BONE_LINES = 50


def input_is_ct(head):
    """Are the numbers HU: air far below water, and the peak of soft tissue near water (-150 to 150 HU)?"""
    hu = head.hu[:, ::head.steps[1]]
    tissue = hu[(hu > SOFT_TISSUE_HU[0]) & (hu < SOFT_TISSUE_HU[1])]
    air = np.count_nonzero(hu < AIR_HU) / hu.size
    if tissue.size == 0 or air < LEAST_AIR_SHARE:
        return graded("input_is_ct", air, "share", "There is no air or no soft tissue as a CT in HU has it.",
                      fail=True)
    counts, edges = np.histogram(tissue, np.arange(SOFT_TISSUE_HU[0], SOFT_TISSUE_HU[1] + 1, PEAK_BIN_HU))
    peak = edges[counts.argmax()] + PEAK_BIN_HU / 2
    bad = not WATER_HU[0] <= peak <= WATER_HU[1]
    return graded("input_is_ct", peak, "HU", f"Most soft tissue has {peak:.0f} HU"
                  + (", so the values are not HU; apply the rescale slope and intercept." if bad else "."), fail=bad)


def field_of_view(head, mask):
    """Which borders of the image cut the face? A warning: what is not in the image need not be covered."""
    view = head.lines(mask)
    used = [np.flatnonzero(view.any(tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    cut = []
    for axis, (low, high) in enumerate((("bottom", "top"), ("back", "front"), ("left", "right"))):
        if used[axis].size:
            ends = (low, used[axis][0] == 0), (high, used[axis][-1] == view.shape[axis] - 1)
            cut += [name for name, reached in ends if reached]
    text = f"The image cuts the face at its {' and '.join(cut)}." if cut else "The whole face lies inside the image."
    return graded("field_of_view", len(cut), "borders", text, warn=bool(cut))


def already_defaced(head):
    """Is the bone of the face bare? Then this or another tool has removed the face before.

    The value is the share of lines, over the foremost 45 mm of bone near the middle, that meet bone with less than
    2 mm of tissue in front of it.
    """
    bone = foremost((head.hu > BONE_HU) & head.body)
    depth = (bone - head.skin) * -head.spacing[1]
    middle = _middle(head)
    if middle is None or not (bone >= 0).any():
        return Check("already_defaced", SKIP, None, "share", "No bone is in view.")
    near = (np.abs(np.arange(bone.shape[1]) - middle) * head.spacing[2] <= FACE_HALF_WIDTH_MM)[None] & (bone >= 0)
    lines = near & ((np.max(bone[near], initial=-1) - bone) * head.spacing[1] <= FACE_DEPTH_MM)
    if lines.sum() < LEAST_BONE_LINES:
        return Check("already_defaced", SKIP, None, "share", "Too little of the facial bones is in view.")
    naked = lines & (depth < NAKED_MM)
    share = naked.sum() / lines.sum()
    s, r = np.argwhere(naked)[naked.sum() // 2] if naked.any() else (0, 0)
    text = f"{100 * share:.0f} % of the facial bone has no soft tissue in front of it"
    return graded("already_defaced", share, "share",
                  text + (": the face seems to have been removed before." if share > WARN_NAKED else "."),
                  head.place((s, bone[s, r], r)), fail=share > FAIL_NAKED, warn=share > WARN_NAKED)


def _middle(head):
    """r' of the body's middle in its upper 200 mm, or None without a body."""
    used = np.flatnonzero(head.body.any((1, 2)))
    if used.size == 0:
        return None
    upper = head.body[max(used[-1] - int(200 / head.spacing[0]), 0):]
    return float(np.mean(np.flatnonzero(upper.any((0, 1)))))


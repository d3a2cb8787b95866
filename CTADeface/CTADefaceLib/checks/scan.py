"""Is the input what defacing is made for: a CT, with the face in view, not defaced already?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from ..head.frame import Frame
from ..head.view import HeadView
from ..voxels.hu import AIR_HU, BONE_HU, PLAIN_AIR_HU, SOFT_TISSUE_HU, TISSUE_HU, WATER_HU
from ..voxels.volume import Volume, ras_affine
from .check import FAIL, PASS, SKIP, Check, graded, limits
from .place import coarse, ras_point

# Soft tissue lies around water in every CT; values that are scaled in another way have their peak elsewhere.
PEAK_BIN_HU = 10.0
LEAST_AIR_SHARE = 0.005

# Bone within this depth of the foremost bone is the face's or the forehead's.
FACE_DEPTH_MM = 45.0
# Head mm: lines from in front of the face to behind the jaw's angles, every 3 mm.
HEIGHTS_MM, ALONG_MM, BESIDE_MM = np.arange(-90.0, 91.0, 3.0), np.arange(36.0, -110.0, -1.0), np.arange(-39.0, 40.0, 3.0)
NAKED_MM = 2.0
# Share of lines with naked bone: 0 to 0.18 on the training heads, 0.39 and more once their reference masks are filled
# (``Testing/benchmarks/gate.py`` judges defaced heads too).
WARN_NAKED, FAIL_NAKED = 0.16, 0.25
LEAST_BONE_LINES = 50

# Head mm. None of 124 heads, most of them with neck and shoulders, had anything inside of bone outside of this box. What lies
# elsewhere and is neither lung nor fat belongs to another skull.
SKULL_LOW_MM, SKULL_HIGH_MM = np.array([-90.0, -225.0, -90.0]), np.array([90.0, 30.0, 150.0])
# The brains of these heads have up to 14 % of fat and air.
LEAN_HU, MOST_FAT_AND_AIR, SECOND_ML = -20.0, 0.3, 100.0


def input_is_ct(volume: Volume) -> Check:
    """Are the numbers HU: air far below water, and the peak of soft tissue near water (-150 to 150 HU)?"""
    hu = volume.to_hu(coarse(volume.stored, volume))
    tissue = hu[(hu > SOFT_TISSUE_HU[0]) & (hu < SOFT_TISSUE_HU[1])]
    air = np.count_nonzero(hu < PLAIN_AIR_HU) / hu.size
    if tissue.size == 0 or air < LEAST_AIR_SHARE:
        text = "Air or soft tissue is missing, which every CT of a head in HU has."
        return graded("input_is_ct", air, "share", text, fail=True, limit=f"fails below {100 * LEAST_AIR_SHARE:g} %")
    counts, edges = np.histogram(tissue, np.arange(SOFT_TISSUE_HU[0], SOFT_TISSUE_HU[1] + 1, PEAK_BIN_HU))
    peak = edges[counts.argmax()] + PEAK_BIN_HU / 2
    bad = not WATER_HU[0] <= peak <= WATER_HU[1]
    return graded(
        "input_is_ct",
        peak,
        "HU",
        f"Most soft tissue has {peak:.0f} HU"
        + (", so the values are not HU; apply the rescale slope and intercept." if bad else "."),
        fail=bad,
        limit=f"fails below {WATER_HU[0]:g} or above {WATER_HU[1]:g} HU",
    )


def field_of_view(volume: Volume, mask: np.ndarray) -> Check:
    """Which borders of the image cut the face? A warning: what is not in the image need not be covered."""
    view = coarse(mask, volume)
    used = [np.flatnonzero(view.any(tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    cut = []
    for axis, (low, high) in enumerate((("bottom", "top"), ("back", "front"), ("left", "right"))):
        if used[axis].size:
            ends = (low, used[axis][0] == 0), (high, used[axis][-1] == view.shape[axis] - 1)
            cut += [name for name, reached in ends if reached]
    text = f"The image cuts the face at its {' and '.join(cut)}." if cut else "The whole face lies inside the image."
    return graded("field_of_view", len(cut), "borders", text, warn=bool(cut), limit=limits("borders", "above", 0, None))


def head_found(frame: Frame | None) -> Check:
    """Was the head found, and where does it look? Without a ``Frame`` only a person can say whether the face is gone."""
    if frame is None:
        return Check(
            "head_found",
            FAIL,
            None,
            "nats",
            "No head was found from skin and bone, which the checks of the face need: look at the whole face yourself, and "
            "override with what you saw.",
        )
    return Check(
        "head_found",
        PASS,
        frame.score,
        "nats",
        f"The head is turned by {frame.turned_degrees:.0f} degrees against the image's axes.",
    )


def second_head(volume: Volume, frame: Frame | None, enclosed: np.ndarray, steps: tuple[int, ...]) -> Check:
    """Does a skull lie elsewhere than that of the head in ``frame``? The model marks one face only, and another one stays.

    ``enclosed`` and ``steps`` as ``anatomy.brain`` gives them. The value is the largest piece of soft tissue inside of bone
    that lies away from the head's own skull.
    """
    if frame is None:
        return Check("second_head", SKIP, None, "ml", "The head was not found.")
    indices = np.argwhere(enclosed) * steps
    places = frame.to_head(indices @ ras_affine(volume)[:3, :3].T + ras_affine(volume)[:3, 3])
    away = ((places < SKULL_LOW_MM) | (places > SKULL_HIGH_MM)).any(1)
    elsewhere = np.zeros_like(enclosed)
    elsewhere[enclosed] = away
    ml = float(np.prod(volume.geometry.ras_spacing()) * np.prod(steps)) / 1000
    largest, place = 0.0, None
    if np.count_nonzero(away) * ml > SECOND_ML:
        hu = volume.to_hu(volume.ras()[tuple(slice(None, None, n) for n in steps)][elsewhere])
        pieces = ndi.label(elsewhere)[0][elsewhere]
        sizes, lean = np.bincount(pieces), np.bincount(pieces, hu < LEAN_HU)
        sizes[lean > MOST_FAT_AND_AIR * sizes] = 0
        largest = float(sizes.max() * ml)
        if largest > 0:
            place = ras_point(indices[away][pieces == sizes.argmax()].mean(0), volume)
    bad = largest > SECOND_ML
    return graded(
        "second_head",
        largest,
        "ml",
        f"{largest:.0f} ml of soft tissue lie in a skull of its own, away from the head: only one face is removed; "
        "give an image of each head."
        if bad
        else "No other skull lies beside the head.",
        place,
        fail=bad,
        limit=limits("ml", "above", None, SECOND_ML),
    )


def already_defaced(view: HeadView) -> Check:
    """Is the bone of the face bare? Then this or another tool has removed the face before.

    The value is the share of lines along the head's own front, over the foremost 45 mm of bone near its middle, that meet
    bone with less than 2 mm of tissue in front of it.
    """
    lines = np.stack(np.meshgrid(HEIGHTS_MM, ALONG_MM, BESIDE_MM, indexing="ij")[::-1], -1)
    volume = view.volume
    hu = volume.to_hu(view.profile(volume.stored, lines, volume.from_hu(AIR_HU)))
    tissue, bone = hu > TISSUE_HU, hu > BONE_HU
    # The first along each line; ``ALONG_MM`` runs backwards from in front of the face.
    skin, first = tissue.argmax(1), bone.argmax(1)
    met = bone.any(1) & (first > 0)
    if met.sum() < LEAST_BONE_LINES:
        return Check("already_defaced", SKIP, None, "share", "Too little of the facial bones is in view.")
    lines_of_face = met & (first - first[met].min() <= FACE_DEPTH_MM)
    if lines_of_face.sum() < LEAST_BONE_LINES:
        return Check("already_defaced", SKIP, None, "share", "Too little of the facial bones is in view.")
    naked = lines_of_face & ((first - skin) / view.frame.scale[1] < NAKED_MM)
    share = naked.sum() / lines_of_face.sum()
    s, r = np.argwhere(naked)[naked.sum() // 2] if naked.any() else (0, 0)
    text = f"{100 * share:.0f} % of the facial bone lies bare"
    return graded(
        "already_defaced",
        share,
        "share",
        text + (": the face seems to have been removed before." if share > WARN_NAKED else "."),
        view.place(lines[s, first[s, r], r]),
        fail=share > FAIL_NAKED,
        warn=share > WARN_NAKED,
        limit=limits("share", "above", WARN_NAKED, FAIL_NAKED),
    )

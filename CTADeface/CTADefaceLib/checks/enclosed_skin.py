"""Is skin left in the middle of skin that is gone? A face mask has a smooth outline and no holes, whoever made it.

Nothing here asks where a face ends, so that this holds for every head, also where its frame is a little off.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from ..head.atlas import atlas
from ..voxels.hu import TISSUE_HU
from .check import Check, graded, limits
from .face_left import BARE_MM, LEAST_DEPTH_MM, FaceLeft, away_mm, connected, largest_patch

# Skin that is left lies within the outline when every place so near to it has gone skin as near: a gap of twice that width.
CLOSING_MM = 30.0
# Skin so near to the end of the view belongs to it, and a mask that comes so near reaches it.
END_STEPS, REACHES_MM = 2, 9.0
# A stray point of a fold is no part of the outline.
LEAST_GONE_CM2 = 3.0
# Farther back lie the ears, whose folds hold skin that a mask passes by, and in fewer heads than this no face goes at all.
REAR_MM, LEAST_SHARE = -102.0, 0.3
# 25 of 26 reference masks of training heads leave less than the first, and none more than the second.
WARN_CM2, FAIL_CM2 = 1.0, 1.5


def enclosed_skin(face: FaceLeft) -> Check:
    """cm2 of the largest patch of untouched skin that lies within the outline of what is gone: a hole, an island, a notch.

    The outline is a morphological closing along the skin by ``CLOSING_MM``.
    """
    # The upper border of a face is a convention, so that skin counts by the share of heads that lose it.
    area = face.skin.area_cm2 * face.skin.atlas_values(atlas().share)
    patch, cm2 = largest_patch(face.skin, _enclosed(face), area)
    return graded(
        "enclosed_skin",
        cm2,
        "cm2",
        f"The largest hole or notch in the skin that is gone has {cm2:.1f} cm2 of untouched skin.",
        face.middle(patch),
        fail=cm2 > FAIL_CM2,
        warn=cm2 > WARN_CM2,
        limit=limits("cm2", "above", WARN_CM2, FAIL_CM2),
    )


def _enclosed(face: FaceLeft) -> np.ndarray:
    """(N,) bool: this point of the skin is untouched, and lies within the outline."""
    skin = face.skin
    share = skin.atlas_values(atlas().share)
    before = skin.depth_of(skin.view.volume.stored, TISSUE_HU)
    untouched = (face.after_mm <= before) & (before < LEAST_DEPTH_MM) & (skin.bone_mm > BARE_MM)
    # Ears that were taken too are no part of the face's outline.
    gone = (face.after_mm > before) & (face.after_mm >= np.minimum(LEAST_DEPTH_MM, skin.bone_mm)) & (share > 0)
    labels, areas = connected(skin, gone, skin.area_cm2)
    gone = (areas >= LEAST_GONE_CM2)[labels] & (labels > 0)
    away = away_mm(skin, gone)
    # Where the skin in view ends, it goes on elsewhere, unless the mask reaches that end too.
    view_ends = ~ndi.binary_erosion(skin.view.inside, iterations=END_STEPS)[tuple(skin.index.T)]
    within = away_mm(skin, (away > CLOSING_MM) | (view_ends & (away > REACHES_MM))) > CLOSING_MM
    return untouched & within & (share >= LEAST_SHARE) & (skin.points[:, 1] > REAR_MM)

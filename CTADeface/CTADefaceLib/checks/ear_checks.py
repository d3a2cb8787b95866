"""Are the ears gone? Judged by what stands out from the head's sides, not by the mask."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from ..head.ears import Ears
from ..voxels.hu import TISSUE_HU
from ..voxels.volume import ras_affine
from .check import SKIP, Check, graded, limits

# Share of an ear's tissue that must be gone; ml of the largest connected rest.
WARN_SHARE, FAIL_SHARE = 0.97, 0.9
WARN_REST_ML, FAIL_REST_ML = 0.3, 1.0
# An ear is in view when this share of its place lies in the image and this much tissue stands out there.
LEAST_IN_VIEW, LEAST_ML = 0.2, 0.3


def ear_gone(name: str, ears: Ears, stored_after: np.ndarray) -> Check:
    """Share of the tissue of one pinna (``head.ears.SIDES``) that is gone, and the largest connected rest.

    Parameters: ``ears`` the ``Ears`` of the original volume; ``stored_after`` its stored values (k, j, i) after the fill.
    """
    ear = ears.of(name)
    if ear is None or ear.in_view < LEAST_IN_VIEW:
        return Check(name, SKIP, None, "share", "No ear is in view on this side.")
    volume, tissue = ears.volume, ear.tissue
    before = volume.geometry.millilitres(np.count_nonzero(tissue))
    if before < LEAST_ML:
        return Check(name, SKIP, None, "share", "No ear stands out on this side.")
    rest = tissue & (volume.to_hu(ear.part_of(stored_after)) > TISSUE_HU)
    labels, count = ndi.label(rest)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    share = volume.geometry.millilitres(np.count_nonzero(rest)) / before
    largest = volume.geometry.millilitres(sizes.max(initial=0))
    text = f"{100 * (1 - share):.0f} % of the ear is gone" + (f"; the largest rest has {largest:.2f} ml." if count else ".")
    place = None
    if count:
        found = np.argwhere(labels == sizes.argmax())
        index = found[len(found) // 2] + [part.start for part in ear.box]
        place = tuple((ras_affine(volume) @ [*index, 1])[:3].tolist())
    return graded(
        name,
        1 - share,
        "share",
        text,
        place,
        fail=share > 1 - FAIL_SHARE or largest > FAIL_REST_ML,
        warn=share > 1 - WARN_SHARE or largest > WARN_REST_ML,
        limit=limits("share", "below", WARN_SHARE, FAIL_SHARE)
        + f"; a rest {limits('ml', 'above', WARN_REST_ML, FAIL_REST_ML)}",
    )

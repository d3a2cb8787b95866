"""The coarse answer made tight to the CT's own edges at native resolution.

The network works at several millimetres; the skin and the bone are in the volume itself. All arrays
are (S, A, R) over one region, HU and millimetres throughout.
"""

import numpy as np
from scipy import ndimage as ndi

from .anatomy import skeleton

TISSUE_HU = -500.0
# Three standard deviations of low-dose noise (100 HU) above air.
PARTIAL_VOLUME_HU = -700.0
LEAST_ISLAND_MM3 = 150.0
LARGEST_HOLE_MM3 = 500.0
# On held-out heads the network missed more face than it added, and a missed one is the worse error.
FACE_LOGIT = -1.0
# Near air the border is pulled to the skin, up to this log-odds.
SKIN_LOGIT = -3.0
SKIN_REACH_MM = 4.0


def refine(hu, logits, spacing, protected=None, progress=None):
    """Face mask at native resolution.

    Parameters: ``hu`` and ``logits`` (log-odds of face) of the same shape (S, A, R); ``spacing`` (S, A, R)
    in mm; ``protected`` bool of that shape, never touched (the brain).
    Returns: bool array, the face: tissue and devices above -500 HU with their partial-volume layer
    (above -700 HU), without bone, islands below 150 mm3 or holes below 500 mm3.
    """
    mask = np.zeros(hu.shape, bool)
    box = bounding_box(logits > SKIN_LOGIT, margin=1)
    if box is None:
        return mask
    hu, logits = hu[box], logits[box]
    forbidden = skeleton(hu, logits, spacing)
    if protected is not None:
        forbidden |= protected[box]
    _report(progress, 0.3)
    tissue = (hu > TISSUE_HU) & ~forbidden
    inner = tissue & (logits > FACE_LOGIT)
    skin = tissue & (logits > SKIN_LOGIT) & near(hu <= TISSUE_HU, SKIN_REACH_MM, spacing)
    face = without_islands(inner | skin, spacing)
    _report(progress, 0.7)
    face |= small_holes(face, spacing) & ~forbidden
    _report(progress, 0.9)
    face |= partial_volume_layer(hu, face)
    mask[box] = face
    return mask


def _report(progress, fraction):
    if progress is not None:
        progress.update(fraction)


def bounding_box(mask, margin):
    """Three slices around the True voxels of ``mask``, ``margin`` voxels wider, or None."""
    box = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(tuple(a for a in range(3) if a != axis)))
        if used.size == 0:
            return None
        box.append(slice(max(used[0] - margin, 0), min(used[-1] + 1 + margin, mask.shape[axis])))
    return tuple(box)


def near(mask, distance_mm, spacing):
    """Voxels within ``distance_mm`` of ``mask`` along the axes (a box, computed per axis)."""
    result = mask.view(np.uint8)
    for axis, s in enumerate(spacing):
        result = ndi.maximum_filter1d(result, 2 * int(round(distance_mm / s)) + 1, axis=axis)
    return result.view(bool)


def without_islands(mask, spacing):
    """The pieces of ``mask`` (touching also by edge or corner) of at least 150 mm3."""
    labels, count = ndi.label(mask, np.ones((3, 3, 3)))
    if count == 0:
        return mask
    sizes = np.bincount(labels[mask], minlength=count + 1)
    keep = sizes * np.prod(spacing) >= LEAST_ISLAND_MM3
    keep[sizes.argmax()] = True
    keep[0] = False
    return keep[labels]


def small_holes(mask, spacing):
    """Pieces of the outside, below 500 mm3, that the mask shuts in on all sides."""
    # One layer more all around makes everything outside a single piece, the one at the corner.
    labels, _ = ndi.label(np.pad(~mask, 1, constant_values=True))
    labels = labels[1:-1, 1:-1, 1:-1]
    shut_in = labels > 1
    if not shut_in.any():
        return shut_in
    fill = np.bincount(labels[shut_in]) * np.prod(spacing) < LARGEST_HOLE_MM3
    shut_in[shut_in] = fill[labels[shut_in]]
    return shut_in


def partial_volume_layer(hu, mask):
    """Voxels that share a face with ``mask`` and hold some skin beside air (-700 to -500 HU)."""
    layer = (hu > PARTIAL_VOLUME_HU) & (hu <= TISSUE_HU)
    return layer & ndi.binary_dilation(mask)

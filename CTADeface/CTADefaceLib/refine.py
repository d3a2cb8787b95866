"""The coarse answer made tight to the CT's own edges at native resolution.

The network works at several millimetres; the skin and the bone are in the volume itself. All arrays
are (S, A, R) over one region, HU and millimetres throughout.
"""

import numpy as np
from scipy import ndimage as ndi

TISSUE_HU = -500.0
PARTIAL_VOLUME_HU = -800.0
BONE_HU = 300.0
LEAST_BONE_MM3 = 400.0
LEAST_ISLAND_MM3 = 150.0
LARGEST_HOLE_MM3 = 500.0
BRAIN_CLOSING_MM = 12.0
LEAST_BRAIN_MM3 = 50_000.0
# Near air the network's border is pulled to the skin, up to this log-odds outside of it.
SKIN_LOGIT = -2.0
SKIN_REACH_MM = 4.0


def refine(hu, logits, spacing, progress=None):
    """Face mask at native resolution.

    Parameters: ``hu`` and ``logits`` (log-odds of face) of the same shape (S, A, R); ``spacing`` (S, A, R)
    in mm.
    Returns: bool array, the face: tissue and devices above -500 HU with their partial-volume layer
    (above -800 HU), without bone, brain, islands below 150 mm3 or holes below 500 mm3.
    """
    steps = iter(np.linspace(0.15, 1, 6))

    def step():
        if progress is not None:
            progress.update(float(next(steps)))

    tissue = hu > TISSUE_HU
    mask = tissue & (logits > 0)
    if not mask.any():
        return mask
    mask |= tissue & (logits > SKIN_LOGIT) & near(~tissue, SKIN_REACH_MM, spacing)
    step()
    bone = skeleton(hu, spacing)
    mask &= ~bone
    step()
    mask &= ~brain(bone, hu, spacing)
    step()
    mask = without_islands(mask, spacing)
    step()
    mask |= small_holes(mask, spacing) & ~bone
    step()
    return mask | partial_volume_layer(hu, mask)


def near(mask, distance_mm, spacing):
    """Voxels within ``distance_mm`` of ``mask`` along the axes (a box, computed per axis)."""
    size = [2 * int(round(distance_mm / s)) + 1 for s in spacing]
    return ndi.maximum_filter(mask.astype(np.uint8), size) > 0


def skeleton(hu, spacing):
    """Bone and teeth: above 300 HU in connected pieces above 400 mm3."""
    return _large(hu > BONE_HU, LEAST_BONE_MM3 / np.prod(spacing))


def _large(mask, least_voxels):
    labels, count = ndi.label(mask)
    if count == 0:
        return mask
    keep = np.bincount(labels.ravel()) >= least_voxels
    keep[0] = False
    return keep[labels]


def brain(bone, hu, spacing):
    """What the skull encloses slice by slice, found at about 3 mm and without the bone itself."""
    steps = [max(int(round(3.0 / s)), 1) for s in spacing]
    coarse_spacing = [n * s for n, s in zip(steps, spacing)]
    coarse = _any_block(bone, steps)
    reach = [int(np.ceil(BRAIN_CLOSING_MM / s)) for s in coarse_spacing]
    padded = np.pad(coarse, [(r, r) for r in reach])
    plane = np.ones((1, 2 * reach[1] + 1, 2 * reach[2] + 1), bool)
    closed = ndi.binary_closing(padded, plane)
    filled = np.stack([ndi.binary_fill_holes(p) for p in closed])
    inner = tuple(slice(r, r + n) for r, n in zip(reach, coarse.shape))
    inside = _large((filled & ~closed)[inner], LEAST_BRAIN_MM3 / np.prod(coarse_spacing))
    # The closing also filled the corners between brain and bone: grow back into them, never through bone.
    inside = ndi.binary_dilation(inside, iterations=max(reach), mask=filled[inner] & ~coarse)
    for axis, n in enumerate(steps):
        inside = np.repeat(inside, n, axis=axis)
    return inside[tuple(slice(0, n) for n in hu.shape)] & ~bone


def _any_block(mask, steps):
    for axis, n in enumerate(steps):
        mask = np.logical_or.reduceat(mask, np.arange(0, mask.shape[axis], n), axis=axis)
    return mask


def without_islands(mask, spacing):
    """The pieces of ``mask`` (touching also by edge or corner) of at least 150 mm3."""
    labels, count = ndi.label(mask, np.ones((3, 3, 3)))
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    keep = sizes * np.prod(spacing) >= LEAST_ISLAND_MM3
    keep[sizes.argmax()] = True
    keep[0] = False
    return keep[labels]


def small_holes(mask, spacing):
    """Pieces of the outside, below 500 mm3, that the mask shuts in on all sides."""
    labels, count = ndi.label(~mask)
    if count == 0:
        return np.zeros_like(mask)
    fill = np.bincount(labels.ravel()) * np.prod(spacing) < LARGEST_HOLE_MM3
    for axis in range(3):
        for face in (labels.take(0, axis), labels.take(-1, axis)):
            fill[np.unique(face)] = False
    fill[0] = False
    return fill[labels]


def partial_volume_layer(hu, mask):
    """Voxels that share a face with ``mask`` and hold some skin beside air (-800 to -500 HU)."""
    layer = (hu > PARTIAL_VOLUME_HU) & (hu <= TISSUE_HU)
    return layer & ndi.binary_dilation(mask)

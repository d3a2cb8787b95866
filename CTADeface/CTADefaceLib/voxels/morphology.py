"""Growing and sorting masks: bool arrays of three axes, any of them; quicker than SciPy's own on a whole scan."""

import numpy as np
from scipy import ndimage as ndi


def beside(mask):
    """Voxels that share a face with a voxel of ``mask``."""
    result = np.zeros_like(mask)
    for axis in range(3):
        low, high = _shifted(axis, 1)
        result[low] |= mask[high]
        result[high] |= mask[low]
    return result


def opened(mask):
    """``mask`` without what is thinner than three voxels: eroded and dilated by faces; beyond the border it goes on."""
    rest = ~mask
    inner = ~(rest | beside(rest))
    return inner | beside(inner)


def widened(mask, reach):
    """``mask`` and all voxels up to ``reach`` voxels (one number per axis) from it: a box, computed per axis."""
    for axis, voxels in enumerate(reach):
        mask = _widened(mask, voxels, axis)
    return mask


def near(mask, distance_mm, spacing):
    """Voxels within ``distance_mm`` of ``mask`` along the axes."""
    return widened(mask, [int(round(distance_mm / s)) for s in spacing])


def within(mask, distance_mm, spacing):
    """Voxels at most ``distance_mm`` from ``mask``, which is not empty, in a straight line; ``spacing`` in mm."""
    reach = [int(distance_mm / s) for s in spacing]
    box = bounding_box(mask, reach)
    result = np.zeros_like(mask)
    result[box] = ndi.distance_transform_edt(~mask[box], spacing) <= distance_mm
    return result


def bounding_box(mask, margin=0):
    """Three slices around the True voxels of ``mask``, ``margin`` voxels (one number, or one per axis) wider, or None."""
    shadow, margin, box = mask.any(0), np.broadcast_to(margin, 3), []
    for axis, line in enumerate((mask.any((1, 2)), shadow.any(1), shadow.any(0))):
        used = np.flatnonzero(line)
        if used.size == 0:
            return None
        box.append(slice(max(used[0] - margin[axis], 0), min(used[-1] + 1 + margin[axis], mask.shape[axis])))
    return tuple(box)


def keep_large(mask, least_voxels):
    """The connected pieces of ``mask`` (sharing faces) with at least ``least_voxels`` voxels."""
    labels, count = ndi.label(mask)
    if count == 0:
        return mask
    keep = np.bincount(labels[mask], minlength=count + 1) >= least_voxels
    keep[0] = False
    return keep[labels]


def evident_pieces(odds, reach_mm, spacing, least_share=1.0):
    """(main pieces, those and all pieces within ``reach_mm`` of them) of ``odds`` > 0, both bool; None without any.

    Main are the pieces with at least ``least_share`` of the evidence for the most evident one. Evidence is the sum of
    log-odds, so that a large but doubtful piece elsewhere does not win. ``spacing`` of a voxel in mm.
    """
    labels, count = ndi.label(odds > 0, np.ones((3, 3, 3)))
    if count == 0:
        return None
    evidence = ndi.sum_labels(odds, labels, np.arange(1, count + 1))
    main = np.isin(labels, 1 + np.flatnonzero(evidence >= least_share * evidence.max()))
    near = np.unique(labels[within(main, reach_mm, spacing)])
    return main, np.isin(labels, near[near > 0])


def _widened(mask, reach, axis):
    done = 0
    while done < min(reach, mask.shape[axis] - 1):
        # No longer: at a border only one side is there to go on from.
        step = min(done + 1, reach - done, mask.shape[axis] - 1)
        low, high = _shifted(axis, step)
        result = mask.copy()
        result[low] |= mask[high]
        result[high] |= mask[low]
        mask, done = result, done + step
    return mask


def _shifted(axis, step):
    """Indices of all voxels but the last ``step`` along ``axis``, and all but the first."""
    return (tuple(slice(None, -step) if a == axis else slice(None) for a in range(3)),
            tuple(slice(step, None) if a == axis else slice(None) for a in range(3)))

"""Growing, cleaning and measuring masks: bool arrays of three axes in any order; faster than SciPy on a whole scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage as ndi


def beside(mask: np.ndarray) -> np.ndarray:
    """Voxels that share a face with a voxel of ``mask``."""
    result = np.zeros_like(mask)
    for axis in range(3):
        low, high = _shifted(axis, 1)
        result[low] |= mask[high]
        result[high] |= mask[low]
    return result


def opened(mask: np.ndarray) -> np.ndarray:
    """``mask`` without parts thinner than three voxels: eroded, then dilated, by shared faces.

    Beyond the array's border the mask is taken to go on.
    """
    rest = ~mask
    inner = ~(rest | beside(rest))
    return inner | beside(inner)


def widened(mask: np.ndarray, reach: Sequence[int]) -> np.ndarray:
    """``mask`` dilated by a box that reaches ``reach`` voxels (one number per axis) to each side."""
    for axis, voxels in enumerate(reach):
        mask = _widened(mask, voxels, axis)
    return mask


def narrowed(mask: np.ndarray, reach: Sequence[int]) -> np.ndarray:
    """``mask`` eroded by the box of ``widened``. Beyond the array's border nothing is True."""
    margin = [(min(n, 1),) * 2 for n in reach]
    outside = widened(np.pad(~mask, margin, constant_values=True), reach)
    return ~outside[tuple(slice(low, low + n) for (low, _), n in zip(margin, mask.shape))]


def near(mask: np.ndarray, distance_mm: float, spacing: Sequence[float]) -> np.ndarray:
    """``mask`` dilated by a box that reaches ``distance_mm`` along each axis; ``spacing`` in mm."""
    return widened(mask, [round(distance_mm / s) for s in spacing])


def within(mask: np.ndarray, distance_mm: float, spacing: Sequence[float]) -> np.ndarray:
    """Voxels at a Euclidean distance of at most ``distance_mm`` from ``mask``, not empty; ``spacing`` in mm."""
    reach = [int(distance_mm / s) for s in spacing]
    box = bounding_box(mask, reach)
    result = np.zeros_like(mask)
    result[box] = ndi.distance_transform_edt(~mask[box], spacing) <= distance_mm
    return result


def depth_below_ball(mask: np.ndarray, ball_mm: float, spacing: Sequence[float]) -> np.ndarray:
    """mm from each voxel to the nearest centre of a ball that is rolled over ``mask``, not empty, from outside.

    Voxels with more than ``ball_mm`` are those that the ball does not reach: the closing of ``mask``. Beyond the array's
    border the mask goes on as it is there; ``spacing`` in mm. Infinite where there is no room for a ball at all.
    """
    margin = [(int(ball_mm / s) + 1,) * 2 for s in spacing]
    near = ndi.distance_transform_edt(~np.pad(mask, margin, mode="edge"), spacing) <= ball_mm
    if near.all():
        return np.full(mask.shape, np.inf)
    depth: np.ndarray = ndi.distance_transform_edt(near, spacing)
    return depth[tuple(slice(m[0], -m[1]) for m in margin)]


def bounding_box(mask: np.ndarray, margin: int | Sequence[int] = 0) -> tuple[slice, ...] | None:
    """Three slices around the True voxels of ``mask``, wider by ``margin`` voxels (or one number per axis), or None."""
    margins, box = np.broadcast_to(margin, 3), []
    shadow: np.ndarray = np.logical_or.reduce(mask, 0)
    for axis, line in enumerate((mask.any((1, 2)), shadow.any(1), shadow.any(0))):
        used = np.flatnonzero(line)
        if used.size == 0:
            return None
        box.append(slice(max(used[0] - margins[axis], 0), min(used[-1] + 1 + margins[axis], mask.shape[axis])))
    return tuple(box)


def keep_large(mask: np.ndarray, least_voxels: float) -> np.ndarray:
    """The connected pieces of ``mask`` (sharing faces) with at least ``least_voxels`` voxels."""
    labels, count = ndi.label(mask)
    if count == 0:
        return mask
    keep = np.bincount(labels[mask], minlength=count + 1) >= least_voxels
    keep[0] = False
    return keep[labels]


def evident_pieces(
    odds: np.ndarray, reach_mm: float, spacing: Sequence[float], least_share: float = 1.0
) -> tuple[np.ndarray, np.ndarray] | None:
    """The pieces of ``odds`` > 0 with the most evidence; None when there is no piece.

    Evidence is the sum of log-odds, so that a large but doubtful piece elsewhere does not win. ``spacing`` in mm.
    Returns: (the main pieces, which have at least ``least_share`` of the largest evidence; those and all pieces within
    ``reach_mm`` of them), both bool.
    """
    labels, count = ndi.label(odds > 0, np.ones((3, 3, 3)))
    if count == 0:
        return None
    evidence = ndi.sum_labels(odds, labels, np.arange(1, count + 1))
    main = np.isin(labels, 1 + np.flatnonzero(evidence >= least_share * evidence.max()))
    near = np.unique(labels[within(main, reach_mm, spacing)])
    return main, np.isin(labels, near[near > 0])


def _widened(mask: np.ndarray, reach: int, axis: int) -> np.ndarray:
    done = 0
    while done < min(reach, mask.shape[axis] - 1):
        # A longer step would leave gaps at a border, where the mask grows from one side only.
        step = min(done + 1, reach - done, mask.shape[axis] - 1)
        low, high = _shifted(axis, step)
        result = mask.copy()
        result[low] |= mask[high]
        result[high] |= mask[low]
        mask, done = result, done + step
    return mask


def _shifted(axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Indices of all voxels but the last ``step`` along ``axis``, and of all but the first ``step``."""
    return (
        tuple(slice(None, -step) if a == axis else slice(None) for a in range(3)),
        tuple(slice(step, None) if a == axis else slice(None) for a in range(3)),
    )

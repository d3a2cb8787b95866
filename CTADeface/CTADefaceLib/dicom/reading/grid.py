"""Masks and volumes between the grids of one frame of reference."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...voxels.hu import AIR_HU
from ...voxels.slabs import for_slabs
from ...voxels.volume import Geometry, Volume
from .stack import Stack

MOST_PLANES = 2000
# A slice that is thicker than the mask's own spacing is sampled at up to so many places of its depth.
MOST_DEPTHS = 9
OVERHANG_MM = 10.0


def upright(volume: Volume, stack: Stack) -> Volume:
    """A tilted or uneven stack as a ``Volume`` of HU (int16) on an even, rectangular grid along its own slices.

    Slices are shifted back over one another and interpolated (linearly) between the two next to each height.
    """
    heights = stack.heights
    rows_mm, columns_mm = stack.pixel_mm
    step = float(max(np.diff(heights).min(), np.ptp(heights) / MOST_PLANES))
    planes = int(np.ceil(np.ptp(heights) / step - 1e-6)) + 1
    down, across = (_shifts(stack, axis, mm) for axis, mm in ((stack.column, rows_mm), (stack.row, columns_mm)))
    first = int(np.floor(down.min())), int(np.floor(across.min()))
    last = stack.rows + int(np.ceil(down.max())), stack.columns + int(np.ceil(across.max()))
    size = planes, last[0] - first[0], last[1] - first[1]
    hu = np.empty(size, np.int16)

    def moved(index: int) -> np.ndarray:
        offset = first[0] - down[index], first[1] - across[index]
        plane = volume.to_hu(volume.stored[index]).astype(np.float32)
        return ndimage.affine_transform(plane, np.ones(2), offset, size[1:], order=1, cval=AIR_HU)

    def fill(chunk: slice) -> None:
        for k in range(chunk.start, chunk.stop):
            height = min(heights[0] + k * step, heights[-1])
            after = min(max(int(np.searchsorted(heights, height)), 1), len(heights) - 1)
            share = (height - heights[after - 1]) / (heights[after] - heights[after - 1])
            below = moved(after - 1) if share < 1 else 0.0
            above = moved(after) if share > 0 else 0.0
            hu[k] = np.rint((1 - share) * below + share * above)

    for_slabs(fill, planes, 8)
    origin = stack.positions[0] + first[0] * rows_mm * stack.column + first[1] * columns_mm * stack.row
    direction = np.stack([stack.row, stack.column, stack.normal], axis=1)
    return Volume(hu, Geometry((columns_mm, rows_mm, step), tuple(origin), direction), name=volume.name)


def even_mask(mask: np.ndarray, volume: Volume, stack: Stack) -> tuple[np.ndarray, Geometry]:
    """A mask, bool (k, rows, columns) on the slices of ``stack`` and its ``volume``, and its grid: an even one, from which
    the mask can be resampled to other series."""
    if stack.upright:
        return mask, volume.geometry
    even = upright(Volume(mask.astype(np.int16) * 1000, volume.geometry), stack)
    return even.stored >= 500, even.geometry


def _shifts(stack: Stack, axis: np.ndarray, mm: float) -> np.ndarray:
    """Pixels by which each slice lies farther along ``axis`` than the lowest one."""
    return (stack.positions - stack.positions[0]) @ axis / mm


def mask_on_stack(mask: np.ndarray, geometry: Geometry, stack: Stack) -> np.ndarray:
    """A mask on the grid ``geometry`` as bool (k, rows, columns) on the slices of ``stack``, in any orientation.

    A pixel belongs to the mask when at least half of it, over the thickness of its slice, lies in the mask; outside of
    the mask's own grid none does.
    """
    result = np.zeros((len(stack.planes), stack.rows, stack.columns), bool)
    box = ndimage.find_objects(mask.view(np.uint8))
    if not box or box[0] is None:
        return result
    start = np.array([s.start for s in box[0]])
    part = np.pad(mask[box[0]].astype(np.float32), 1)
    to_index = np.linalg.inv(_lps(geometry))
    rows_mm, columns_mm = stack.pixel_mm

    def index_of(points: np.ndarray) -> np.ndarray:
        """(k, j, i) in ``part`` of LPS points (..., 3)."""
        ijk = points @ to_index[:3, :3].T + to_index[:3, 3]
        return ijk[..., ::-1] - start + 1

    axes = index_of(np.stack([stack.normal, stack.column * rows_mm, stack.row * columns_mm])) - index_of(np.zeros(3))
    depths = _depths(stack, axes[0])

    def look(chunk: slice) -> None:
        for k in range(chunk.start, chunk.stop):
            origin = index_of(np.asarray(stack.planes[k].position))
            region = _region(part.shape, origin, axes, depths, result.shape[1:])
            if region is not None:
                result[k][region] = _coverage(part, origin, axes, depths, region) >= 0.5

    for_slabs(look, len(stack.planes), 4)
    return result


def shows_more(stack: Stack, mask: np.ndarray, geometry: Geometry) -> bool:
    """Does ``stack`` go on for 10 mm or more where the mask is cut off by the border of its grid?"""
    to_lps, to_index = _lps(geometry), np.linalg.inv(_lps(stack.geometry))
    for axis, (count, spacing) in enumerate(zip(mask.shape, geometry.spacing[::-1])):
        for border, beyond in ((0, -OVERHANG_MM / spacing), (count - 1, count - 1 + OVERHANG_MM / spacing)):
            points = np.insert(np.argwhere(mask.take(border, axis)).astype(float), axis, beyond, axis=1)[:, ::-1]
            points = (points @ to_lps[:3, :3].T + to_lps[:3, 3]) @ to_index[:3, :3].T + to_index[:3, 3]
            size = stack.columns, stack.rows, len(stack.planes)
            if np.all((points >= 0) & (points <= np.array(size) - 1), axis=1).any():
                return True
    return False


def _lps(geometry: Geometry) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = geometry.direction * np.asarray(geometry.spacing)
    matrix[:3, 3] = geometry.origin
    return matrix


def _depths(stack: Stack, normal_index: np.ndarray) -> np.ndarray:
    """Offsets in mm along the normal at which a slice is sampled."""
    thickness = stack.planes[0].thickness or 0.0
    count = int(np.clip(np.ceil(thickness * np.linalg.norm(normal_index)), 1, MOST_DEPTHS))
    return (np.arange(count) + 0.5) / count * thickness - thickness / 2 if count > 1 else np.zeros(1)


def _region(
    shape: tuple[int, ...], origin: np.ndarray, axes: np.ndarray, depths: np.ndarray, size: tuple[int, ...]
) -> tuple[slice, ...] | None:
    """The (rows, columns) of a slice that can meet the box of ``shape`` in index space, or None if the slice misses it."""
    corners = np.array(np.meshgrid(*((-1, n) for n in shape), indexing="ij")).reshape(3, -1).T
    depth, row, column = np.linalg.solve(axes.T, (corners - origin).T)
    if depth.max() < depths[0] or depth.min() > depths[-1]:
        return None
    found = [slice(max(int(np.floor(v.min())), 0), min(int(np.ceil(v.max())) + 1, n)) for v, n in zip((row, column), size)]
    return None if any(s.start >= s.stop for s in found) else tuple(found)


def _coverage(
    part: np.ndarray, origin: np.ndarray, axes: np.ndarray, depths: np.ndarray, region: tuple[slice, ...]
) -> np.ndarray:
    """Share of each pixel of ``region`` that lies in the mask."""
    size = tuple(s.stop - s.start for s in region)
    total = np.zeros(size, np.float32)
    for depth in depths:
        corner = origin + depth * axes[0] + region[0].start * axes[1] + region[1].start * axes[2]
        # The first axis of the output has only one plane.
        matrix = np.stack([axes[0], axes[1], axes[2]], axis=1)
        total += ndimage.affine_transform(part, matrix, corner, (1, *size), order=1)[0]
    return total / len(depths)

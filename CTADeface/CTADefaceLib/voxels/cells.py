"""Voxels grouped into cells of about 1 mm, so that pieces and distances cost the same at every resolution.

A volume of 1 mm or coarser has one voxel per cell, and then nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .slabs import PLANES, for_slabs

CELL_MM = 1.0


class Cells:
    """Cells of about ``size`` mm over a grid of ``shape`` voxels with ``spacing`` in mm.

    ``steps``: voxels of a cell along each axis. ``spacing``: of the cells, in mm.
    """

    def __init__(self, shape: Sequence[int], spacing: Sequence[float], size: float = CELL_MM) -> None:
        self.voxels = tuple(shape)
        self.steps = tuple(max(round(size / s), 1) for s in spacing)
        self.spacing = tuple(s * n for s, n in zip(spacing, self.steps))
        self.shape = tuple(-(-n // step) for n, step in zip(shape, self.steps))
        self.voxel_mm3 = float(np.prod(spacing))
        self._slab = self.steps[0] * max(PLANES // self.steps[0], 1)

    def for_slabs(self, function: Callable[[slice, slice], object]) -> None:
        """Call ``function(planes, rows)`` for every slab: its slices of voxels and of cells along the first axis."""
        step = self.steps[0]
        for_slabs(
            lambda planes: function(planes, slice(planes.start // step, -(-planes.stop // step))), self.voxels[0], self._slab
        )

    def any(self, mask: np.ndarray) -> np.ndarray:
        """Bool per cell: is any of its voxels True? ``mask`` may be a slab that begins with a cell's first plane."""
        return self._pooled(mask, np.logical_or)

    def count(self, mask: np.ndarray) -> np.ndarray:
        """uint16 per cell: how many of its voxels are True; ``mask`` as for ``any``."""
        counts = mask.view(np.uint8)
        if np.prod(self.steps) > 255:
            counts = counts.astype(np.uint16)
        return self._pooled(counts, np.add).astype(np.uint16, copy=False)

    def capacity(self) -> np.ndarray:
        """uint16 per cell: how many voxels it has (fewer at the far borders)."""
        along = [
            np.minimum(n, size - n * np.arange(-(-size // n))).astype(np.uint16) for size, n in zip(self.voxels, self.steps)
        ]
        return along[0][:, None, None] * along[1][:, None] * along[2]

    def first(self, array: np.ndarray) -> np.ndarray:
        """The value of ``array`` at the first voxel of each cell."""
        return array[tuple(slice(None, None, n) for n in self.steps)]

    def spread(self, cells: np.ndarray, planes: slice) -> np.ndarray:
        """Each cell's value at its voxels, for the slice ``planes`` of the first axis."""
        return expand(cells, self.steps, (planes, *(slice(0, n) for n in self.voxels[1:])), offset=0)

    def _pooled(self, array: np.ndarray, combine: np.ufunc) -> np.ndarray:
        # The slowest axis first: this combines whole planes and leaves less for the other axes.
        for axis, n in enumerate(self.steps):
            if n == 1:
                continue
            index = [slice(None)] * 3
            index[axis] = slice(0, None, n)
            pooled = array[tuple(index)].copy()
            for start in range(1, n):
                index[axis] = slice(start, None, n)
                part = array[tuple(index)]
                target = pooled[tuple(slice(0, m) for m in part.shape)]
                combine(target, part, out=target)
            array = pooled
        return array


def expand(coarse: np.ndarray, steps: Sequence[int], region: Sequence[slice], offset: int | None = None) -> np.ndarray:
    """``coarse`` (every n-th voxel) on the full-resolution ``region`` (three slices).

    ``offset`` voxels are added before the division by ``steps``: 0 for cells; the default, half a step, gives the
    nearest of samples taken at every n-th voxel.
    """
    nearest = [
        np.minimum((np.arange(r.start, r.stop) + (n // 2 if offset is None else offset)) // n, size - 1)
        for r, n, size in zip(region, steps, coarse.shape)
    ]
    # Crop first. Then the fastest axis, while the array is small; the last axis copies whole planes.
    coarse = coarse[tuple(slice(index[0], index[-1] + 1) for index in nearest)]
    for axis in (2, 1, 0):
        coarse = coarse.take(nearest[axis] - nearest[axis][0], axis=axis)
    return coarse

"""Voxels grouped into cells of about 1 mm, so that pieces and distances cost the same at every resolution.

A volume of 1 mm or coarser has one voxel per cell, and then nothing is approximated.
"""

import numpy as np

from .slabs import PLANES, for_slabs

CELL_MM = 1.0


class Cells:
    """Cells of about ``size`` mm over a grid of ``shape`` voxels with ``spacing`` in mm.

    A cell has ``steps`` voxels per axis.

    ``spacing``: of the cells, in mm.
    """

    def __init__(self, shape, spacing, size=CELL_MM):
        self.voxels = tuple(shape)
        self.steps = tuple(max(int(round(size / s)), 1) for s in spacing)
        self.spacing = tuple(s * n for s, n in zip(spacing, self.steps))
        self.shape = tuple(-(-n // step) for n, step in zip(shape, self.steps))
        self.voxel_mm3 = float(np.prod(spacing))
        self._slab = self.steps[0] * max(PLANES // self.steps[0], 1)

    def for_slabs(self, function):
        """Call ``function(planes, rows)``, slices of voxels and of cells along the first axis, for slabs of all."""
        step = self.steps[0]
        for_slabs(lambda planes: function(planes, slice(planes.start // step, -(-planes.stop // step))),
                  self.voxels[0], self._slab)

    def any(self, mask):
        """Bool per cell: is one of its voxels True? ``mask`` may be some of the planes, from a cell's first one."""
        return self._pooled(mask, np.logical_or)

    def count(self, mask):
        """uint16 per cell: how many of its voxels are True. ``mask`` as above."""
        counts = mask.view(np.uint8)
        if np.prod(self.steps) > 255:
            counts = counts.astype(np.uint16)
        return self._pooled(counts, np.add).astype(np.uint16, copy=False)

    def capacity(self):
        """uint16 per cell: how many voxels it has (fewer at the far borders)."""
        along = [np.minimum(n, size - n * np.arange(-(-size // n))).astype(np.uint16)
                 for size, n in zip(self.voxels, self.steps)]
        return along[0][:, None, None] * along[1][:, None] * along[2]

    def first(self, array):
        """The value of ``array`` at the first voxel of each cell."""
        return array[tuple(slice(None, None, n) for n in self.steps)]

    def spread(self, cells, planes):
        """The planes ``planes`` (a slice) of the array of voxels that has each cell's value."""
        return expand(cells, self.steps, (planes, *(slice(0, n) for n in self.voxels[1:])), offset=0)

    def _pooled(self, array, combine):
        # The slowest axis first: whole planes are combined, and the rest is smaller.
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


def expand(coarse, steps, region, offset=None):
    """``coarse`` (every n-th voxel) on the full-resolution ``region`` (three slices).

    ``offset`` voxels are added before the division by ``steps``: 0 for cells, by default half a step, which gives
    the nearest of samples taken at every n-th voxel.
    """
    nearest = [np.minimum((np.arange(r.start, r.stop) + (n // 2 if offset is None else offset)) // n, size - 1)
               for r, n, size in zip(region, steps, coarse.shape)]
    # Only what is needed, and the fastest axis first, while the array is small; the last one copies whole planes.
    coarse = coarse[tuple(slice(index[0], index[-1] + 1) for index in nearest)]
    for axis in (2, 1, 0):
        coarse = coarse.take(nearest[axis] - nearest[axis][0], axis=axis)
    return coarse

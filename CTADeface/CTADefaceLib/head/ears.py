"""Both ears: which voxels are pinna, and what is levelled at the head's sides when they go.

The pinna is all tissue that stands out from the head's side where the ear stands (``head.pinna``): cartilage, earrings, plugs.
As the face is levelled along its own direction, the sides are levelled to lateral: within an ellipse that does not follow the
ear, everything outside of the tissue that stays goes, air with its noise and partial volumes included.
"""

from functools import cached_property
from itertools import product

import numpy as np
from scipy import ndimage as ndi

from ..voxels.hu import TISSUE_HU
from ..voxels.slabs import for_slabs
from ..voxels.volume import ras_affine, ras_view
from . import pinna

SIDES = {"right_ear": 1, "left_ear": -1}
# The surface is known to this: no nearer to it tissue goes.
SURFACE_MM = 0.4
# What a mask has so far below the surface, where the ear stands, is the ear's and not the face's.
OF_EAR_MM, OF_EAR_CELLS = pinna.DEEPEST_MM + 2.0, 2
# Voxels are looked up on maps of this spacing.
MAP_MM = 0.5
# Head mm to lateral from which on voxels are looked at: below the flattest head's side.
INNER_MM = 40.0


class Ears:
    """The ears of a ``Volume`` whose head lies in a ``Frame``; without a frame there are none."""

    def __init__(self, volume, frame):
        self.volume = volume
        found = [] if frame is None else [Ear(name, volume, frame) for name in SIDES]
        self.each = [ear for ear in found if ear.surface is not None]

    def of(self, name):
        """The ``Ear`` of that name, None where no head's side was seen."""
        return next((ear for ear in self.each if ear.name == name), None)

    def added_to(self, mask):
        """``mask`` (bool (k, j, i)) with the tissue of both pinnae, a new array."""
        result = mask.copy()
        for ear in self.each:
            ear.part_of(result)[ear.tissue] = True
        return result

    def taken_from(self, mask):
        """``mask`` (bool (k, j, i)) without what of it is an ear's, however a person has changed it; a new array."""
        result = mask.copy()
        for ear in self.each:
            ear.part_of(result)[ear.zone] = False
        return result

    def levelled(self, mask):
        """[(three slices of the RAS view, bool array of that part)]: what is levelled beside a mask with ears."""
        return [(ear.box, ear.levelled(ear.part_of(mask))) for ear in self.each]

    def beside(self):
        """Bool (k, j, i): where air may be levelled."""
        result = np.zeros(self.volume.stored.shape, bool)
        for ear in self.each:
            ear.part_of(result)[ear.outside] = True
        return result


class Ear:
    """One ear (``name`` of ``SIDES``). Arrays are those of the part ``box`` (three slices) of the volume's RAS view."""

    def __init__(self, name, volume, frame):
        self.name, self.volume, self.frame = name, volume, frame
        flip = np.diag([SIDES[name], 1.0, 1.0, 1.0])
        # From the index (s, a, r, 1) of the view to head mm, rows superior, anterior, lateral; and back.
        self._to_head = (flip @ frame.matrix @ ras_affine(volume))[[2, 1, 0]]
        self._to_index = np.linalg.inv(np.vstack([self._to_head, [0, 0, 0, 1]]))
        self.box = self._box(INNER_MM)

    def part_of(self, array):
        """The view of this part of an array (k, j, i) on the volume's grid."""
        return ras_view(array, self.volume.geometry)[self.box]

    def _box(self, inner):
        corners = np.array(list(product(*zip((*pinna.LOW_MM[:2], inner), pinna.HIGH_MM))))
        index = corners @ self._to_index[:3, :3].T + self._to_index[:3, 3]
        sizes = self.volume.ras().shape
        return tuple(slice(int(np.clip(np.floor(low), 0, size)), int(np.clip(np.ceil(high) + 1, 0, size)))
                     for low, high, size in zip(index.min(0), index.max(0), sizes))

    @cached_property
    def _grid(self):
        """(HU, bool inside of the image), (S, A, L), on the grid of ``head.pinna``; None where the image does not reach."""
        box = self._box(pinna.LOW_MM[2])
        sizes = [part.stop - part.start for part in box]
        if min(sizes) < 2:
            return None
        points = np.stack(np.meshgrid(*(pinna.grid_axis(axis) for axis in range(3)), indexing="ij"))
        index = np.tensordot(self._to_index[:3, :3], points, 1) + self._to_index[:3, 3][:, None, None, None]
        index -= np.array([part.start for part in box])[:, None, None, None]
        inside = np.all([(at >= -0.5) & (at <= size - 0.5) for at, size in zip(index, sizes)], 0)
        hu = self.volume.to_hu(np.ascontiguousarray(self.volume.ras()[box]))
        return ndi.map_coordinates(hu, index, np.float32, order=1, mode="nearest"), inside

    @cached_property
    def surface(self):
        """The ``HeadSide`` without this ear, None where none is seen."""
        return None if self._grid is None else pinna.head_side(*self._grid)

    @cached_property
    def in_view(self):
        """Share of the place where an ear stands that lies in the image."""
        return float(self._grid[1][pinna.ellipse(pinna.CORE_MM)].mean()) if self._grid else 0.0

    @cached_property
    def _places(self):
        """(index on a flat map of ``MAP_MM``, head mm to lateral), int32 and float32, of each voxel of the part."""
        axes = [np.arange(part.start, part.stop, dtype=np.float32) for part in self.box]
        shape = [len(axis) for axis in axes]
        place, lateral = np.empty(shape, np.int32), np.empty(shape, np.float32)
        rows = self._to_head.copy()
        rows[:2, 3] -= pinna.LOW_MM[:2]
        rows[:2] /= MAP_MM
        rows = rows.astype(np.float32)
        sizes = self._map_shape

        def look(planes):
            def at(row):
                return (row[0] * axes[0][planes, None, None] + row[3]) + (row[1] * axes[1][:, None] + row[2] * axes[2])

            s, a = (np.clip(at(rows[axis]) + np.float32(0.5), 0, sizes[axis] - 1).astype(np.int32) for axis in range(2))
            s *= sizes[1]
            np.add(s, a, out=place[planes])
            lateral[planes] = at(rows[2])

        for_slabs(look, shape[0])
        return place, lateral

    @property
    def _map_shape(self):
        return tuple(int(n * pinna.GRID_MM / MAP_MM) for n in self.surface.height.shape)

    def _map(self, values, order):
        """Values (S, A) of the grid of ``head.pinna`` on the flat map that ``_places`` leads to."""
        at = [np.arange(size, dtype=np.float32) * MAP_MM / pinna.GRID_MM for size in self._map_shape]
        return ndi.map_coordinates(values, np.meshgrid(*at, indexing="ij"), np.float32, order=order, mode="nearest").ravel()

    def _beyond(self, height, where):
        """Bool of the part: farther to lateral than a map (S, A) of heights, on the lines ``where`` (bool (S, A))."""
        place, lateral = self._places
        limit = np.where(self._map(where.astype(np.float32), 0) > 0.5, self._map(height, 1), np.inf).astype(np.float32)
        result = np.empty(place.shape, bool)
        for_slabs(lambda planes: np.greater(lateral[planes], limit[place[planes]], out=result[planes]), len(place))
        return result

    @cached_property
    def tissue(self):
        """Bool: what of the ear is tissue."""
        near = self._beyond(self.surface.height - pinna.DEEPEST_MM, self.surface.foot)
        result, stored = self._beyond(self.surface.height + SURFACE_MM, self.surface.foot), self.part_of(self.volume.stored)

        def look(planes):
            near[planes] &= self.volume.to_hu(stored[planes]) > TISSUE_HU
            result[planes] &= near[planes]
            near[planes] &= ~result[planes]

        for_slabs(look, len(result))
        place, lateral = (values[near] for values in self._places)
        s, a = np.divmod(place, self._map_shape[1])
        cell = np.clip((lateral - pinna.LOW_MM[2]) / pinna.GRID_MM + 0.5, 0, self.surface.undercut.shape[2] - 1).astype(int)
        step = pinna.GRID_MM / MAP_MM
        s, a = (np.minimum((at / step + 0.5).astype(int), n - 1) for at, n in zip((s, a), self.surface.undercut.shape))
        result[near] = self.surface.undercut[s, a, cell]
        return result

    @cached_property
    def zone(self):
        """Bool: what a mask has here is the ear's."""
        near = ndi.binary_dilation(self.surface.foot, iterations=OF_EAR_CELLS) & (pinna.grid_axis(1) < pinna.FRONT_MM)
        return self._beyond(self.surface.height - OF_EAR_MM, near)

    @cached_property
    def outside(self):
        """Bool: outside of the head's side, within the ellipse that is levelled."""
        return self._beyond(self.surface.height, pinna.ellipse(pinna.REACH_MM))

    def levelled(self, mask):
        """Bool: what of the ``mask`` (this part of it) is the ear's, and what lies outside of all tissue that stays on its line."""
        place, lateral = self._places
        stored, outside = self.part_of(self.volume.stored), self.outside
        stays = outside & ~mask
        stays &= self.volume.to_hu(stored) > TISSUE_HU
        # No finer than the voxels: each line must meet some.
        step = max(int(np.ceil(self._line_mm / MAP_MM)), 1)
        rows, columns = -(-np.array(self._map_shape) // step)
        s, a = np.divmod(np.arange(np.prod(self._map_shape)), self._map_shape[1])
        line = ((s // step) * columns + a // step).astype(np.int32)
        last = np.full(rows * columns, -np.inf, np.float32)
        np.maximum.at(last, line[place[stays]], lateral[stays])
        result = lateral > last[line][place]
        result &= outside
        result |= mask & self.zone
        return result

    @property
    def _line_mm(self):
        """Head mm: a square of this size holds a voxel of every plane."""
        return float(np.abs(self._to_head[:2, :3]).sum(1).max())

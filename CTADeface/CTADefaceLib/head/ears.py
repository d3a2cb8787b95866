"""Both ears: which voxels are pinna, and which are levelled at the head's sides when the ears go.

The pinna is all tissue that stands out from the head's side where the ear stands (``head.pinna``): cartilage, earrings, plugs.
The face is levelled along its own direction; in the same way the sides are levelled to lateral: within an ellipse that does
not follow the ear, everything outside of the tissue that stays goes, air with its noise and partial volumes included.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product

import numpy as np
from scipy import ndimage as ndi

from ..voxels.hu import TISSUE_HU
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume, ras_affine, ras_view
from . import pinna
from .frame import Frame

SIDES = {"right_ear": 1, "left_ear": -1}
# The surface is known to this accuracy: tissue nearer to it stays.
SURFACE_MM = 0.4
# Where the ear stands, a mask's voxels down to this far below the surface are the ear's and not the face's.
OF_EAR_MM, OF_EAR_CELLS = pinna.DEEPEST_MM + 2.0, 2
# Spacing of the maps on which voxels are looked up.
MAP_MM = 0.5
# Head mm to lateral: only voxels farther out are looked at. It lies within the flattest head's side.
INNER_MM = 40.0


class Ears:
    """The ears of a ``Volume`` whose head lies in a ``Frame``; without a frame there are none."""

    def __init__(self, volume: Volume, frame: Frame | None) -> None:
        self.volume = volume
        found = [] if frame is None else [Ear(name, volume, frame) for name in SIDES]
        self.each = [ear for ear in found if ear.surface is not None]

    def of(self, name: str) -> Ear | None:
        """The ``Ear`` of that name, None where no head's side was seen."""
        return next((ear for ear in self.each if ear.name == name), None)

    def added_to(self, mask: np.ndarray) -> np.ndarray:
        """``mask`` (bool (k, j, i)) with the tissue of both pinnae, a new array."""
        result = mask.copy()
        for ear in self.each:
            ear.part_of(result)[ear.tissue] = True
        return result

    def taken_from(self, mask: np.ndarray) -> np.ndarray:
        """``mask`` (bool (k, j, i)) without the voxels that are an ear's, also those a person has drawn; a new array."""
        result = mask.copy()
        for ear in self.each:
            ear.part_of(result)[ear.zone] = False
        return result

    def levelled(self, mask: np.ndarray) -> list[tuple[tuple[slice, ...], np.ndarray]]:
        """[(three slices of the RAS view, bool array of that part)]: the voxels at the head's sides that are levelled for a
        mask with ears."""
        return [(ear.box, ear.levelled(ear.part_of(mask))) for ear in self.each]

    def beside(self) -> np.ndarray:
        """Bool (k, j, i): where air may be levelled."""
        result = np.zeros(self.volume.stored.shape, bool)
        for ear in self.each:
            ear.part_of(result)[ear.outside] = True
        return result


class Ear:
    """One ear (``name`` of ``SIDES``). Arrays are those of the part ``box`` (three slices) of the volume's RAS view."""

    def __init__(self, name: str, volume: Volume, frame: Frame) -> None:
        self.name, self.volume, self.frame = name, volume, frame
        flip = np.diag([SIDES[name], 1.0, 1.0, 1.0])
        # From the index (s, a, r, 1) of the view to head mm, rows superior, anterior, lateral; and back.
        self._to_head = (flip @ frame.matrix @ ras_affine(volume))[[2, 1, 0]]
        self._to_index = np.linalg.inv(np.vstack([self._to_head, [0, 0, 0, 1]]))
        self.box = self._box(INNER_MM)

    def part_of(self, array: np.ndarray) -> np.ndarray:
        """The view of this part of an array (k, j, i) on the volume's grid."""
        return ras_view(array, self.volume.geometry)[self.box]

    def _box(self, inner: float) -> tuple[slice, ...]:
        corners = np.array(list(product(*zip((*pinna.LOW_MM[:2], inner), pinna.HIGH_MM))))
        index = corners @ self._to_index[:3, :3].T + self._to_index[:3, 3]
        sizes = self.volume.ras().shape
        return tuple(
            slice(int(np.clip(np.floor(low), 0, size)), int(np.clip(np.ceil(high) + 1, 0, size)))
            for low, high, size in zip(index.min(0), index.max(0), sizes)
        )

    @cached_property
    def _grid(self) -> tuple[np.ndarray, np.ndarray] | None:
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
    def surface(self) -> pinna.HeadSide | None:
        """The ``HeadSide`` without this ear, None where none is seen."""
        return None if self._grid is None else pinna.head_side(*self._grid)

    @property
    def _side(self) -> pinna.HeadSide:
        # ``Ears`` keeps no ear without one.
        assert self.surface is not None
        return self.surface

    @cached_property
    def in_view(self) -> float:
        """Share of the place where an ear stands that lies in the image."""
        return float(self._grid[1][pinna.ellipse(pinna.CORE_MM)].mean()) if self._grid else 0.0

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """(index on a flat map of ``MAP_MM``, head mm to lateral), int32 and float32, of each voxel of the part."""
        axes = [np.arange(part.start, part.stop, dtype=np.float32) for part in self.box]
        shape = [len(axis) for axis in axes]
        place, lateral = np.empty(shape, np.int32), np.empty(shape, np.float32)
        rows = self._to_head.copy()
        rows[:2, 3] -= pinna.LOW_MM[:2]
        rows[:2] /= MAP_MM
        rows = rows.astype(np.float32)
        sizes = self._map_shape

        def look(planes: slice) -> None:
            def at(row: np.ndarray) -> np.ndarray:
                return (row[0] * axes[0][planes, None, None] + row[3]) + (row[1] * axes[1][:, None] + row[2] * axes[2])

            s, a = (np.clip(at(rows[axis]) + np.float32(0.5), 0, sizes[axis] - 1).astype(np.int32) for axis in range(2))
            s *= sizes[1]
            np.add(s, a, out=place[planes])
            lateral[planes] = at(rows[2])

        for_slabs(look, shape[0])
        return place, lateral

    @property
    def _map_shape(self) -> tuple[int, ...]:
        return tuple(int(n * pinna.GRID_MM / MAP_MM) for n in self._side.height.shape)

    def _map(self, values: np.ndarray, order: int) -> np.ndarray:
        """Values (S, A) of the grid of ``head.pinna`` on the flat map that ``_places`` leads to."""
        at = [np.arange(size, dtype=np.float32) * MAP_MM / pinna.GRID_MM for size in self._map_shape]
        return ndi.map_coordinates(values, np.meshgrid(*at, indexing="ij"), np.float32, order=order, mode="nearest").ravel()

    def _beyond(self, height: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Bool of the part: farther to lateral than a map (S, A) of heights, on the lines ``where`` (bool (S, A))."""
        place, lateral = self._places
        limit = np.where(self._map(where.astype(np.float32), 0) > 0.5, self._map(height, 1), np.inf).astype(np.float32)
        result = np.empty(place.shape, bool)
        for_slabs(lambda planes: np.greater(lateral[planes], limit[place[planes]], out=result[planes]), len(place))
        return result

    @cached_property
    def tissue(self) -> np.ndarray:
        """Bool: the tissue of the ear."""
        side, stored = self._side, self.part_of(self.volume.stored)
        near = self._beyond(side.height - pinna.DEEPEST_MM, side.foot)
        result = self._beyond(side.height + SURFACE_MM, side.foot)

        def look(planes: slice) -> None:
            near[planes] &= self.volume.to_hu(stored[planes]) > TISSUE_HU
            result[planes] &= near[planes]
            near[planes] &= ~result[planes]

        for_slabs(look, len(result))
        place, lateral = (values[near] for values in self._places)
        s, a = np.divmod(place, self._map_shape[1])
        cell = np.clip((lateral - pinna.LOW_MM[2]) / pinna.GRID_MM + 0.5, 0, side.undercut.shape[2] - 1).astype(int)
        step = pinna.GRID_MM / MAP_MM
        s, a = (np.minimum((at / step + 0.5).astype(int), n - 1) for at, n in zip((s, a), side.undercut.shape))
        result[near] = side.undercut[s, a, cell]
        return result

    @cached_property
    def zone(self) -> np.ndarray:
        """Bool: a mask's voxels here are the ear's."""
        near = ndi.binary_dilation(self._side.foot, iterations=OF_EAR_CELLS) & (pinna.grid_axis(1) < pinna.FRONT_MM)
        return self._beyond(self._side.height - OF_EAR_MM, near)

    @cached_property
    def outside(self) -> np.ndarray:
        """Bool: outside of the head's side, within the ellipse that is levelled."""
        return self._beyond(self._side.height, pinna.ellipse(pinna.REACH_MM))

    def levelled(self, mask: np.ndarray) -> np.ndarray:
        """Bool: the voxels of ``mask`` (this part of it) that are the ear's, and all outside of the tissue that stays on their
        line."""
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
    def _line_mm(self) -> float:
        """Head mm: a square of this size holds a voxel of every plane."""
        return float(np.abs(self._to_head[:2, :3]).sum(1).max())

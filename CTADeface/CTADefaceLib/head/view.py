"""A volume seen in the head's own frame: upright, however the head lies in the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..voxels.hu import AIR_HU
from ..voxels.volume import Volume, ras_affine, ras_view, values_at
from .atlas import SKIN_HIGH_MM, SKIN_LOW_MM, SKIN_MM, grid_axes, grid_shape
from .frame import Frame

# The interpolation that turned an image has smeared its end.
CUT_MM = 1.5
SHAPE = grid_shape(SKIN_LOW_MM, SKIN_HIGH_MM, SKIN_MM)


def head_mm(index: np.ndarray) -> np.ndarray:
    """Points (N, 3) in head mm (right, anterior, superior) of indices (N, 3) (s, a, r) of the grid of the skin."""
    return SKIN_LOW_MM + SKIN_MM * np.asarray(index, float)[:, ::-1]


@dataclass(frozen=True)
class HeadView:
    """The front of a head on a grid of 3 mm in its own frame; arrays (S, A, R), as the engine's everywhere."""

    volume: Volume
    frame: Frame

    @cached_property
    def to_index(self) -> np.ndarray:
        """4x4 from head mm (right, anterior, superior) to the index (s, a, r) of the volume's RAS view."""
        return np.linalg.inv(ras_affine(self.volume)) @ self.frame.inverse

    @cached_property
    def _voxels(self) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """(three index arrays, bool: inside of the image), (S, A, R), of the voxels nearest to the grid's points."""
        right, anterior, superior = grid_axes(SKIN_LOW_MM, SKIN_HIGH_MM, SKIN_MM)
        matrix, index = self.to_index, list[np.ndarray]()
        inside = np.ones(SHAPE, bool)
        for axis, size in enumerate(self.volume.ras().shape):
            row = matrix[axis]
            place = (row[2] * superior + row[3])[:, None, None] + (row[1] * anterior)[:, None] + row[0] * right
            nearest = np.rint(place).astype(np.int32)
            inside &= (nearest >= 0) & (nearest < size)
            index.append(np.clip(nearest, 0, size - 1))
        turn, shift = self.frame.inverse[:3, :3], self.frame.inverse[:3, 3]
        for *normal, distance in self.frame.cuts:
            row = normal @ turn
            away = (row[2] * superior)[:, None, None] + (row[1] * anterior)[:, None] + row[0] * right
            inside &= away <= distance - CUT_MM - normal @ shift
        return tuple(index), inside

    @property
    def inside(self) -> np.ndarray:
        """Bool (S, A, R): inside of the image, and not beyond a cut."""
        return self._voxels[1]

    def seen(self, array: np.ndarray) -> np.ndarray:
        """Values of an array (k, j, i) on the volume's grid at the points of the view; outside of the image its border's."""
        return ras_view(array, self.volume.geometry)[self._voxels[0]]

    @cached_property
    def hu(self) -> np.ndarray:
        """HU, (S, A, R); air outside of the image."""
        return np.where(self.inside, self.volume.to_hu(self.seen(self.volume.stored)), int(AIR_HU))

    def profile(self, array: np.ndarray, points: np.ndarray, outside: float | np.generic) -> np.ndarray:
        """Values of an array (k, j, i) at ``points`` (..., 3) in head mm, ``outside`` beyond the image."""
        return values_at(ras_view(array, self.volume.geometry), self.to_index, points, outside)

    def place(self, point: np.ndarray) -> tuple[float, ...]:
        """RAS mm of a point in head mm, as a tuple."""
        return tuple(self.frame.to_ras(point).tolist())

"""Where in the patient a voxel lies, and arrays seen every few millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..voxels.volume import Volume, ras_affine, ras_view

COARSE_MM = 3.0


def coarse(array: np.ndarray, volume: Volume) -> np.ndarray:
    """An array (k, j, i) on a volume's grid, every 3 mm or so of its RAS view (S, A, R), copied."""
    steps = [max(round(COARSE_MM / s), 1) for s in volume.geometry.ras_spacing()]
    return np.ascontiguousarray(ras_view(array, volume.geometry)[tuple(slice(None, None, n) for n in steps)])


def ras_point(index: Sequence[int] | np.ndarray, volume: Volume) -> tuple[float, ...]:
    """RAS mm of the voxel ``index`` (s, a, r) of a volume's RAS view."""
    return tuple((ras_affine(volume) @ [*index, 1])[:3].tolist())

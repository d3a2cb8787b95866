"""Where in the patient a voxel lies, and arrays seen every few millimetres."""

import numpy as np

from ..voxels.volume import ras_affine, ras_view

COARSE_MM = 3.0


def coarse(array, volume):
    """An array (k, j, i) on a volume's grid, every 3 mm or so of its RAS view (S, A, R), copied."""
    steps = [max(int(round(COARSE_MM / s)), 1) for s in volume.geometry.ras_spacing()]
    return np.ascontiguousarray(ras_view(array, volume.geometry)[tuple(slice(None, None, n) for n in steps)])


def ras_point(index, volume):
    """RAS mm of the voxel ``index`` (s, a, r) of a volume's RAS view."""
    return tuple((ras_affine(volume) @ [*index, 1])[:3].tolist())

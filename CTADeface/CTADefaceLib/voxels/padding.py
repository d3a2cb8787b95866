"""Padding: what a scanner, or a program after it, wrote where nothing was measured."""

from __future__ import annotations

import math

import numpy as np

from .hu import PADDING_HU
from .volume import Volume

# Largest share of voxels just outside of the circle that may be something else than padding; asked farther out, too, a small
# head in a wide image would be a small share.
MOST_UNPADDED = 0.01
RING = 1.3


def is_padding(volume: Volume, stored: np.ndarray) -> np.ndarray:
    """Bool array: which ``stored`` values of the volume are padding (below -1500 HU)."""
    limit = (PADDING_HU - volume.intercept) / volume.slope
    if stored.dtype.kind in "iu":
        # The same answer without converting every voxel to float.
        limit = math.ceil(limit) if volume.slope > 0 else math.floor(limit)
    return stored < limit if volume.slope > 0 else stored > limit


def outside_circle(volume: Volume) -> np.ndarray | None:
    """Bool (A, R): what is padding in every axial plane and lies outside of the reconstruction circle; None without one.

    Padding of any other shape may have been cut around the head, and then shows the outline of the face.
    """
    view = volume.ras()
    outside: np.ndarray = np.ones(view.shape[1:], bool)
    for plane in view:
        outside &= is_padding(volume, plane)
        if not outside.any():
            return None
    _, *spacing = volume.geometry.ras_spacing()
    along = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(outside.shape, spacing)]
    distance = np.hypot(along[0][:, None], along[1])
    # The circle's centre may be that of the image or of a voxel beside it.
    radius = float(distance[outside].min())
    ring = (distance > radius + 2 * max(spacing)) & (distance < RING * radius)
    return outside if ring.any() and np.mean(~outside[ring]) <= MOST_UNPADDED else None

"""What a scanner, or a program after it, wrote where nothing was measured."""

import math

import numpy as np

from .hu import PADDING_HU

# Share of the voxels outside of the circle that are none of padding nevertheless.
MOST_UNPADDED = 0.01


def is_padding(volume, stored):
    """Bool array: which ``stored`` values of the volume are padding (below -1500 HU)."""
    limit = (PADDING_HU - volume.intercept) / volume.slope
    if stored.dtype.kind in "iu":
        # The same answer, without turning every voxel into a float.
        limit = math.ceil(limit) if volume.slope > 0 else math.floor(limit)
    return stored < limit if volume.slope > 0 else stored > limit


def outside_circle(volume):
    """Bool (A, R): padding in every axial plane that lies outside of a circle around the image's middle, as scanners
    leave it; None where there is no such circle.

    Any other padding may have been made around the head itself, and then shows the outline of the face.
    """
    view, outside = volume.ras(), None
    for plane in view:
        padding = is_padding(volume, plane)
        outside = padding if outside is None else outside & padding
        if not outside.any():
            return None
    _, *spacing = volume.geometry.ras_spacing()
    along = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(outside.shape, spacing)]
    distance = np.hypot(along[0][:, None], along[1])
    # Its middle may be that of the image or of a voxel beside it.
    beyond = distance > distance[outside].min() + 2 * max(spacing)
    return outside if np.mean(~outside[beyond]) <= MOST_UNPADDED else None

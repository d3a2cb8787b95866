"""Agreement of two masks on one grid: overlap, surface distances in mm, volumes in ml.

The surface of a mask is its voxels with a neighbour (by face) outside of it; distances lie between voxel
centres and each surface voxel counts once. Where voxels are larger than the tolerance of a surface Dice,
only surface voxels that coincide agree.
"""

import numpy as np
from scipy import ndimage as ndi


def dice(a, b):
    """Dice coefficient of two bool arrays, 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def surface_distances(a, b, spacing):
    """Distances in mm from each surface voxel of ``a`` to the surface of ``b``, and from ``b`` to ``a``.

    Parameters: bool arrays of one shape; ``spacing`` in mm in the order of their axes.
    Returns: two 1-D arrays, or None when a mask is empty.
    """
    if not a.any() or not b.any():
        return None
    box = ndi.find_objects((a | b).astype(np.uint8))[0]
    surface_a, surface_b = _surface(a[box]), _surface(b[box])
    return (ndi.distance_transform_edt(~surface_b, spacing)[surface_a],
            ndi.distance_transform_edt(~surface_a, spacing)[surface_b])


def _surface(mask):
    return mask & ~ndi.binary_erosion(mask)


def hausdorff95(distances):
    """The larger of the two directions' 95th percentiles in mm; infinite without distances."""
    return float("inf") if distances is None else float(max(np.percentile(d, 95) for d in distances))


def surface_dice(distances, tolerance_mm):
    """Share of both surfaces that lies within ``tolerance_mm`` of the other one; 0 without distances."""
    if distances is None:
        return 0.0
    return float(np.mean(np.concatenate(distances) <= tolerance_mm))

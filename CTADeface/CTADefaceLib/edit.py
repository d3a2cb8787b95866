"""A person's quick corrections of a mask: pure functions over bool arrays, spacing in mm in the arrays' axis order."""

import numpy as np
from scipy import ndimage as ndi

from .anatomy import BONE_HU
from .refine import bounding_box


def grown(mask, millimetres, spacing):
    """``mask`` with every voxel whose centre is within ``millimetres`` of it; at least one voxel along the finest axis.

    Returns: bool array of the same shape; an empty mask stays empty.
    """
    reach = max(millimetres, min(spacing))
    box = bounding_box(mask, margin=int(np.ceil(reach / min(spacing))) + 1)
    result = mask.copy()
    if box is not None:
        result[box] = ndi.distance_transform_edt(~mask[box], spacing) <= reach * (1 + 1e-6)
    return result


def shrunk(mask, millimetres, spacing):
    """``mask`` without every voxel within ``millimetres`` of its outside; the border of the array is no outside."""
    return ~grown(~mask, millimetres, spacing)


def largest_piece(mask):
    """The largest connected piece of ``mask`` (touching also by edge or corner)."""
    labels, count = ndi.label(mask, np.ones((3, 3, 3)))
    return mask.copy() if count < 2 else labels == 1 + np.argmax(np.bincount(labels[mask])[1:])


def without_bone(mask, hu):
    """``mask`` without voxels above 300 HU; ``hu`` of the same shape."""
    return mask & (hu <= BONE_HU)

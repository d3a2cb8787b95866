"""A person's quick corrections of a mask: pure functions over bool arrays, spacing in mm in the arrays' axis order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage as ndi

from ..voxels.hu import BONE_HU
from ..voxels.morphology import beside, bounding_box


def grown(mask: np.ndarray, millimetres: float, spacing: Sequence[float]) -> np.ndarray:
    """``mask`` with every voxel whose centre is within ``millimetres`` of it; at least one voxel along the finest axis.

    Returns: bool array of the same shape; an empty mask stays empty.
    """
    return _moved(mask, millimetres, spacing, outwards=True)


def shrunk(mask: np.ndarray, millimetres: float, spacing: Sequence[float]) -> np.ndarray:
    """``mask`` without the voxels within ``millimetres`` of its outside; the array's border is no outside."""
    return _moved(mask, millimetres, spacing, outwards=False)


def _moved(mask: np.ndarray, millimetres: float, spacing: Sequence[float], outwards: bool) -> np.ndarray:
    """Paint a ball around every voxel of the surface: its cost is that of the surface, not of the volume."""
    reach = max(millimetres, min(spacing)) * (1 + 1e-6)
    steps = [int(reach / s) for s in spacing]
    result = mask.copy()
    box = bounding_box(mask, margin=max(steps) + 1)
    if box is None:
        return result
    # Room for the balls; the edge is repeated, so that no surface appears there.
    part = np.pad(mask[box], [(n, n) for n in steps], mode="edge")
    inner = tuple(slice(n, size - n) for n, size in zip(steps, part.shape))
    source, surface = part if outwards else ~part, np.zeros_like(part)
    surface[inner] = (source & beside(~source))[inner]
    voxels, painted = np.flatnonzero(surface), part.ravel()
    offsets = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in steps), indexing="ij"), -1).reshape(-1, 3)
    near = offsets[((offsets * spacing) ** 2).sum(1) <= reach**2]
    for shift in near @ np.array([part.shape[1] * part.shape[2], part.shape[2], 1]):
        painted[voxels + shift] = outwards
    result[box] = part[inner]
    return result


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece of ``mask`` (touching also by edge or corner)."""
    labels, count = ndi.label(mask, np.ones((3, 3, 3)))
    return mask.copy() if count < 2 else labels == 1 + np.argmax(np.bincount(labels[mask])[1:])


def without_bone(mask: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """``mask`` without voxels above 300 HU; ``hu`` of the same shape."""
    return mask & (hu <= BONE_HU)

"""Bone and brain, found from HU alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage as ndi

from .hu import BONE_HU
from .morphology import keep_large, narrowed, widened
from .volume import Volume

LEAST_BONE_MM3 = 400.0
LARGEST_DEVICE_MM3 = 30_000.0
BRAIN_GRID_MM = 3.0
BRAIN_CLOSING_MM = 12.0
LEAST_BRAIN_MM3 = 50_000.0
# One sample to each side, within a slice.
BRIDGE = 0, 1, 1


def skeleton(counts: np.ndarray, face_logits: np.ndarray, voxel_mm3: float) -> np.ndarray:
    """Bone and teeth: pieces above 300 HU larger than 400 mm3 that are not a device lying on the face.

    A dense device is a separate piece, below 30 ml, that the network mostly calls face.

    Parameters: ``counts`` (S, A, R) voxels above 300 HU in each cell; ``face_logits`` log-odds of face per cell;
    ``voxel_mm3`` volume of a voxel.
    Returns: bool per cell.
    """
    bone = counts > 0
    labels, counts = ndi.label(bone)[0][bone], counts[bone]
    sizes = np.bincount(labels, counts) * voxel_mm3
    evidence = np.bincount(labels, counts * face_logits[bone].astype(np.float32))
    large = (sizes >= LEAST_BONE_MM3) & ((evidence < 0) | (sizes > LARGEST_DEVICE_MM3))
    bone[bone] = large[labels]
    return bone


def brain(volume: Volume) -> tuple[np.ndarray, tuple[int, ...]]:
    """What the skull encloses in each axial slice: bool (S, A, R) on every n-th voxel, and n per axis.

    The whole volume is sampled about every 3 mm: a crop would not hold the closed ring of the skull.
    """
    spacing = volume.geometry.ras_spacing()
    steps = tuple(max(round(BRAIN_GRID_MM / s), 1) for s in spacing)
    hu = volume.to_hu(np.ascontiguousarray(volume.ras()[tuple(slice(None, None, n) for n in steps)]))
    return enclosed_by_bone(hu > BONE_HU, [n * s for n, s in zip(steps, spacing)]), steps


def enclosed_by_bone(bone: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Pieces above 50 ml inside closed rings of ``bone`` (S, A, R), without the bone; ``spacing`` in mm."""
    reach = [int(np.ceil(BRAIN_CLOSING_MM / s)) for s in spacing]
    padded = np.pad(bone, [(r, r) for r in reach])
    plane = 0, *reach[1:]
    closed = narrowed(widened(padded, plane), plane)
    # A box closes gaps along the axes alone: an oblique thin wall, as most of a skull is, stays open where one sample lacks.
    ring = np.stack([ndi.binary_fill_holes(p) for p in widened(closed, BRIDGE)])
    filled = narrowed(ring, BRIDGE)
    inner = tuple(slice(r, r + n) for r, n in zip(reach, bone.shape))
    inside = keep_large((filled & ~closed)[inner], LEAST_BRAIN_MM3 / float(np.prod(spacing)))
    # The closing also filled the corners between brain and bone: grow back into them, never through bone, and along no axis
    # farther than the closing reaches, as it would pass through thin bone into temple and orbit.
    return ndi.binary_dilation(inside, iterations=min(reach), mask=filled[inner] & ~bone)

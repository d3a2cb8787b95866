"""A volume as a few thousand points that are air, soft tissue or bone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..voxels.hu import AIR_TO_SOFT_HU, PADDING_HU, SOFT_TO_BONE_HU
from ..voxels.padding import is_padding
from ..voxels.volume import Volume, ras_affine
from .atlas import AIR, BONE, SOFT

SAMPLE_MM = 6.0


class Samples(NamedTuple):
    """``points`` (N, 3) in RAS mm, their ``kinds`` uint8 (N,), and ``mm3`` of the image for each."""

    points: np.ndarray
    kinds: np.ndarray
    mm3: float


def samples(volume: Volume) -> Samples:
    """One sample in each block of 6 mm, at a random place that is the same on every run.

    On a regular grid all samples would cross the cells of the average head's grid at once, and each such pose would seem
    to be the best. Padding has no samples.
    """
    view, random = volume.ras(), np.random.default_rng(0)
    steps = np.array([max(round(SAMPLE_MM / s), 1) for s in volume.geometry.ras_spacing()])
    blocks = np.array(view.shape) // steps
    corner = np.stack(np.meshgrid(*(np.arange(n) for n in blocks), indexing="ij"), -1).reshape(-1, 3) * steps
    place = corner + random.random(corner.shape, np.float32) * steps
    stored = view[tuple(place.astype(np.int32).T)]
    hu = volume.to_hu(stored)
    kinds = np.full(hu.shape, SOFT, np.uint8)
    kinds[hu < AIR_TO_SOFT_HU], kinds[hu > SOFT_TO_BONE_HU] = AIR, BONE
    known = ~is_padding(volume, stored) & (hu > PADDING_HU)
    affine = ras_affine(volume)
    # The voxel with index i reaches from i - 0.5 to i + 0.5.
    points = (place[known] - 0.5) @ affine[:3, :3].T + affine[:3, 3]
    return Samples(points, kinds[known], float(steps.prod() * volume.geometry.voxel_mm3()))

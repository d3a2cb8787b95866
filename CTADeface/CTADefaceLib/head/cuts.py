"""Where a body ends because the image ends there, although the file goes on.

A volume that was turned or resampled has corners that no scanner measured, and the end of the old image lies in it as a
slanted plane. Such a cut is seen by its area and by the bone that it lays open: skin is never so flat, and has no bone.
Nothing of the image lies beyond it, so neither the air there nor the plane itself says anything about the head.
"""

from __future__ import annotations

import numpy as np

from ..voxels.hu import AIR_HU, AIR_TO_SOFT_HU
from ..voxels.volume import Volume, ras_affine, values_at
from .atlas import AIR, BONE
from .samples import Samples

# What lies so near behind a plane that touches the body is counted.
LAYER_MM = 6.0
# The cut through a head at the brow, the lips or the neck has 140 cm2 and more; a flat side or back of the head with its
# holder less than 80. The smaller cut through a newborn's head is not seen as one.
LEAST_CM2 = 100.0
# Headrests are flat too.
LEAST_BONE, MOST_BONE = 0.02, 0.4
# Facets of the body's hull whose normals are so near to each other belong to one plane.
NEAR_DEGREES = 10.0
# Only facets of this size, together, can be a cut.
LEAST_FACETS_CM2 = 40.0
MOST_SAMPLES = 8_000
# The plane is fitted to ends of the body that lie so near to it.
TRIMMED_MM, LEAST_ENDS = (LAYER_MM, 3.0, 2.0), 20
REFINED_DEGREES = 4.0, 2.0, 1.0
NONE = np.zeros((0, 4))


def cuts(volume: Volume, samples: Samples) -> np.ndarray:
    """(M, 4) planes: unit normal that points out of the body, RAS, and distance from the origin along it, mm.

    ``samples`` are those of the ``Volume``. Planes with nothing of the image beyond them, as at the end of one that was not
    turned, are left out.
    """
    points, kinds, sample_mm3 = samples
    body = kinds != AIR
    inner, bone = points[body], kinds[body] == BONE
    if len(inner) > MOST_SAMPLES:
        some = np.random.default_rng(0).permutation(len(inner))[:MOST_SAMPLES]
        sample_mm3 *= len(inner) / MOST_SAMPLES
        inner, bone = inner[some], bone[some]
    found = [plane for plane in _flat_sides(inner) if _is_cut(inner, bone, plane, sample_mm3)]
    # Padding has no samples, and is a part of the image all the same.
    planes = [plane for plane in found if beyond(plane[None], _corners(volume), LAYER_MM).any()]
    return np.stack([_exact(volume, plane, inner) for plane in planes]) if planes else NONE


def beyond(planes: np.ndarray, points: np.ndarray, mm: float = 0.0) -> np.ndarray:
    """(N,) bool: which ``points`` (N, 3) RAS mm lie more than ``mm`` beyond one of the ``planes`` (M, 4)."""
    result = np.zeros(len(points), bool)
    for *normal, distance in planes:
        result |= points @ np.array(normal) > distance + mm
    return result


def _corners(volume: Volume) -> np.ndarray:
    """(8, 3) RAS mm of the middles of the image's outermost voxels."""
    last = np.array(list(np.ndindex(2, 2, 2))) * (np.array(volume.ras().shape) - 1)
    affine = ras_affine(volume)
    return last @ affine[:3, :3].T + affine[:3, 3]


def _flat_sides(points: np.ndarray) -> list[np.ndarray]:
    """Planes (4,) that touch the ``points`` on the largest flat sides of their convex hull."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):
        return []
    first, second, third = (points[hull.simplices[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(second - first, third - first), axis=1) / 200
    normals, planes = hull.equations[:, :3], list[np.ndarray]()
    left = np.ones(len(area), bool)
    alike = normals @ normals.T > np.cos(np.radians(NEAR_DEGREES))
    while True:
        together = (alike[:, left] * area[left]).sum(1) * left
        best = int(together.argmax())
        if together[best] < LEAST_FACETS_CM2:
            return planes
        group = alike[best] & left
        left &= ~group
        planes.append(_refined(points, (normals[group] * area[group, None]).sum(0)))


def _refined(points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The plane near ``normal`` that touches the points and has most of them close behind it."""

    def close(direction: np.ndarray) -> int:
        away = points @ direction
        return int(np.count_nonzero(away > away.max() - LAYER_MM))

    normal = normal / np.linalg.norm(normal)
    most = close(normal)
    for degrees in REFINED_DEGREES:
        better = True
        while better:
            better = False
            aside = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
            aside /= np.linalg.norm(aside)
            for step in (aside, -aside, up := np.cross(normal, aside), -up):
                other = normal + np.tan(np.radians(degrees)) * step
                other /= np.linalg.norm(other)
                count = close(other)
                if count > most:
                    normal, most, better = other, count, True
    return np.array([*normal, (points @ normal).max()])


def _is_cut(points: np.ndarray, bone: np.ndarray, plane: np.ndarray, sample_mm3: float) -> bool:
    layer = points @ plane[:3] > plane[3] - LAYER_MM
    cm2 = np.count_nonzero(layer) * sample_mm3 / LAYER_MM / 100
    return bool(cm2 >= LEAST_CM2 and LEAST_BONE <= bone[layer].mean() <= MOST_BONE)


def _exact(volume: Volume, plane: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The plane through the last voxels of the body, seen from the ``points`` of its layer along its normal."""
    starts = points[points @ plane[:3] > plane[3] - LAYER_MM]
    steps = np.arange(0.0, 2 * LAYER_MM)
    places = starts[:, None] + steps[:, None] * plane[:3]
    stored = values_at(volume.ras(), np.linalg.inv(ras_affine(volume)), places, volume.from_hu(AIR_HU))
    body = volume.to_hu(stored) > AIR_TO_SOFT_HU
    # From the first voxel of air on, what follows is no more of the body.
    ends = starts + (np.argmin(np.pad(body, [(0, 0), (0, 1)]), 1) - 0.5)[:, None] * plane[:3]
    for within in TRIMMED_MM:
        near = ends[np.abs(ends @ plane[:3] - plane[3]) < within]
        if len(near) < LEAST_ENDS:
            break
        middle = near.mean(0)
        normal = np.linalg.svd(near - middle, full_matrices=False)[2][2]
        normal = normal if normal @ plane[:3] > 0 else -normal
        plane = np.array([*normal, normal @ middle])
    return plane

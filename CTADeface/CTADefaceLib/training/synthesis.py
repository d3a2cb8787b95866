"""Add at random to a head CT what real scans show and the training heads lack.

Every function takes HU as float32 of shape (z, y, x), axes S, A, R (RAS+), isotropic ``spacing`` in mm, and returns new
arrays. Nothing here is anatomy that the label must follow, except the devices, which belong to the face mask where they
lie within ``DEVICE_REACH_MM`` of facial skin.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from ..voxels.hu import TISSUE_HU

DEVICE_REACH_MM = 15.0
PADDING_VALUES = (-1024.0, -2000.0, -2048.0, -3024.0)


def body_mask(hu: np.ndarray) -> np.ndarray:
    """Largest connected component above -300 HU, filled slice by slice; bool (z, y, x)."""
    labels, count = ndi.label(hu > TISSUE_HU)
    if count == 0:
        return np.zeros(hu.shape, bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = labels == sizes.argmax()
    for plane in body:
        plane[:] = ndi.binary_fill_holes(plane)
    return body


def _coordinates(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij", sparse=True))


def _smooth_noise(rng: np.random.Generator, shape: int | tuple[int, ...], sigma: float) -> np.ndarray:
    noise = ndi.gaussian_filter(rng.standard_normal(shape).astype(np.float32), sigma)
    return noise / max(float(noise.std()), 1e-6)


def add_table(hu: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """A flat or curved couch behind the patient: foam between two denser shells."""
    rows = np.nonzero(body.any((0, 2)))[0]
    if rows.size == 0:
        return hu
    _, y, x = _coordinates(hu.shape)
    gap = rng.uniform(-2, 15) / spacing
    radius = rng.choice([1e6, rng.uniform(150, 600)]) / spacing
    top = rows.min() - gap + (x - hu.shape[2] * rng.uniform(0.4, 0.6)) ** 2 / (2 * radius)
    depth = top - y
    thickness = rng.uniform(10, 45) / spacing
    inside = np.broadcast_to((depth > 0) & (depth < thickness), hu.shape) & ~body
    shell = np.broadcast_to((np.abs(depth) < 0.7) | (np.abs(depth - thickness) < 0.7), hu.shape) & ~body
    out = hu.copy()
    out[inside] = rng.uniform(-950, -600)
    out[shell] = rng.uniform(-400, 400)
    return out


def add_head_rest(hu: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """A U-shaped foam or shell around the back of the head."""
    distance = ndi.distance_transform_edt(~body) * spacing
    _, y, _ = _coordinates(hu.shape)
    rows = np.nonzero(body.any((0, 2)))[0]
    if rows.size == 0:
        return hu
    limit = rows.min() + rng.uniform(0.2, 0.55) * np.ptp(rows)
    inner = rng.uniform(1, 12)
    outer = inner + rng.uniform(4, 40)
    rest = (distance > inner) & (distance < outer) & (y < limit)
    if rng.random() < 0.5:
        rest &= np.abs(_coordinates(hu.shape)[2] - hu.shape[2] / 2) * spacing < rng.uniform(60, 130)
    out = hu.copy()
    out[rest] = rng.uniform(-970, -500)
    out[rest & (distance > outer - spacing)] = rng.uniform(-500, 350)
    return out


def add_contrast(hu: np.ndarray, body: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Arterial contrast: bright random-walk tubes deep in the body, soft tissue slightly brighter."""
    depth = ndi.distance_transform_edt(body) * spacing
    out = hu.copy()
    soft = body & (hu > -20) & (hu < 120)
    out[soft] += rng.uniform(0, 25)
    starts = np.argwhere(depth > 12)
    if len(starts) == 0:
        return out
    tubes = np.zeros(hu.shape, bool)
    for _ in range(rng.integers(3, 12)):
        point = starts[rng.integers(len(starts))].astype(float)
        heading = rng.standard_normal(3) + np.array([1.5, 0, 0])
        for _ in range(rng.integers(10, 60)):
            heading += 0.4 * rng.standard_normal(3)
            point += heading / np.linalg.norm(heading)
            index = tuple(np.round(point).astype(int))
            if any(i < 0 or i >= n for i, n in zip(index, hu.shape)) or depth[index] < 6:
                break
            tubes[index] = True
    enhancement = ndi.gaussian_filter(tubes.astype(np.float32), rng.uniform(0.4, 0.9))
    return out + enhancement * rng.uniform(200, 900)


def add_metal(hu: np.ndarray, face: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Dental metal behind the lips, and the streaks that it throws across the slices."""
    points = np.argwhere(face)
    if len(points) == 0:
        return hu
    z0, z1 = np.percentile(points[:, 0], [15, 45])
    centre = np.array(
        [
            rng.uniform(z0, z1),
            np.percentile(points[:, 1], 60) - 15 / spacing,
            points[:, 2].mean() + rng.uniform(-20, 20) / spacing,
        ]
    )
    z, y, x = _coordinates(hu.shape)
    angle = np.arctan2(y - centre[1], x - centre[2])
    radius = np.hypot(y - centre[1], x - centre[2]) * spacing
    rays = _smooth_noise(rng, 360, rng.uniform(1, 4))
    pattern = rays[((angle + np.pi) / (2 * np.pi) * 359).astype(int)]
    reach = np.exp(-radius / rng.uniform(30, 120)) * np.exp(-(((z - centre[0]) * spacing / rng.uniform(5, 15)) ** 2))
    out = hu + rng.uniform(50, 500) * pattern * reach
    blob = ((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2) * spacing**2 < rng.uniform(2, 8) ** 2
    out[blob] = rng.uniform(2000, 3071)
    return out


def _label_device(device: np.ndarray, body: np.ndarray, face: np.ndarray, spacing: float) -> np.ndarray:
    """Bool: the part of ``device`` that belongs to the face mask."""
    distance, nearest = ndi.distance_transform_edt(~body, return_indices=True)
    return device & ~body & (distance * spacing <= DEVICE_REACH_MM) & face[tuple(nearest)]


def add_device(
    hu: np.ndarray, body: np.ndarray, face: np.ndarray, spacing: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A device on the face (tube, mask, goggles, thermoplastic shell); returns (hu, face)."""
    points = np.argwhere(face)
    if len(points) == 0:
        return hu, face
    kind = rng.choice(["tube", "mask", "band", "shell"])
    device = _tube(points, hu.shape, spacing, rng) if kind == "tube" else _worn(kind, body, points, spacing, rng)
    out = hu.copy()
    device = device & ~body
    value = rng.uniform(-450, 350)
    out[device] = np.maximum(out[device], value)
    if value > -350:
        face = face | _label_device(device, body, face, spacing)
    return out, face


def _tube(points: np.ndarray, shape: tuple[int, ...], spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Bool (z, y, x): a straight tube that leaves the face at one of its ``points`` (n, 3)."""
    z, y, x = _coordinates(shape)
    start = points[rng.integers(len(points))].astype(float)
    heading = np.array([rng.uniform(-1, 0.7), rng.uniform(0.2, 1), rng.uniform(-0.6, 0.6)])
    heading /= np.linalg.norm(heading)
    along = (z - start[0]) * heading[0] + (y - start[1]) * heading[1] + (x - start[2]) * heading[2]
    across = (z - start[0]) ** 2 + (y - start[1]) ** 2 + (x - start[2]) ** 2 - along**2
    device = (across * spacing**2 < rng.uniform(4, 9) ** 2) & (along > -5 / spacing)
    return device & (along * spacing < rng.uniform(30, 150))


def _worn(kind: str, body: np.ndarray, points: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Bool (z, y, x): a mask, band or shell that follows the skin in front, where the face's ``points`` (n, 3) are."""
    z, y, _ = _coordinates(body.shape)
    low, high = points[:, 0].min(), points[:, 0].max()
    distance = ndi.distance_transform_edt(~body) * spacing
    front = y > np.percentile(points[:, 1], rng.uniform(5, 50))
    inner = {"mask": rng.uniform(2, 14), "band": rng.uniform(1, 12), "shell": 0.0}[kind]
    device = (distance > inner) & (distance <= inner + rng.uniform(1, 1.6) * spacing) & front
    if kind == "mask":
        device &= (z < low + rng.uniform(0.4, 0.7) * (high - low)) & (z > low)
    if kind == "band":
        middle = low + rng.uniform(0.3, 0.9) * (high - low)
        device &= np.abs(z - middle) * spacing < rng.uniform(6, 25)
    if kind == "shell" and rng.random() < 0.5:
        device &= rng.random(body.shape) < 0.6
    return device


def blur_slices(hu: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Thick slices (4 to 10 mm) along one axis, mostly the axial one."""
    axis = rng.choice(3, p=[0.8, 0.1, 0.1])
    return ndi.uniform_filter1d(hu, max(round(rng.uniform(4, 10) / spacing), 2), axis=axis)


def sharpen(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sharper kernel than that of the training heads, which were resampled to 4 to 5 mm in plane."""
    return hu + rng.uniform(0.2, 1.0) * (hu - ndi.gaussian_filter(hu, 1.0))


def add_noise(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Quantum noise, white or correlated over a voxel or so."""
    shape_noise = _smooth_noise(rng, hu.shape, rng.uniform(0.0, 0.8))
    return hu + shape_noise * rng.choice([rng.uniform(3, 25), rng.uniform(25, 120)], p=[0.7, 0.3])


def pad_outside_circle(hu: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Padding outside the reconstruction circle, which sometimes cuts the patient; returns (hu, outside)."""
    _, y, x = _coordinates(hu.shape)
    half = max(hu.shape[1:]) / 2
    radius = half * rng.uniform(0.75, 1.35)
    centre = np.array(hu.shape[1:]) / 2 + rng.uniform(-0.1, 0.1, 2) * half
    outside = np.broadcast_to((y - centre[0]) ** 2 + (x - centre[1]) ** 2 > radius**2, hu.shape)
    out = hu.copy()
    out[outside] = rng.choice(PADDING_VALUES)
    return out, outside

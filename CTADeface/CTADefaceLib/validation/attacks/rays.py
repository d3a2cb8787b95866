"""A head seen along rays from its inside through the face: where skin was, what is left of it, and where bone is.

Rays lie on a grid of elevation (rows) by azimuth (columns) in the head's frame, some 3 mm apart at the skin; all maps
are in mm from the frame's origin, NaN where the ray meets nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from ...voxels.cells import Cells
from ...voxels.hu import AIR_HU, BONE_HU, MORE_AIR_THAN_TISSUE_HU, MUSCLE_HU, TISSUE_HU
from ...voxels.morphology import depth_below_ball
from ...voxels.volume import Geometry, Volume, ras_view
from .face_frame import FaceFrame

ELEVATION = np.deg2rad(np.arange(-76.0, 63.0, 2.0))
AZIMUTH = np.deg2rad(np.arange(-86.0, 87.0, 2.0))
RADIUS_MM = np.arange(20.0, 140.0, 1.0)
# The skin lies this near to the end of the mask, and air lies this far in front of it.
SKIN_WITHIN_MM, AIR_MM = 8, (3, 8)
# Skin that the file still shows was not removed, and the checks find it.
SHOWN_MM = 1.0
# Layers behind the border, mm from it.
BEHIND_MM = ((0, 4), (4, 9), (9, 16))
# Balls that are rolled over the skull: the first enters orbits and cheeks, the second bridges them.
BALLS_MM = (22.0, 50.0)
# Bone is seen in cells of this size, this far below, behind and beside the frame's origin and above, before and beside it.
HULL_GRID_MM, HULL_LOW_MM, HULL_HIGH_MM = 3.0, (-110.0, -80.0, -95.0), (95.0, 110.0, 95.0)


@dataclass(frozen=True)
class Surface:
    """``left``: outermost tissue; ``muscle``: outermost above 0 HU; ``behind``: (3, ...) HU behind ``left``."""

    left: np.ndarray
    muscle: np.ndarray
    behind: np.ndarray

    @classmethod
    def of(cls, hu: np.ndarray) -> Surface:
        """The ``Surface`` in HU (elevation, azimuth, radius)."""
        left = outermost(hu, TISSUE_HU)
        return cls(left, outermost(hu, MUSCLE_HU), _behind(hu, left))


@dataclass(frozen=True)
class Rays:
    """Maps (elevation, azimuth) of one defaced head.

    ``skin``: where the removed skin was, NaN on rays without; ``removed``: bool, the ray passes the mask; ``zone``: index
    into ``face_frame.ZONES``; ``bone``: outermost bone; ``hulls``: (2, ...) bone as balls of ``BALLS_MM`` feel it;
    ``file``: what the released file shows; ``skull``: what it would show if it had nothing but bone; ``planes``: mm from
    the origin, upwards and forwards in the image, of the mask's lowest slice and its rearmost plane, which the levelled
    region shows.
    """

    skin: np.ndarray
    removed: np.ndarray
    zone: np.ndarray
    bone: np.ndarray
    hulls: np.ndarray
    file: Surface
    skull: Surface
    planes: np.ndarray


def cast(volume: Volume, mask: np.ndarray, stored_after: np.ndarray, frame: FaceFrame) -> Rays:
    """``Rays`` of a ``Volume``, its mask (bool, k, j, i), its stored values after the fill, and its ``FaceFrame``."""
    points = _points(frame, volume.geometry.ras_spacing())
    hu = volume.to_hu(volume.stored)
    before = _along(hu, volume.geometry, points)
    bone_kept = (hu > BONE_HU) & ~mask
    skull = _along(np.where(bone_kept, hu, AIR_HU), volume.geometry, points)
    released = Volume(stored_after, volume.geometry, volume.slope, volume.intercept)
    after = _along(released.to_hu(stored_after), volume.geometry, points)
    inside = _along(mask.astype(np.uint8), volume.geometry, points, order=0) > 0
    end = np.where(inside.any(-1), RADIUS_MM.size - 1 - inside[..., ::-1].argmax(-1), -1)
    skin = _skin(before, end)
    # Chest and shoulders lie beyond the removed skin and do not count.
    beyond = (np.arange(RADIUS_MM.size) > end[..., None] + SKIN_WITHIN_MM) & (end >= 0)[..., None]
    after[beyond] = skull[beyond] = AIR_HU
    # Bone stays as it was; its surface is read from the original, so that what goes beside it does not move it.
    bone = np.where(inside, AIR_HU, before)
    bone[beyond] = AIR_HU
    file = Surface.of(after)
    skin[skin - file.left < SHOWN_MM] = np.nan
    zone = frame.zones((_directions() * np.nan_to_num(skin)[..., None]).reshape(-1, 3)).reshape(skin.shape)
    spacing = volume.geometry.ras_spacing()
    used = np.argwhere(ras_view(mask, volume.geometry)).min(0)
    planes = np.array([used[0] * spacing[0] - frame.origin[0], used[1] * spacing[1] - frame.origin[1]])
    hulls = _hulls(ras_view(bone_kept, volume.geometry), spacing, frame, points)
    return Rays(skin, end >= 0, zone, outermost(bone, BONE_HU), hulls, file, Surface.of(skull), planes)


def outermost(hu: np.ndarray, threshold: float) -> np.ndarray:
    """mm at which ``hu`` (..., radius) falls below ``threshold`` for the last time, between samples; NaN if never above."""
    above = hu > threshold
    last = RADIUS_MM.size - 1 - above[..., ::-1].argmax(-1)
    here = np.take_along_axis(hu, last[..., None], -1)[..., 0]
    beyond = np.take_along_axis(hu, np.minimum(last + 1, RADIUS_MM.size - 1)[..., None], -1)[..., 0]
    part = np.clip((here - threshold) / np.maximum(here - beyond, 1.0), 0, 1)
    return np.where(above.any(-1), RADIUS_MM[last] + part, np.nan)


def _directions() -> np.ndarray:
    """(elevation, azimuth, 3) unit vectors: up, forwards, right."""
    elevation, azimuth = ELEVATION[:, None], AZIMUTH[None]
    return np.stack(
        np.broadcast_arrays(np.sin(elevation), np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth)), -1
    )


def _points(frame: FaceFrame, spacing: Sequence[float]) -> np.ndarray:
    """(3, elevation, azimuth, radius) indices of the RAS view."""
    mm = (_directions() @ frame.axes)[..., None, :] * RADIUS_MM[:, None] + frame.origin
    return np.moveaxis(mm / spacing, -1, 0)


def _along(array: np.ndarray, geometry: Geometry, points: np.ndarray, order: int = 1) -> np.ndarray:
    """Values of an array (k, j, i) at ``points``, air (0 for ``order`` 0) outside of it."""
    outside = 0 if order == 0 else AIR_HU
    return ndi.map_coordinates(ras_view(array, geometry), points, np.float32, order, mode="constant", cval=outside)


def _hulls(bone: np.ndarray, spacing: Sequence[float], frame: FaceFrame, points: np.ndarray) -> np.ndarray:
    """(2, elevation, azimuth) mm of the surface of ``bone``, bool (S, A, R), that balls of ``BALLS_MM`` cannot pass.

    Nothing but bone and the frame tells of it: it lies where it lies whether or not the mask ends before it.
    """
    low, high = ((frame.origin + mm) / spacing for mm in (HULL_LOW_MM, HULL_HIGH_MM))
    box = tuple(slice(max(int(a), 0), min(int(b) + 1, n)) for a, b, n in zip(low, high, bone.shape))
    part = np.ascontiguousarray(bone[box])
    cells = Cells(part.shape, spacing, HULL_GRID_MM)
    there = cells.any(part)
    if not there.any():
        return np.full((len(BALLS_MM), *points.shape[1:3]), np.nan)
    places = [(p - b.start + 0.5) / n - 0.5 for p, b, n in zip(points, box, cells.steps)]
    depths = [(depth_below_ball(there, mm, cells.spacing), mm) for mm in BALLS_MM]
    return np.stack([outermost(ndi.map_coordinates(depth, places, np.float32, 1, cval=0.0), mm) for depth, mm in depths])


def _skin(hu: np.ndarray, end: np.ndarray) -> np.ndarray:
    """mm of the skin that ends the mask at the sample ``end``, NaN where no air follows."""
    skin = np.full(end.shape, np.nan)
    for step in range(-2, SKIN_WITHIN_MM):
        here = np.clip(end + step, 0, RADIUS_MM.size - AIR_MM[1] - 1)
        inner, outer = (np.take_along_axis(hu, (here + n)[..., None], -1)[..., 0] for n in (0, 1))
        air = np.mean([np.take_along_axis(hu, (here + n)[..., None], -1)[..., 0] for n in range(*AIR_MM)], 0)
        hit = (end >= 0) & np.isnan(skin) & (inner > TISSUE_HU) & (outer <= TISSUE_HU) & (air < MORE_AIR_THAN_TISSUE_HU)
        skin[hit] = (RADIUS_MM[here] + (inner - TISSUE_HU) / np.maximum(inner - outer, 1.0))[hit]
    return skin


def _behind(hu: np.ndarray, left: np.ndarray) -> np.ndarray:
    """(3, ...) mean HU in the layers ``BEHIND_MM`` behind ``left``."""
    depth = np.nan_to_num(left, nan=-1e3)[..., None] - RADIUS_MM
    layers = []
    for low, high in BEHIND_MM:
        part = (depth >= low) & (depth < high)
        layers.append((hu * part).sum(-1) / np.maximum(part.sum(-1), 1))
    return np.stack(layers)

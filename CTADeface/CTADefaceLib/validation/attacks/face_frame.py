"""The head's own frame for the trained attack: where the face's zones are, found with the original in hand.

An attacker may know the frame exactly, so the landmarks are taken from the original scan and its reference mask. They
hold for heads that look roughly to anterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...voxels.hu import BONE_HU
from ...voxels.volume import Volume, foremost, ras_view
from .nose import Head

# The frame's origin, where the rays start, lies in the head, this far behind the line from bony chin to bony nasion.
BEHIND_MM = 65.0
MIDDLE_MM = 12.0
# mm above the tip of the nose, in the image's axes.
NASION_MM, CHIN_MM = (20.0, 45.0), (-80.0, -42.0)
MOST_PITCH = np.deg2rad(35.0)
ZONES = (
    "forehead",
    "eyes and brows",
    "nose",
    "right cheek",
    "left cheek",
    "mouth",
    "chin",
    "right jaw line",
    "left jaw line",
    "submental",
)
# The plane below the jaw rises by this per mm from the chin backwards.
JAW_SLOPE = 0.35

# Up and forwards, mm.
Point = tuple[float, float]


@dataclass(frozen=True)
class FaceFrame:
    """``origin`` (S, A, R) in mm from voxel 0 of the RAS view; ``axes`` rows: unit vectors up, forwards, right.

    ``chin``: (up, forwards) in mm of the bony chin's foremost and lowest point.
    """

    origin: np.ndarray
    axes: np.ndarray
    chin: tuple[float, float]

    def zones(self, points: np.ndarray) -> np.ndarray:
        """Index into ``ZONES`` for each of ``points`` (n, 3), mm up, forwards and right of the origin."""
        up, forwards, right = np.asarray(points).T
        beside = np.abs(right)
        below = up < self.chin[0] + JAW_SLOPE * np.maximum(self.chin[1] - forwards, 0)
        rules = [
            (below, "submental"),
            (up > 45, "forehead"),
            ((up > 15) & (beside > 12), "eyes and brows"),
            ((up > -8) & (beside <= 18), "nose"),
            ((up > -45) & (up <= -8) & (beside <= 28), "mouth"),
            ((up <= -45) & (beside <= 28), "chin"),
            ((up <= -35) & (right > 0), "right jaw line"),
            (up <= -35, "left jaw line"),
            (right > 0, "right cheek"),
            (right <= 0, "left cheek"),
        ]
        return np.select([rule for rule, _ in rules], [ZONES.index(name) for _, name in rules])


def face_frame(volume: Volume, mask: np.ndarray) -> FaceFrame:
    """``FaceFrame`` of an original ``Volume`` with its mask, bool (k, j, i), not empty."""
    spacing = np.array(volume.geometry.ras_spacing())
    face = ras_view(mask, volume.geometry)
    tip = _tip(volume, face)
    middle = float((np.arange(face.shape[2]) * face.sum((0, 1))).sum() / face.sum()) * spacing[2]
    near = np.abs(np.arange(face.shape[2]) * spacing[2] - middle) <= MIDDLE_MM
    bone = volume.to_hu(np.ascontiguousarray(volume.ras()[:, :, near])) > BONE_HU
    front = foremost(bone).max(1) * spacing[1]
    above = np.arange(len(front)) * spacing[0] - tip[0]
    nasion, chin = (_foremost_between(front, above, *limits) for limits in (NASION_MM, CHIN_MM))
    up, forwards = _axes(nasion, chin)
    point = chin if nasion is None else nasion
    line = tip[1] - 25.0 if point is None else point[1] - point[0] * np.tan(np.arctan2(up[1], up[0]))
    origin = np.array([tip[0], line, middle]) - BEHIND_MM * np.array([*forwards, 0.0])
    axes = np.array([[*up, 0.0], [*forwards, 0.0], [0.0, 0.0, 1.0]])
    return FaceFrame(origin, axes, _chin(bone, spacing, chin, tip, origin, up, forwards))


def _tip(volume: Volume, face: np.ndarray) -> Point:
    """(S, A) mm of the tip of the nose; without one that stands out, the mask's foremost place."""
    spacing, head = volume.geometry.ras_spacing(), Head(volume)
    if head.nose is not None:
        return head.nose[0] * head.spacing[0], head.nose[1] * head.spacing[1]
    front = foremost(face).max(1)
    s = int(front.argmax())
    return s * spacing[0], front[s] * spacing[1]


def _foremost_between(front: np.ndarray, above: np.ndarray, low: float, high: float) -> Point | None:
    """(mm above the tip, mm to anterior) of the foremost bone in the middle, None without."""
    part = np.flatnonzero((above >= low) & (above <= high) & (front >= 0))
    if part.size == 0:
        return None
    best = part[front[part].argmax()]
    return above[best], front[best]


def _axes(nasion: Point | None, chin: Point | None) -> tuple[Point, Point]:
    """Unit vectors (S, A) up, from bony chin to bony nasion, and forwards."""
    pitch = 0.0
    if nasion is not None and chin is not None:
        pitch = np.clip(np.arctan2(nasion[1] - chin[1], nasion[0] - chin[0]), -MOST_PITCH, MOST_PITCH)
    return (np.cos(pitch), np.sin(pitch)), (-np.sin(pitch), np.cos(pitch))


def _chin(
    bone: np.ndarray, spacing: np.ndarray, chin: Point | None, tip: Point, origin: np.ndarray, up: Point, forwards: Point
) -> Point:
    """(up, forwards) in mm of the lowest bone close behind the foremost bone of the chin."""
    if chin is None:
        return -62.0, BEHIND_MM
    s, a = (np.arange(n)[:, None] * step for n, step in zip(bone.shape[:2], spacing[:2]))
    s, a = s - origin[0], a.T - origin[1]
    height, depth = s * up[0] + a * up[1], s * forwards[0] + a * forwards[1]
    top = (tip[0] + chin[0] - origin[0]) * up[0] + (chin[1] - origin[1]) * up[1]
    front = (tip[0] + chin[0] - origin[0]) * forwards[0] + (chin[1] - origin[1]) * forwards[1]
    part = bone.any(2) & (np.abs(depth - front) <= 12) & (height <= top) & (height > top - 30)
    return (float(height[part].min()) if part.any() else top - 8.0), float(front)

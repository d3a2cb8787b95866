"""The fixed views of the identity check, and what a box of pixels in one of them measures in mm.

A detector that sees a head only from straight ahead misses real faces, and finds small ones in the bone behind a face
that is gone: so several views, and boxes of the size and at the place of the face only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from ..errors import MaskError
from ..rendering.camera import VIEW_ANGLE_DEG, Focus, View, camera_pose
from ..rendering.offscreen import render_views
from .recognition import Box

PITCHES_DEG = (0, 10, 20, 30)
YAWS_DEG = (-15, 0, 15)
VIEWS = tuple(View(f"pitch {pitch} yaw {yaw}", pitch, yaw) for pitch in PITCHES_DEG for yaw in YAWS_DEG)
SIZE = 360  # pixels
# Smoothing takes away the steps of coarse voxels, which hide faces from MTCNN. Chosen on nine training heads of 4 mm
# voxels: the face is then found in 24 of 108 views instead of 10, and FaceNet tells heads apart better (AUC 0.92
# instead of 0.86).
SMOOTHING_PIXELS = 2.0

# Boxes of MTCNN around real faces are 117 to 157 mm wide, those around pieces of bone 13 to 62 mm.
FACE_WIDTH_MM = (80.0, 220.0)
FACE_OFFSET_MM = 60.0


@dataclass(frozen=True)
class Frame:
    """A view's scale at the face: ``column`` and ``row`` (pixels) of the face centre, ``mm_per_pixel`` there."""

    column: float
    row: float
    mm_per_pixel: float


def draw_views(
    hu: np.ndarray,
    index_to_ras: np.ndarray,
    focus: Focus,
    views: Sequence[View] = VIEWS,
    size: int = SIZE,
    smoothing: float = SMOOTHING_PIXELS,
) -> list[np.ndarray]:
    """Smoothed pictures of ``views``: list of uint8 RGB (size, size, 3).

    ``hu`` (k, j, i); ``index_to_ras`` 4x4, to RAS mm; ``focus``: the same for volumes that are compared; ``smoothing``
    in pixels.
    """
    sigma = (smoothing, smoothing, 0)
    return [ndi.gaussian_filter(picture, sigma) for picture in render_views(hu, index_to_ras, views, size, focus)]


def face_centre(mask: np.ndarray, index_to_ras: np.ndarray) -> np.ndarray:
    """Centroid of the face mask (k, j, i) in RAS mm; ``MaskError`` when it is empty."""
    counts = [np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != axis)) for axis in (2, 1, 0)]
    if not counts[0].any():
        raise MaskError("The face mask is empty, so that there is no face to compare; give the mask that was filled.")
    index = [np.average(np.arange(len(c)), weights=c) for c in counts]
    return np.asarray(index_to_ras)[:3] @ [*index, 1.0]


def frame(view: View, focus: Focus, centre: np.ndarray, size: int = SIZE) -> Frame:
    """``Frame`` of a picture of ``size`` pixels that ``draw_views`` draws of ``focus``; ``centre`` in RAS mm."""
    position, towards, up = camera_pose(view, focus)
    offset = np.asarray(centre) - position
    depth = -offset @ towards
    mm_per_pixel = 2 * depth * np.tan(np.radians(VIEW_ANGLE_DEG / 2)) / size
    right = np.cross(up, towards)
    middle = (size - 1) / 2
    return Frame(
        float(middle + offset @ right / mm_per_pixel), float(middle - offset @ up / mm_per_pixel), float(mm_per_pixel)
    )


def box_mm(box: Box, at: Frame) -> tuple[float, float]:
    """(width of a ``Box``, distance of its middle from the face centre), in mm at the depth of the face centre."""
    across = box.left + (box.width - 1) / 2 - at.column
    down = box.top + (box.height - 1) / 2 - at.row
    return box.width * at.mm_per_pixel, float(np.hypot(across, down)) * at.mm_per_pixel


def counts(
    width_mm: float, offset_mm: float, widths: tuple[float, float] = FACE_WIDTH_MM, farthest: float = FACE_OFFSET_MM
) -> bool:
    """Is a box of this width and distance from the face centre, in mm, one of the face?"""
    return widths[0] <= width_mm <= widths[1] and offset_mm <= farthest

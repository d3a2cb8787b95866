"""The old skin from the front and from both sides, with what is left of it marked: for the hospital's eyes only."""

from __future__ import annotations

import numpy as np

from ..head.atlas import SKIN_MM
from ..head.skin import Skin
from .face_left import FaceLeft

# Degrees to which the viewer stands: the patient's right side, the front, the left side.
VIEWS_DEGREES = (55.0, 0.0, -55.0)
PIXEL_MM = 0.75
BACKGROUND = (255, 255, 255)
# RGB of skin that need not go, skin that is gone, and skin that is left.
OTHER, GONE, LEFT = (200, 200, 200), (120, 160, 200), (210, 40, 40)


def face_picture(face: FaceLeft) -> np.ndarray:
    """RGB uint8 (rows, columns, 3) of a ``FaceLeft``: three views side by side, each as wide, the head upright."""
    colours = np.where(face.left[:, None], LEFT, np.where(face.zone[:, None] > 0, GONE, OTHER))
    angles = np.radians(VIEWS_DEGREES)
    width_mm = max(float(np.ptp(_across(face.skin, angle))) for angle in angles)
    return np.concatenate([_view(face.skin, colours, angle, width_mm) for angle in angles], 1)


def _across(skin: Skin, angle: float) -> np.ndarray:
    """(N,) mm to the viewer's right, where the patient's left lies."""
    right, anterior, _superior = skin.points.T
    return -(np.cos(angle) * right - np.sin(angle) * anterior)


def _view(skin: Skin, colours: np.ndarray, angle: float, width_mm: float) -> np.ndarray:
    """One view of the skin's points, each drawn as a square as wide as a turned cell of the grid; nearer ones last.

    ``width_mm``: how wide the widest view is; the skin lies in the middle.
    """
    right, anterior, superior = skin.points.T
    depth = np.cos(angle) * anterior + np.sin(angle) * right
    toward = np.array([np.sin(angle), np.cos(angle), 0.0])
    light = np.clip(-skin.normals @ toward, 0.0, 1.0)
    shaded = (colours * (0.35 + 0.65 * light)[:, None]).astype(np.uint8)
    size = int(np.ceil(SKIN_MM * np.sqrt(2) / PIXEL_MM))
    row = ((superior.max() - superior) / PIXEL_MM).astype(int) + size
    across = _across(skin, angle)
    column = ((across - (across.min() + across.max() - width_mm) / 2) / PIXEL_MM).astype(int) + size
    picture = np.full((row.max() + 2 * size, int(width_mm / PIXEL_MM) + 3 * size, 3), BACKGROUND, np.uint8)
    seen = light > 0
    for point in np.flatnonzero(seen)[np.argsort(depth[seen])]:
        picture[row[point] : row[point] + size, column[point] : column[point] + size] = shaded[point]
    return picture

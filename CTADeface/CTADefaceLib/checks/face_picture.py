"""The old skin from the front and from both sides, with what is left of it marked: for the hospital's eyes only."""

from __future__ import annotations

import numpy as np

from ..head.atlas import SKIN_HIGH_MM, SKIN_LOW_MM, SKIN_MM
from ..head.skin import Skin
from .face_left import FaceLeft

# Degrees to which the viewer stands: the patient's right side, the front, the left side.
VIEWS_DEGREES = (55.0, 0.0, -55.0)
PIXEL_MM = 1.5
BACKGROUND = (255, 255, 255)
# RGB of skin that need not go, skin that is gone, and skin that is left.
OTHER, GONE, LEFT = (200, 200, 200), (120, 160, 200), (210, 40, 40)


def face_picture(face: FaceLeft) -> np.ndarray:
    """RGB uint8 (rows, columns, 3) of a ``FaceLeft``: three views side by side, the head upright."""
    colours = np.where(face.left[:, None], LEFT, np.where(face.zone[:, None] > 0, GONE, OTHER))
    return np.concatenate([_view(face.skin, colours, np.radians(angle)) for angle in VIEWS_DEGREES], 1)


def _view(skin: Skin, colours: np.ndarray, angle: float) -> np.ndarray:
    """One view of the skin's points, each drawn as a square as large as the grid's cell; nearer ones last."""
    right, anterior, superior = skin.points.T
    # To the viewer's right lies the patient's left.
    across = -(np.cos(angle) * right - np.sin(angle) * anterior)
    depth = np.cos(angle) * anterior + np.sin(angle) * right
    toward = np.array([np.sin(angle), np.cos(angle), 0.0])
    light = np.clip(-skin.normals @ toward, 0.0, 1.0)
    shaded = (colours * (0.35 + 0.65 * light)[:, None]).astype(np.uint8)
    low, high = SKIN_LOW_MM, SKIN_HIGH_MM
    half = int(np.ceil(np.hypot(high[0], low[1]) / PIXEL_MM)) + 1
    rows = int((high[2] - low[2]) / PIXEL_MM) + 4
    picture = np.full((rows, 2 * half, 3), BACKGROUND, np.uint8)
    row = ((high[2] - superior) / PIXEL_MM).astype(int)
    column = (across / PIXEL_MM).astype(int) + half
    size, seen = int(np.ceil(SKIN_MM / PIXEL_MM)) + 1, light > 0
    for point in np.flatnonzero(seen)[np.argsort(depth[seen])]:
        picture[max(row[point], 0) : row[point] + size, max(column[point], 0) : column[point] + size] = shaded[point]
    return picture

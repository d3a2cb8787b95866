"""A made-up head of ellipsoids for self-tests. Arrays (S, A, R) in HU at isotropic spacing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SPACING_MM = 3.0
SHAPE = (80, 80, 64)
AIR, SKIN, BRAIN, BONE = -1000, 40, 35, 900


def _ellipsoid(centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
    grids = np.meshgrid(*(np.arange(n) * SPACING_MM for n in SHAPE), indexing="ij", sparse=True)
    s, a, r = (((g - c) / r) ** 2 for g, c, r in zip(grids, centre, radii))
    return s + a + r < 1


def head_parts() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(HU int16, face bool, brain bool, bone bool), each (S, A, R): superior, anterior and right grow."""
    skin = _ellipsoid((140, 110, 96), (88, 92, 74)) | _ellipsoid((70, 130, 96), (58, 66, 56))
    skin |= _ellipsoid((95, 202, 96), (22, 18, 14)) | _ellipsoid((20, 95, 96), (60, 45, 42))
    skull = _ellipsoid((145, 108, 96), (78, 84, 66))
    brain = _ellipsoid((145, 108, 96), (70, 76, 58))
    jaw = _ellipsoid((62, 128, 96), (34, 52, 44)) & ~_ellipsoid((62, 122, 96), (34, 44, 36))
    bone = (skull & ~brain) | jaw
    hu = np.where(skin, SKIN, AIR).astype(np.int16)
    hu[brain], hu[bone] = BRAIN, BONE
    anterior = np.arange(SHAPE[1])[None, :, None] * SPACING_MM > 100
    level = np.arange(SHAPE[0])[:, None, None] * SPACING_MM
    inner = _ellipsoid((62, 122, 96), (34, 44, 36))
    face = skin & ~skull & ~bone & ~inner & anterior & (level > 15) & (level < 215)
    return hu, face, brain, bone

"""The bundled average head: which tissue lies where, and which skin is face.

``training/head_atlas.py`` makes it from annotated heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..files.resources import resource

# First and last point in head mm (right, anterior, superior), and the spacing of each grid.
LOW_MM, HIGH_MM = np.array([-108.0, -204.0, -132.0]), np.array([108.0, 36.0, 156.0])
EVIDENCE_MM = 6.0
SKIN_LOW_MM, SKIN_HIGH_MM = np.array([-99.0, -135.0, -129.0]), np.array([99.0, 36.0, 126.0])
SKIN_MM = 3.0
# The tip of its nose, head mm.
NOSE_MM = np.array([0.0, -6.0, 24.0])
AIR, SOFT, BONE = range(3)
# Stored as 8-bit integers: nats by 50, mm by 10, shares by 250.
EVIDENCE_UNIT, DEPTH_UNIT, SHARE_UNIT = 50.0, 10.0, 250.0

ZONES = (
    "forehead",
    "brows",
    "right_eye",
    "left_eye",
    "nose",
    "right_cheek",
    "left_cheek",
    "mouth",
    "chin",
    "right_jaw",
    "left_jaw",
    "submental",
)


@dataclass(frozen=True)
class Atlas:
    """``evidence`` float32 (3, S, A, R): log-odds in nats of air, soft tissue or bone at a point of a head.

    On the grid of the skin, (S, A, R): ``depth`` float32, mm of tissue behind the skin that go with the face in nine of ten
    heads, 0 where no face is; ``frequency`` float32, the share of heads that have skin there; ``share`` float32, in how many
    of these that skin goes with the face; ``zone`` uint8, 1 + index in ``ZONES``, 0 where no face is.
    """

    evidence: np.ndarray
    depth: np.ndarray
    share: np.ndarray
    frequency: np.ndarray
    zone: np.ndarray


def grid_shape(low: np.ndarray, high: np.ndarray, spacing: float) -> tuple[int, ...]:
    """Points (S, A, R) of a grid between two corners (right, anterior, superior)."""
    return tuple(round(n) + 1 for n in ((high - low) / spacing)[::-1])


def grid_axes(low: np.ndarray, high: np.ndarray, spacing: float) -> tuple[np.ndarray, ...]:
    """Positions in mm of a grid's points along each axis: (right, anterior, superior)."""
    return tuple(low[axis] + spacing * np.arange(size) for axis, size in enumerate(grid_shape(low, high, spacing)[::-1]))


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The bundled ``Atlas``."""
    with np.load(resource("Atlas/head.npz"), allow_pickle=False) as stored:
        return Atlas(
            stored["evidence"].astype(np.float32) / EVIDENCE_UNIT,
            stored["depth"].astype(np.float32) / DEPTH_UNIT,
            stored["share"].astype(np.float32) / SHARE_UNIT,
            stored["frequency"].astype(np.float32) / SHARE_UNIT,
            stored["zone"],
        )

"""The tip of the nose of an upright head, where it stands out to anterior, found from HU alone.

Lines run from posterior to anterior, one every 3 mm or so in the (S, R) plane, at full resolution along A.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage as ndi

from ...voxels.cells import expand
from ...voxels.hu import TISSUE_HU
from ...voxels.volume import Volume, foremost, ras_view

LINE_MM = 3.0
# How far the tip of the nose stands in front of the skin at both sides of it, close by and farther off, and above it.
NOSE_CLOSE_MM, NOSE_SIDE_MM, NOSE_ABOVE_MM = 14.0, 25.0, 35.0
MOST_CLOSE_MM, MOST_ABOVE_MM = 15.0, 15.0
# Where a nose can be: near the middle of a slice that is no wider than a head, within a head's height of its top.
NOSE_OFF_MIDDLE_MM, HEAD_WIDTH_MM, HEAD_HEIGHT_MM = 40.0, 240.0, 240.0
# Below this, chins and tubes come up too (measured on the training heads).
LEAST_NOSE_MM = 20.0


@dataclass(frozen=True)
class Head:
    """A ``Volume`` seen along its lines; indices are of the RAS view (S, A, R), lines (S', R')."""

    volume: Volume

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """Voxels between lines along S and R (and, for ``body``, along A), as (S, A, R)."""
        spacing = self.volume.geometry.ras_spacing()
        return tuple(max(round(LINE_MM / s), 1) for s in spacing)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """mm between lines along S and R, and between voxels along A, as (S', A, R')."""
        s, a, r = self.volume.geometry.ras_spacing()
        return s * self.steps[0], a, r * self.steps[2]

    @cached_property
    def hu(self) -> np.ndarray:
        """HU on the lines, (S', A, R')."""
        return self.volume.to_hu(self.lines(self.volume.stored))

    def lines(self, array: np.ndarray) -> np.ndarray:
        """The lines of any array on the volume's grid, (S', A, R'), copied."""
        view = ras_view(array, self.volume.geometry)
        return np.ascontiguousarray(view[:: self.steps[0], :, :: self.steps[2]])

    @cached_property
    def body(self) -> np.ndarray:
        """Bool (S', A, R'): tissue of the largest piece, without what is thinner than 6 mm or hovers apart."""
        tissue = self.hu > TISSUE_HU
        coarse = tissue[:, :: self.steps[1]]
        labels, _ = ndi.label(ndi.binary_opening(coarse))
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        if not sizes.any():
            return np.zeros_like(tissue)
        main = ndi.binary_dilation(labels == sizes.argmax())
        region = tuple(slice(0, n) for n in tissue.shape)
        return expand(main, (1, self.steps[1], 1), region) & tissue

    @cached_property
    def skin(self) -> np.ndarray:
        """(S', R') index along A of the foremost voxel of the body, -1 on lines without one."""
        return foremost(self.body)

    @cached_property
    def nose(self) -> tuple[int, int, int] | None:
        """(s', a, r') of the tip of the nose, or None when none stands out (not in view, bandaged, defaced)."""
        front = np.where(self.skin >= 0, self.skin * self.spacing[1], np.nan)
        close, side = (round(mm / self.spacing[2]) for mm in (NOSE_CLOSE_MM, NOSE_SIDE_MM))
        above = round(NOSE_ABOVE_MM / self.spacing[0])
        if front.shape[1] <= 2 * side or front.shape[0] <= above or np.isnan(front).all():
            return None
        score = np.clip(_before_its_sides(front, close), None, MOST_CLOSE_MM) + _before_its_sides(front, side) / 2
        score[:-above] += np.clip(np.nan_to_num(front[:-above] - front[above:]), None, MOST_ABOVE_MM) / 2
        score = ndi.uniform_filter(np.where(self._may_hold_nose() & np.isfinite(score), score, -100.0), 3)
        s, r = np.unravel_index(score.argmax(), score.shape)
        return (int(s), int(self.skin[s, r]), int(r)) if score[s, r] >= LEAST_NOSE_MM else None

    def _may_hold_nose(self) -> np.ndarray:
        shadow = np.any(self.body, axis=1)
        used = np.flatnonzero(shadow.any(1))
        rows, columns = np.indices(shadow.shape)
        width = shadow.sum(1)
        middle = (shadow * columns).sum(1) / np.maximum(width, 1)
        return (
            (np.abs(columns - middle[:, None]) * self.spacing[2] <= NOSE_OFF_MIDDLE_MM)
            & (width[:, None] * self.spacing[2] <= HEAD_WIDTH_MM)
            & ((used[-1] - rows) * self.spacing[0] <= HEAD_HEIGHT_MM)
        )


def _before_its_sides(front: np.ndarray, lines: int) -> np.ndarray:
    """mm by which each line's skin lies before the foremost skin ``lines`` to its left or right; NaN at the borders."""
    result = np.full(front.shape, np.nan)
    result[:, lines:-lines] = front[:, lines:-lines] - np.fmax(front[:, : -2 * lines], front[:, 2 * lines :])
    return result

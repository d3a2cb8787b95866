"""Axial and sagittal slices of a head CT before and after, with the mask's outline; made with numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..voxels.volume import Volume, ras_affine, ras_view

# HU of black and white: a window of 400 around 40, which shows skin, fat, muscle and brain.
WINDOW_HU = (-160.0, 240.0)
PIXEL_MM = 0.75
OUTLINE = (255, 210, 0)
# Shares of the mask that lie below (axial) or to the left (sagittal) of the slices.
SHARES = (0.15, 0.5, 0.85)
GAP_PIXELS = 4
# Axes of a RAS view (S, A, R).
SUPERIOR, ANTERIOR, RIGHT = 0, 1, 2
# What is shown around the mask, in mm: on its low side along each axis, and on its high side. Below a mask that is too small
# lies the face that it leaves.
LOW_MM, HIGH_MM = {SUPERIOR: 50.0, ANTERIOR: 70.0, RIGHT: 20.0}, 20.0


@dataclass(frozen=True)
class SlicePair:
    """One slice before (upper half of ``picture``, RGB uint8 (rows, columns, 3)) and after (lower half).

    ``plane`` 'axial' (anterior is up, the patient's right is on the left) or 'sagittal' (superior is up, anterior is on the
    left); ``at_mm`` where it lies, in RAS mm along the image's own axis nearest to superior or right.
    """

    plane: str
    at_mm: float
    picture: np.ndarray

    @property
    def caption(self) -> str:
        """Plane and place in words, such as "axial, S 12 mm"."""
        towards = "IS" if self.plane == "axial" else "LR"
        return f"{self.plane}, {towards[self.at_mm >= 0]} {abs(self.at_mm):.0f} mm"


def slice_pairs(volume: Volume, mask: np.ndarray, stored_after: np.ndarray) -> list[SlicePair]:
    """Three axial ``SlicePair``s through a mask, from above, and three sagittal ones, from the patient's right.

    Parameters: ``volume`` the original; ``mask`` bool (k, j, i) on its grid, not empty; ``stored_after`` its stored values
    (k, j, i) after the fill.
    """
    geometry = volume.geometry
    views = [ras_view(array, geometry) for array in (volume.stored, stored_after, mask)]
    extent = [_extent(views[2], axis) for axis in range(3)]
    spacing = geometry.ras_spacing()
    found = []
    for plane, across, rows, columns in (("axial", SUPERIOR, ANTERIOR, RIGHT), ("sagittal", RIGHT, SUPERIOR, ANTERIOR)):
        picked = tuple(_pixels(extent[axis], axis, views[0].shape[axis], spacing[axis]) for axis in (rows, columns))
        for index in _through(views[2], across):
            before, after, inside = (view.take(index, across)[np.ix_(*picked)] for view in views)
            edge = _outline(inside)
            pictures = [_drawn(volume.to_hu(np.ascontiguousarray(part)), edge) for part in (before, after)]
            gap = np.full((GAP_PIXELS, *pictures[0].shape[1:]), 255, np.uint8)
            found.append(SlicePair(plane, _at_mm(volume, across, index), np.concatenate([pictures[0], gap, pictures[1]])))
    return found


def _extent(mask: np.ndarray, axis: int) -> tuple[int, int]:
    """(first, last) index of a mask along an axis."""
    places = np.flatnonzero(mask.any(axis=_others(axis)))
    return int(places[0]), int(places[-1])


def _others(axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(3) if other != axis)


def _through(mask: np.ndarray, axis: int) -> list[int]:
    """Indices of the planes across ``axis`` below which ``SHARES`` of the mask lie, each once, the highest first."""
    below = np.cumsum(np.count_nonzero(mask, axis=_others(axis)))
    return sorted({int(np.searchsorted(below, share * below[-1])) for share in SHARES}, reverse=True)


def _pixels(extent: tuple[int, int], axis: int, size: int, spacing: float) -> np.ndarray:
    """The nearest index along ``axis`` for each pixel of a picture, which shows superior, anterior and right first."""
    first, last = max(extent[0] - LOW_MM[axis] / spacing, 0), min(extent[1] + HIGH_MM / spacing, size - 1)
    count = max(int((last - first) * spacing / PIXEL_MM), 1) + 1
    return np.rint(np.linspace(last, first, count)).astype(int)


def _outline(inside: np.ndarray) -> np.ndarray:
    """The pixels of a mask (rows, columns) that touch what is outside of it, above, below or beside."""
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~core


def _drawn(hu: np.ndarray, edge: np.ndarray) -> np.ndarray:
    low, high = WINDOW_HU
    grey = np.clip((np.nan_to_num(hu.astype(np.float32), nan=low) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, 2)
    picture[edge] = OUTLINE
    return picture


def _at_mm(volume: Volume, axis: int, index: int) -> float:
    """RAS mm, along the patient's axis, of the middle of a plane of the RAS view."""
    middle = [n / 2 for n in volume.ras().shape]
    middle[axis] = index
    return float((ras_affine(volume) @ [*middle, 1])[2 - axis])

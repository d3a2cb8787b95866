"""Separable resampling between a volume's own grid and a model's, a few slices at a time.

Each axis is resampled by one small matrix (see ``model_grid``), so that neither a whole float volume nor whole-volume
logits are ever held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..progress import StageProgress
from ..voxels.slabs import for_slabs
from .model_grid import Intensity, ModelGrid

SLAB = 16
LOGIT_SCALE = 256


def linear_weights(n_in: int, n_out: int, rows: slice) -> np.ndarray:
    """Matrix (len(rows), n_in) float32: linear interpolation at ``rows``, a slice of the n_out samples."""
    centres = np.clip((np.arange(n_out)[rows] + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
    distance = np.abs(centres[:, None] - np.arange(n_in)[None, :])
    return np.clip(1.0 - distance, 0.0, None).astype(np.float32)


def _used(weights: np.ndarray) -> slice:
    """The range of columns that any row of ``weights`` draws from."""
    columns = np.flatnonzero(weights.any(0))
    return slice(columns[0], columns[-1] + 1)


def to_model_grid(
    view: np.ndarray,
    to_hu: Callable[[np.ndarray], np.ndarray],
    shape: Sequence[int],
    intensity: Intensity,
    progress: StageProgress | None = None,
) -> np.ndarray:
    """Normalise and resample stored values to a model's grid, a few slices at a time.

    Parameters: ``view`` stored values (S, A, R); ``to_hu`` their conversion to HU; ``shape`` of the result.
    Returns: float32 array of ``shape``.
    """
    grid = ModelGrid(view.shape, shape, intensity)
    for start in range(0, view.shape[0], SLAB):
        planes = slice(start, start + SLAB)
        grid.add(planes, to_hu(np.ascontiguousarray(view[planes])))
        if progress is not None:
            progress.update(min((start + SLAB) / view.shape[0], 1.0))
    return grid.result()


def from_model_grid(coarse: np.ndarray, shape: Sequence[int], region: Sequence[slice]) -> np.ndarray:
    """Resample a float32 array (S, A, R) on a model's grid to ``region`` (three slices) of a grid of ``shape``.

    Returns: int16 array of the region's shape, ``LOGIT_SCALE`` per unit and rounded up, so that comparisons with
    multiples of 1 / 256 are exact; it takes half the memory of float32, and numpy compares it faster than float16.
    """
    along = [linear_weights(n, m, r) for n, m, r in zip(coarse.shape, shape, region)]
    used = tuple(_used(w) for w in along)
    coarse = coarse[used] * np.float32(LOGIT_SCALE)
    along_s, along_a, along_r = (w[:, u] for w, u in zip(along, used))
    result = np.empty(tuple(len(w) for w in along), np.int16)

    def resample(rows: slice) -> None:
        between = _used(along_s[rows])
        planes = along_a @ coarse[between] @ along_r.T
        for row in range(rows.start, rows.stop):
            result[row] = _between(planes, along_s[row, between])

    for_slabs(resample, len(along_s), SLAB)
    return result


def _between(planes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The plane between two neighbours, whose ``weights`` alone are not 0, rounded up for int16."""
    first, *second = np.flatnonzero(weights)
    values = planes[first] * weights[first]
    if second:
        values += planes[second[0]] * weights[second[0]]
    return np.clip(np.ceil(values, out=values), -32768, 32767, out=values)

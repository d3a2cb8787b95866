"""A volume on a model's grid, computed from a few planes at a time.

Both grids cover the same extent, as in nnU-Net: sample i of n_out lies at (i + 0.5) * n_in / n_out - 0.5 of the input.
Each axis is resampled by one small matrix, so that a whole float volume is never held. This module does without torch, so
that planes can be taken while torch is still being imported.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..models.folder import ModelInfo

# (lower, upper, mean, standard deviation) in HU of nnU-Net's CTNormalization.
Intensity = tuple[float, float, float, float]

# The spline's tails never end. Below a float's precision they change nothing, and with subnormal numbers Intel's
# processors multiply a hundred times slower.
LEAST_WEIGHT = 1e-9
PIECE = 2048
# The log-odds where there is certainly no face.
BACKGROUND_LOGIT = -50.0


def spline_weights(n_in: int, n_out: int) -> np.ndarray:
    """Matrix (n_out, n_in) float32: cubic spline interpolation with repeated edges, as nnU-Net resamples images.

    The spline is linear in the samples, so resampling the unit vectors gives its matrix, that of
    ``skimage.transform.resize(order=3, mode="edge", anti_aliasing=False)``.
    """
    identity = np.eye(n_in, dtype=np.float32)
    if n_out == n_in:
        # SciPy gives the same, but looks for torch tensors first, and torch may be half imported on another thread.
        return identity
    # Imported late: it would delay the reading.
    from scipy import ndimage as ndi

    weights = ndi.zoom(identity, (n_out / n_in, 1), order=3, mode="nearest", grid_mode=True)
    weights[np.abs(weights) < LEAST_WEIGHT] = 0
    return weights


class ModelGrid:
    """Normalises and resamples an array of ``shape_in`` to ``shape_out`` (same axis order, any).

    Slabs are added once each, from any thread.
    """

    def __init__(self, shape_in: Sequence[int], shape_out: Sequence[int], intensity: Intensity) -> None:
        self.shape, self.intensity = tuple(shape_out), intensity
        self._first, *self._others = (spline_weights(n, m) for n, m in zip(shape_in, shape_out))
        self._sum = np.zeros((shape_out[0], *shape_in[1:]), np.float32)
        self._result: np.ndarray | None = None
        self._lock = threading.Lock()

    def add(self, planes: slice, hu: np.ndarray) -> None:
        """Take the slices ``planes`` of the first axis; ``hu`` are their values."""
        weights = self._first[:, planes]
        used = np.flatnonzero(weights.any(1))
        if used.size == 0:
            return
        rows = slice(used[0], used[-1] + 1)
        values = hu.astype(np.float32)
        np.clip(values, self.intensity[0], self.intensity[1], out=values)
        # Pieces so small that BLAS starts no threads for them: the cores are busy reading and importing.
        values, total = values.reshape(len(values), -1), self._sum[rows].reshape(rows.stop - rows.start, -1)
        whole = values.shape[1] // PIECE * PIECE
        for part in (slice(0, whole), slice(whole, None)):
            pieces = max(values[:, part].shape[1] // PIECE, 1)
            product = weights[rows] @ values[:, part].reshape(len(values), pieces, -1).transpose(1, 0, 2)
            with self._lock:
                total[:, part].reshape(len(total), pieces, -1)[:] += product.transpose(1, 0, 2)

    def result(self) -> np.ndarray:
        """float32 array of ``shape_out``, once all slabs have been added; the memory of the sum is freed."""
        if self._result is None:
            self._result = self._finished()
            del self._sum
        return self._result

    def _finished(self) -> np.ndarray:
        lower, upper, mean, deviation = self.intensity
        second, third = self._others
        result = np.stack([second @ plane @ third.T for plane in self._sum])
        # All weights of a sample sum to one, so normalising may come last. The spline overshoots at edges; nnU-Net
        # clips to the range of its normalised input.
        return (np.clip(result, lower, upper) - np.float32(mean)) / np.float32(deviation)


def grid_shape(shape: Sequence[int], spacing: Sequence[float], info: ModelInfo) -> tuple[int, ...]:
    """Shape (S, A, R) of a region of ``shape`` voxels of ``spacing`` mm (S, A, R) on the grid of the model ``info``."""
    return tuple(max(round(n * s / t), 1) for n, s, t in zip(shape, spacing, info.spacing_zyx))


def intensity(info: ModelInfo) -> Intensity:
    """The ``Intensity`` of the model ``info``."""
    return info.clip_low, info.clip_high, info.mean, info.std

"""A volume on a model's grid, from a few planes at a time.

Both grids cover the same extent, as in nnU-Net: sample i of n_out lies at (i + 0.5) * n_in / n_out - 0.5 of the input.
Each axis is one small matrix, so that a whole float volume is never held. Without torch, so that planes can be taken
while torch is still being imported.
"""

import threading

import numpy as np

# The spline's tails never end. Below a float's precision they are work for nothing, and where they are subnormal
# numbers Intel's processors multiply a hundred times slower.
LEAST_WEIGHT = 1e-9
PIECE = 2048
# The log-odds where there is no face for certain.
BACKGROUND_LOGIT = -50.0


def spline_weights(n_in, n_out):
    """Matrix (n_out, n_in) float32: cubic spline interpolation with repeated edges, as nnU-Net resamples images.

    The spline is linear in the samples, so resampling the unit vectors gives its matrix, that of
    ``skimage.transform.resize(order=3, mode="edge", anti_aliasing=False)``.
    """
    identity = np.eye(n_in, dtype=np.float32)
    if n_out == n_in:
        # SciPy gives the same, but asks first whether it is a torch tensor: torch may be half imported on another thread.
        return identity
    # Only now: its import would hold up the reading.
    from scipy import ndimage as ndi

    weights = ndi.zoom(identity, (n_out / n_in, 1), order=3, mode="nearest", grid_mode=True)
    weights[np.abs(weights) < LEAST_WEIGHT] = 0
    return weights


class ModelGrid:
    """Normalises and resamples slabs of ``shape_in`` to ``shape_out``, any axis order, each slab added once, from any thread.

    Parameters: ``intensity`` (lower, upper, mean, standard deviation) in HU of nnU-Net's CTNormalization.
    """

    def __init__(self, shape_in, shape_out, intensity):
        self.shape, self.intensity = tuple(shape_out), tuple(intensity)
        self._first, *self._others = (spline_weights(n, m) for n, m in zip(shape_in, shape_out))
        self._sum = np.zeros((shape_out[0], *shape_in[1:]), np.float32)
        self._result = None
        self._lock = threading.Lock()

    def add(self, planes, hu):
        """Take the slices ``planes`` of the first axis; ``hu`` are their values."""
        weights = self._first[:, planes]
        rows = np.flatnonzero(weights.any(1))
        if rows.size == 0:
            return
        rows = slice(rows[0], rows[-1] + 1)
        values = hu.astype(np.float32)
        np.clip(values, *self.intensity[:2], out=values)
        # In pieces so small that BLAS takes no threads for them: the cores are busy reading and importing.
        values, total = values.reshape(len(values), -1), self._sum[rows].reshape(rows.stop - rows.start, -1)
        whole = values.shape[1] // PIECE * PIECE
        for part in (slice(0, whole), slice(whole, None)):
            pieces = max(values[:, part].shape[1] // PIECE, 1)
            product = weights[rows] @ values[:, part].reshape(len(values), pieces, -1).transpose(1, 0, 2)
            with self._lock:
                total[:, part].reshape(len(total), pieces, -1)[:] += product.transpose(1, 0, 2)

    def result(self):
        """float32 array of ``shape_out``, when all slabs are there; what they were summed in is freed."""
        if self._result is None:
            self._result, self._sum = self._finished(), None
        return self._result

    def _finished(self):
        lower, upper, mean, deviation = self.intensity
        second, third = self._others
        result = np.stack([second @ plane @ third.T for plane in self._sum])
        # All weights of a sample sum to one, so normalising may come last. The spline overshoots at edges; nnU-Net
        # clips to the range of its normalised input.
        return (np.clip(result, lower, upper) - np.float32(mean)) / np.float32(deviation)


def grid_shape(shape, spacing, info):
    """Shape (S, A, R) of a region of ``shape`` voxels of ``spacing`` mm (S, A, R) on the grid of the model ``info``."""
    return tuple(max(int(round(n * s / t)), 1) for n, s, t in zip(shape, spacing, info.spacing_zyx))


def intensity(info):
    """``intensity`` of ``ModelGrid`` for the model ``info``."""
    return info.clip_low, info.clip_high, info.mean, info.std

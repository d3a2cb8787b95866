"""Separable resampling between a volume's own grid and a model's, a few slices at a time.

Both grids cover the same extent, as in nnU-Net: sample i of n_out lies at (i + 0.5) * n_in / n_out - 0.5
of the input. Each axis is one small matrix, so that neither a whole float volume nor whole-volume
logits are ever held.
"""

import numpy as np
import torch
from scipy import ndimage as ndi

SLAB = 16
LOGIT_SCALE = 256


def spline_weights(n_in, n_out):
    """Matrix (n_out, n_in) float32: cubic spline interpolation with repeated edges, as nnU-Net resamples images.

    The spline is linear in the samples, so resampling the unit vectors gives its matrix, exactly that
    of ``skimage.transform.resize(order=3, mode="edge", anti_aliasing=False)``.
    """
    identity = np.eye(n_in, dtype=np.float32)
    return torch.from_numpy(ndi.zoom(identity, (n_out / n_in, 1), order=3, mode="nearest", grid_mode=True))


def linear_weights(n_in, n_out, rows):
    """Matrix (len(rows), n_in) float32: linear interpolation at ``rows``, a slice of the n_out samples."""
    centres = np.clip((np.arange(n_out)[rows] + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
    distance = np.abs(centres[:, None] - np.arange(n_in)[None, :])
    return torch.from_numpy(np.clip(1.0 - distance, 0.0, None).astype(np.float32))


def _used(weights):
    """The range of columns that any row of ``weights`` draws from."""
    columns = torch.nonzero(weights.any(0))[:, 0]
    return slice(int(columns[0]), int(columns[-1]) + 1)


def to_model_grid(view, to_hu, shape, intensity, progress=None):
    """Normalise and resample stored values to a model's grid, a few slices at a time.

    Parameters: ``view`` stored values (S, A, R); ``to_hu`` their conversion to HU; ``shape`` of the
    result; ``intensity`` (lower, upper, mean, standard deviation) in HU of nnU-Net's CTNormalization.
    Returns: float32 tensor of ``shape``.
    """
    lower, upper, mean, deviation = intensity
    along_s, along_a, along_r = (spline_weights(n, m) for n, m in zip(view.shape, shape))
    result = torch.zeros(tuple(shape))
    for start in range(0, view.shape[0], SLAB):
        slab = np.ascontiguousarray(view[start:start + SLAB])
        hu = torch.from_numpy(np.ascontiguousarray(to_hu(slab), dtype=np.float32))
        hu = hu.clamp_(lower, upper).sub_(mean).div_(deviation)
        plane = along_a @ (hu @ along_r.T)
        weights = along_s[:, start:start + SLAB]
        rows = torch.nonzero(weights.any(1))[:, 0]
        result[rows] += torch.einsum("ms,sar->mar", weights[rows], plane)
        if progress is not None:
            progress.update(min((start + SLAB) / view.shape[0], 1.0))
    # The spline overshoots at edges; nnU-Net clips to the range of its normalised input.
    return result.clamp_((lower - mean) / deviation, (upper - mean) / deviation)


def from_model_grid(coarse, shape, region, progress=None):
    """Resample a model-grid tensor (S, A, R) to ``region`` (three slices) of a grid of ``shape``.

    Returns: int16 array of the region's shape, ``LOGIT_SCALE`` per unit and rounded up, so that comparing with a
    multiple of 1 / 256 is exact; half the memory of float32, and numpy compares it ten times faster than float16.
    """
    along = [linear_weights(n, m, r) for n, m, r in zip(coarse.shape, shape, region)]
    used = tuple(_used(w) for w in along)
    coarse = coarse[used]
    along_s, along_a, along_r = (w[:, u] for w, u in zip(along, used))
    result = np.empty(tuple(len(w) for w in along), np.int16)
    for start in range(0, len(along_s), SLAB):
        slab = torch.einsum("ms,sar->mar", along_s[start:start + SLAB], coarse)
        slab = (along_a @ slab) @ along_r.T
        result[start:start + SLAB] = slab.mul_(LOGIT_SCALE).ceil_().clamp_(-32768, 32767).numpy()
        if progress is not None:
            progress.update(min((start + SLAB) / len(along_s), 1.0))
    return result

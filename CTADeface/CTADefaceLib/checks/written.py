"""Does the written file hold what was meant to be written?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files.read import compare_file
from ..voxels.volume import Volume
from .check import Check, graded, limits


def written_file(
    path: Path, volume: Volume, stored: np.ndarray, compare: Callable[[Path, np.ndarray], tuple[Volume, int]] = compare_file
) -> Check:
    """Read ``path`` back: every voxel, dtype, grid and rescaling must be those of ``stored`` (k, j, i) and ``volume``.

    Parameters: ``compare(path, stored)`` reads the file as ``compare_file`` does. The value is the number of voxels that
    differ.
    """
    try:
        back, different = compare(path, stored)
    except InputError as error:
        return graded("written_file", stored.size, "voxels", f"The file cannot be read back ({error}).", fail=True)
    if back.stored.shape != stored.shape or back.stored.dtype != stored.dtype:
        return graded("written_file", stored.size, "voxels", "The file has other voxels than were written.", fail=True)
    same_grid = back.geometry.matches(volume.geometry) and (back.slope, back.intercept) == (volume.slope, volume.intercept)
    text = "The file holds what was written, voxel by voxel."
    if not same_grid:
        text = "The file has another grid or rescaling than the volume."
    elif different:
        text = f"{different} voxels of the file differ from what was written."
    limit = limits("voxels", "above", None, 0)
    return graded("written_file", different, "voxels", text, fail=different > 0 or not same_grid, limit=limit)

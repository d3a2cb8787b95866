"""Is the file what was meant to be written?"""

import numpy as np

from ..errors import InputError
from ..files.read import read_volume
from .check import graded


def written_file(path, volume, stored, read=read_volume):
    """Read ``path`` back with ``read``: every voxel, dtype, grid and rescaling must be those of ``stored`` and ``volume``.

    The value is the number of voxels that differ.
    """
    try:
        back = read(path)
    except InputError as error:
        return graded("written_file", stored.size, "voxels", f"The file cannot be read back ({error}).", fail=True)
    if back.stored.shape != stored.shape or back.stored.dtype != stored.dtype:
        return graded("written_file", stored.size, "voxels", "The file has other voxels than were written.", fail=True)
    different = int(np.count_nonzero(back.stored != stored))
    same_grid = back.geometry.matches(volume.geometry) and (back.slope, back.intercept) == (volume.slope,
                                                                                          volume.intercept)
    text = "The file has another grid or rescaling than the volume." if not same_grid else (
        f"{different} voxels of the file differ from what was written.")
    return graded("written_file", different, "voxels", text, fail=different > 0 or not same_grid)

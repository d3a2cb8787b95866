"""Is the file what was meant to be written?"""

from ..errors import InputError
from ..files.read import compare_file
from .check import graded


def written_file(path, volume, stored, compare=compare_file):
    """Read ``path`` back: every voxel, dtype, grid and rescaling must be those of ``stored`` (k, j, i) and ``volume``.

    Parameters: ``compare(path, stored)`` as ``compare_file``. The value is the number of voxels that differ.
    """
    try:
        back, different = compare(path, stored)
    except InputError as error:
        return graded("written_file", stored.size, "voxels", f"The file cannot be read back ({error}).", fail=True)
    if back.stored.shape != stored.shape or back.stored.dtype != stored.dtype:
        return graded("written_file", stored.size, "voxels", "The file has other voxels than were written.", fail=True)
    same_grid = back.geometry.matches(volume.geometry) and (back.slope, back.intercept) == (volume.slope,
                                                                                          volume.intercept)
    text = "The file has another grid or rescaling than the volume." if not same_grid else (
        f"{different} voxels of the file differ from what was written.")
    return graded("written_file", different, "voxels", text, fail=different > 0 or not same_grid)

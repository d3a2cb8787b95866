"""Is it a CT in HU? Asked of every input before anything is computed."""

import numpy as np

from ..errors import InputError
from ..threads import for_slabs

AIR_HU = -500.0
TISSUE_HU = (-200.0, 300.0)
LEAST_TISSUE_SHARE = 0.002


def check_ct(volume):
    """Raise ``InputError``, naming the volume and the remedy, unless it can be a CT of a body in HU.

    Tests: every voxel finite; air (below -500 HU) present, which MR and raw stored values lack; some
    voxels of soft tissue (-200 to 300 HU).
    """
    stored = volume.stored
    low, high, tissue, bad = zip(*for_slabs(lambda planes: _look(volume.to_hu(stored[planes])), len(stored)))
    if sum(bad):
        raise InputError(f"{volume.name}: has {sum(bad)} voxels that are NaN or infinite; "
                         "export it again or replace them by air (-1000 HU).")
    lowest, highest, tissue = min(low), max(high), sum(tissue)
    if lowest > AIR_HU:
        raise InputError(f"{volume.name}: values {lowest:.0f} to {highest:.0f} are not CT numbers in HU (no air); "
                         "give a CT volume with its rescale slope and intercept applied.")
    if tissue < LEAST_TISSUE_SHARE * volume.stored.size or highest < TISSUE_HU[0]:
        raise InputError(f"{volume.name}: values {lowest:.0f} to {highest:.0f} HU hold no soft tissue; "
                         "give a CT volume with a head in view.")


def _look(hu):
    """(lowest, highest, number of voxels of soft tissue, number that are not finite)."""
    low, high = float(hu.min()), float(hu.max())
    bad = 0 if np.isfinite(low) and np.isfinite(high) else np.count_nonzero(~np.isfinite(hu))
    return low, high, np.count_nonzero((hu > TISSUE_HU[0]) & (hu < TISSUE_HU[1])), bad

"""Is it a CT in HU? Asked of every input before anything is computed."""

import numpy as np

from ..errors import InputError

AIR_HU = -500.0
TISSUE_HU = (-200.0, 300.0)
LEAST_TISSUE_SHARE = 0.002


def check_ct(volume):
    """Raise ``InputError``, naming the volume and the remedy, unless it can be a CT of a body in HU.

    Tests: every voxel finite; air (below -500 HU) present, which MR and raw stored values lack; some
    voxels of soft tissue (-200 to 300 HU).
    """
    lowest, highest, tissue = np.inf, -np.inf, 0
    for plane in volume.stored:
        hu = volume.to_hu(plane)
        low, high = float(hu.min()), float(hu.max())
        if not np.isfinite(low) or not np.isfinite(high):
            bad = int((~np.isfinite(hu)).sum())
            raise InputError(f"{volume.name}: has voxels that are NaN or infinite ({bad} in one slice); "
                             "export it again or replace them by air (-1000 HU).")
        lowest, highest = min(lowest, low), max(highest, high)
        tissue += int(((hu > TISSUE_HU[0]) & (hu < TISSUE_HU[1])).sum())
    if lowest > AIR_HU:
        raise InputError(f"{volume.name}: values {lowest:.0f} to {highest:.0f} are not CT numbers in HU (no air); "
                         "give a CT volume with its rescale slope and intercept applied.")
    if tissue < LEAST_TISSUE_SHARE * volume.stored.size or highest < TISSUE_HU[0]:
        raise InputError(f"{volume.name}: values {lowest:.0f} to {highest:.0f} HU hold no soft tissue; "
                         "give a CT volume with a head in view.")

"""Is it a CT in HU? Asked of every input before anything is computed."""

import numpy as np

from ..errors import InputError
from .hu import MORE_AIR_THAN_TISSUE_HU, SOFT_TISSUE_HU
from .slabs import for_slabs

LEAST_TISSUE_SHARE = 0.002


class CtCheck:
    """Looks at slabs of a volume, each added once, and decides when all have been seen."""

    def __init__(self, volume):
        self._volume = volume
        self._seen = []

    def add(self, hu):
        """Look at the HU of some planes."""
        low, high = float(hu.min()), float(hu.max())
        bad = 0 if np.isfinite(low) and np.isfinite(high) else np.count_nonzero(~np.isfinite(hu))
        # list.append is safe from several threads.
        self._seen.append((low, high, np.count_nonzero(_soft_tissue(hu)), bad))

    def add_histogram(self, histogram):
        """Look at all voxels of the volume at once by their ``Histogram``."""
        counts = histogram.counts()
        hu = self._volume.to_hu(histogram.values.astype(self._volume.stored.dtype))
        occurring = hu[counts > 0]
        self._seen.append((float(occurring.min()), float(occurring.max()), int(counts[_soft_tissue(hu)].sum()), 0))

    def decide(self):
        """Raise ``InputError``, naming the volume and the remedy, unless it can be a CT of a body in HU."""
        name, size = self._volume.name, self._volume.stored.size
        low, high, tissue, bad = zip(*self._seen)
        if sum(bad):
            raise InputError(f"{name}: has {sum(bad)} voxels that are NaN or infinite; "
                             "export it again or replace them by air (-1000 HU).")
        lowest, highest, tissue = min(low), max(high), sum(tissue)
        if lowest > MORE_AIR_THAN_TISSUE_HU:
            raise InputError(f"{name}: values {lowest:.0f} to {highest:.0f} are not CT numbers in HU (no air); "
                             "give a CT volume with its rescale slope and intercept applied.")
        if tissue < LEAST_TISSUE_SHARE * size or highest < SOFT_TISSUE_HU[0]:
            raise InputError(f"{name}: values {lowest:.0f} to {highest:.0f} HU hold no soft tissue; "
                             "give a CT volume with a head in view.")


def _soft_tissue(hu):
    return (hu > SOFT_TISSUE_HU[0]) & (hu < SOFT_TISSUE_HU[1])


def check_ct(volume):
    """Raise ``InputError``, naming the volume and the remedy, unless it can be a CT of a body in HU.

    Tests: every voxel finite; air (below -500 HU) present, which MR and raw stored values lack; some
    voxels of soft tissue (-200 to 300 HU).
    """
    check = CtCheck(volume)
    for_slabs(lambda planes: check.add(volume.to_hu(volume.stored[planes])), len(volume.stored))
    check.decide()

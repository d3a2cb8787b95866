"""Checks that a volume is a CT in HU, before anything is computed from it."""

from __future__ import annotations

import numpy as np

from ..errors import BlankError, InputError, LabelmapError
from .histogram import Histogram
from .hu import MORE_AIR_THAN_TISSUE_HU, SOFT_TISSUE_HU
from .labelmap import is_labelmap
from .slabs import for_slabs
from .volume import Volume

LEAST_TISSUE_SHARE = 0.002


class CtCheck:
    """Collects facts about slabs of a volume, each added once, and decides when all have been added."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        # Per slab: lowest and highest HU, number of voxels of soft tissue, number of NaN and infinite ones.
        self._seen: list[tuple[float, float, int, int]] = []

    def add(self, hu: np.ndarray) -> None:
        """Add some planes, in HU."""
        low, high = float(hu.min()), float(hu.max())
        bad = 0 if np.isfinite(low) and np.isfinite(high) else int(np.count_nonzero(~np.isfinite(hu)))
        # list.append is safe from several threads.
        self._seen.append((low, high, int(np.count_nonzero(_soft_tissue(hu))), bad))

    def add_histogram(self, histogram: Histogram) -> None:
        """Add all voxels of the volume at once."""
        counts = histogram.counts()
        hu = self._volume.to_hu(histogram.values.astype(self._volume.stored.dtype))
        occurring = hu[counts > 0]
        self._seen.append((float(occurring.min()), float(occurring.max()), int(counts[_soft_tissue(hu)].sum()), 0))

    def decide(self) -> None:
        """Raise ``InputError``, naming the volume and the remedy, unless it can be a CT of a body in HU.

        A labelmap gets ``LabelmapError``, a volume of one value ``BlankError``.
        """
        name, size = self._volume.name, self._volume.stored.size
        lows, highs, tissues, bads = zip(*self._seen)
        if bad := sum(bads):
            raise InputError(
                f"{name}: has {bad} voxels that are NaN or infinite; export it again or replace them by air (-1000 HU)."
            )
        lowest, highest, tissue = min(lows), max(highs), sum(tissues)
        if lowest > MORE_AIR_THAN_TISSUE_HU:
            if is_labelmap(self._volume):
                raise LabelmapError(
                    f"{name}: looks like a labelmap (areas of whole numbers from {lowest:.0f} to {highest:.0f}), not like a "
                    "CT; give the CT itself."
                )
            if lowest == highest:
                raise BlankError(f"{name}: all voxels are {lowest:.0f}; export it again, or give another CT.")
            raise InputError(
                f"{name}: values {lowest:.0f} to {highest:.0f} are not CT numbers in HU (no air); "
                "give a CT volume with its rescale slope and intercept applied."
            )
        if tissue < LEAST_TISSUE_SHARE * size or highest < SOFT_TISSUE_HU[0]:
            raise InputError(
                f"{name}: values {lowest:.0f} to {highest:.0f} HU hold no soft tissue; give a CT volume with a head in view."
            )


def _soft_tissue(hu: np.ndarray) -> np.ndarray:
    return (hu > SOFT_TISSUE_HU[0]) & (hu < SOFT_TISSUE_HU[1])


def check_ct(volume: Volume) -> None:
    """Raise ``InputError``, naming the volume and the remedy, unless it can be a CT of a body in HU.

    It needs finite voxels only, air (below -500 HU), which MR and raw stored values lack, and some soft tissue
    (-200 to 300 HU).
    """
    check = CtCheck(volume)
    for_slabs(lambda planes: check.add(volume.to_hu(volume.stored[planes])), len(volume.stored))
    check.decide()

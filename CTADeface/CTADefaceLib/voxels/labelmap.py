"""Is a volume a labelmap, that is a mask or a segmentation that lies beside a scan? Told by its voxels alone."""

from __future__ import annotations

import numpy as np

from .slabs import for_slabs
from .volume import Volume

HIGHEST_LABEL = 255
# Neighbours of one structure share its label; in a scan, noise makes them differ.
LEAST_EQUAL_SHARE = 0.8


def is_labelmap(volume: Volume) -> bool:
    """Does a volume hold small whole numbers, none of them negative, in areas of one number each?

    A CT never does: it holds air, which is negative in HU. A volume of one value tells nothing, and is none.
    """
    counts = np.zeros(HIGHEST_LABEL + 1, np.int64)
    for counted in for_slabs(lambda planes: _counts(volume.to_hu(volume.stored[planes])), len(volume.stored)):
        if counted is None:
            return False
        counts += counted
    background = int(counts.argmax())
    seen = for_slabs(lambda planes: _pairs(volume.to_hu(volume.stored[planes]), background), len(volume.stored))
    pairs, equal = np.sum(seen, 0)
    return bool(pairs > 0 and equal >= LEAST_EQUAL_SHARE * pairs)


def _counts(values: np.ndarray) -> np.ndarray | None:
    """How often each small whole number occurs; None where there are other values."""
    if not (values.min() >= 0 and values.max() <= HIGHEST_LABEL and np.array_equal(values, np.trunc(values))):
        return None
    return np.bincount(values.astype(np.uint8).ravel(), minlength=HIGHEST_LABEL + 1)


def _pairs(values: np.ndarray, background: int) -> tuple[int, int]:
    """Neighbours along a line of which neither is ``background``: how many, and how many of them are equal."""
    one, other = values[..., 1:], values[..., :-1]
    both = (one != background) & (other != background)
    return int(np.count_nonzero(both)), int(np.count_nonzero(both & (one == other)))

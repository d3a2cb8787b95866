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

    A CT never does: it holds air, which is negative in HU. An empty volume tells nothing and is none.
    """
    seen = for_slabs(lambda planes: _seen(volume.to_hu(volume.stored[planes])), len(volume.stored))
    if not all(is_small for is_small, _pairs, _equal in seen):
        return False
    pairs, equal = (sum(slab[place] for slab in seen) for place in (1, 2))
    return pairs > 0 and equal >= LEAST_EQUAL_SHARE * pairs


def _seen(values: np.ndarray) -> tuple[bool, int, int]:
    """(small whole numbers only?, neighbours along a line that both have a label, how many of these have the same)."""
    if not (values.min() >= 0 and values.max() <= HIGHEST_LABEL and np.array_equal(values, np.trunc(values))):
        return False, 0, 0
    labels = values.astype(np.uint8)
    one, other = labels[..., 1:], labels[..., :-1]
    both = (one > 0) & (other > 0)
    return True, int(np.count_nonzero(both)), int(np.count_nonzero(both & (one == other)))

"""The layer of voxels that hold some skin and more air, just outside the mask."""

import numpy as np

from .refine import TISSUE_HU

# Three standard deviations of low-dose noise (100 HU) above air.
PARTIAL_VOLUME_HU = -700.0


def partial_volume_layer(hu, mask):
    """Voxels from -700 to -500 HU that share a face with ``mask``; bool, both arrays of one shape."""
    beside = np.zeros_like(mask)
    for axis in range(3):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        beside[low] |= mask[high]
        beside[high] |= mask[low]
    return beside & ~mask & (hu > PARTIAL_VOLUME_HU) & (hu <= TISSUE_HU)

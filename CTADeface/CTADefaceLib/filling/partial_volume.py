"""The layer of voxels that hold some skin and more air, just outside the mask."""

from ..voxels.morphology import beside
from ..voxels.hu import PARTIAL_VOLUME_HU, SKIN_BORDER_HU



def partial_volume_layer(hu, mask):
    """Voxels from -700 to -500 HU that share a face with ``mask``; bool, both arrays of one shape."""
    return beside(mask) & ~mask & (hu > PARTIAL_VOLUME_HU) & (hu <= SKIN_BORDER_HU)

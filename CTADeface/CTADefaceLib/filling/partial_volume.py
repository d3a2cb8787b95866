"""The layer of voxels that hold some skin and more air, just outside the mask."""

from ..voxels.morphology import beside
from ..face.refine import TISSUE_HU

# Three standard deviations of low-dose noise (100 HU) above air.
PARTIAL_VOLUME_HU = -700.0


def partial_volume_layer(hu, mask):
    """Voxels from -700 to -500 HU that share a face with ``mask``; bool, both arrays of one shape."""
    return beside(mask) & ~mask & (hu > PARTIAL_VOLUME_HU) & (hu <= TISSUE_HU)

"""How much memory a run needs, and whether the machine has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .volume import Volume

# Python, torch, nnU-Net and the weights; a run on a small volume peaks at 0.55 GB.
BASE_BYTES = 600 * 2**20
# For logits, HU, masks and labels of the face region during refinement.
REGION_BYTES_PER_VOXEL = 8
REGION_MM = 210.0


def needed_bytes(volume: Volume) -> int:
    """Estimated peak of a run in bytes: the volume, its defaced copy, the mask, and the face region."""
    shape, spacing = volume.stored.shape, volume.geometry.spacing[::-1]
    region = np.prod([min(n, REGION_MM / s) for n, s in zip(shape, spacing)])
    return int(BASE_BYTES + volume.stored.nbytes * 2 + volume.stored.size * 2 + region * REGION_BYTES_PER_VOXEL)


def available_bytes() -> int | None:
    """Free memory in bytes, or None where the system does not tell."""
    try:
        import psutil

        return psutil.virtual_memory().available
    except ImportError:
        pass
    try:
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None


def memory_warning(volume: Volume) -> str | None:
    """One sentence when the run is not expected to fit into the free memory, else None."""
    needed, available = needed_bytes(volume), available_bytes()
    if available is None or needed <= available:
        return None
    return (
        f"{volume.name}: needs about {needed / 2**30:.1f} GB of memory, {available / 2**30:.1f} GB are free; "
        "close other programs or crop the volume to the head."
    )


def warn_of_memory(volume: Volume, warn: Callable[[str], object]) -> None:
    """Call ``warn`` with the ``memory_warning`` of a volume, if there is one."""
    warning = memory_warning(volume)
    if warning:
        warn(warning)

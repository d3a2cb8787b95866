"""Without a graphics card every picture of a whole scan takes seconds: a copy of about 1 mm, drawn by VTK's own ray caster
for processors, follows the mouse."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer

from .application import layout_manager
from .volumes import grid_to_ras

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLViewNode as ViewNode

VOXEL_MM = 1.0
# Below it, the opacity of CT-Muscle is 0.
INVISIBLE_HU = -156
PROCESSOR = "vtkMRMLCPURayCastVolumeRenderingDisplayNode"
# What OpenGL calls itself where the processor stands in for a graphics card, as on many remote desktops.
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "basic render")


def drawn_by_processor(view: ViewNode) -> bool:
    """Has the 3D view of a view node no graphics card behind it?"""
    manager = layout_manager()
    if manager is None:
        return False
    for index in range(manager.threeDViewCount):
        shown = manager.threeDWidget(index).threeDView()
        if shown.mrmlViewNode() is view:
            about = shown.renderWindow().ReportCapabilities().lower()
            return any(name in about for name in SOFTWARE)
    return False


def coarse_steps(node: VolumeNode) -> tuple[int, ...]:
    """How many voxels of the node's array along (k, j, i) make about 1 mm; 1 where they are larger."""
    sizes = slicer.util.arrayFromVolume(node).shape
    return tuple(max(1, min(round(VOXEL_MM / spacing), size)) for spacing, size in zip(node.GetSpacing()[::-1], sizes))


def averaged(array: np.ndarray, steps: tuple[int, ...]) -> np.ndarray:
    """Means of blocks of ``steps`` voxels of ``array`` (k, j, i), in its dtype; what fills no block at the end is left out."""
    ends = [size // step * step for size, step in zip(array.shape, steps)]
    parts = [
        array[tuple(slice(first, end, step) for first, end, step in zip(firsts, ends, steps))]
        for firsts in itertools.product(*(range(step) for step in steps))
    ]
    total = np.zeros(parts[0].shape, np.float32)
    for part in parts:
        total += part
    return (total / len(parts)).astype(array.dtype)


def drawable(array: np.ndarray, steps: tuple[int, ...]) -> np.ndarray:
    """As ``averaged``, in which air that CT-Muscle leaves invisible is all the same: the picture is the same, and VTK needs a
    third of the time to look for slopes in it."""
    from scipy import ndimage as ndi

    coarse = averaged(array, steps)
    # The slope at a visible voxel comes from its neighbours, and what lies between two voxels from both of their slopes.
    near = ndi.maximum_filter((coarse > INVISIBLE_HU).view(np.uint8), 5)
    coarse[near == 0] = coarse.min()
    return coarse


def coarse_grid(source: VolumeNode, steps: tuple[int, ...], first: Sequence[int] = (0, 0, 0)) -> np.ndarray:
    """As ``grid_to_ras``, of blocks of ``steps`` voxels of a volume node, the first of which begins at the voxel ``first``
    (k, j, i)."""
    grid, along = grid_to_ras(source), np.array(steps[::-1], float)
    to_ras = grid.copy()
    to_ras[:3, :3] *= along
    to_ras[:3, 3] = (grid @ np.append(np.array(first[::-1]) + (along - 1) / 2, 1))[:3]
    return to_ras

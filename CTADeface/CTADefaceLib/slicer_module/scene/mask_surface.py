"""The surface of a face mask for the 3D view, of about 1 mm: quick to make, and smooth without a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from .coarse import averaged, coarse_grid, coarse_steps

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode

INSIDE = 255


def surface_of(shares: np.ndarray, first: Sequence[int], volume: VolumeNode) -> vtk.vtkPolyData:
    """The closed surface of what ``mask_shares`` gave of a mask on the grid of a volume node, in that node's own RAS mm;
    empty for an empty mask."""
    image, surface = vtk.vtkImageData(), vtk.vtkFlyingEdges3D()
    image.SetDimensions(shares.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(shares.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
    surface.SetInputData(image)
    surface.SetValue(0, INSIDE / 2)
    transform, moved = vtk.vtkTransform(), vtk.vtkTransformPolyDataFilter()
    transform.SetMatrix(slicer.util.vtkMatrixFromArray(coarse_grid(volume, coarse_steps(volume), first)))
    moved.SetTransform(transform)
    moved.SetInputConnection(surface.GetOutputPort())
    moved.Update()
    return moved.GetOutput()


def mask_shares(mask: np.ndarray, steps: tuple[int, ...]) -> tuple[np.ndarray, list[int]]:
    """How much of each block of ``steps`` voxels around the mask is mask, uint8 up to 255, with an empty block on every
    side; and the voxel (k, j, i) at which the first block begins."""
    # SciPy, which Slicer need not wait for when it starts.
    from ...voxels.morphology import bounding_box

    box = bounding_box(mask) or (slice(0, 1),) * 3
    part = mask[box].view(np.uint8) * np.uint8(INSIDE)
    around = [(step, step + -size % step) for size, step in zip(part.shape, steps)]
    return averaged(np.pad(part, around), steps), [axis.start - step for axis, step in zip(box, steps)]

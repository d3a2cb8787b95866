"""What the slice views of the layout show, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import slicer
import vtk

from .application import layout_manager

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode


def show_volume(volume: VolumeNode) -> None:
    """Make ``volume`` the background of all slice views; foreground and zoom stay."""
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(volume.GetID())


def fit() -> None:
    """Show the whole background volume in all slice views, where there are views."""
    if layout_manager() is not None:
        slicer.util.resetSliceViews()


def is_shown(volume: VolumeNode) -> bool:
    """Is the volume the background or foreground of any slice view?"""
    return any(
        volume.GetID() in (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    )


def jump_to(volume: VolumeNode, place: Sequence[float]) -> None:
    """Centre all slice views on ``place``, RAS mm in the volume's own coordinates."""
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, to_world)
    slicer.vtkMRMLSliceNode.JumpAllSlices(
        slicer.mrmlScene, *to_world.TransformPoint(place), slicer.vtkMRMLSliceNode.CenteredJumpSlice
    )


def jump_to_segment(segmentation: SegmentationNode, segment_id: str) -> None:
    """Move all slice views through the middle of a segment; zoom and what is shown beside it stay."""
    centre = segmentation.GetSegmentCenterRAS(segment_id)
    if centre is not None:
        slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *centre, slicer.vtkMRMLSliceNode.OffsetJumpSlice)

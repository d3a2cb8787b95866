"""Slice views of the layout."""

import slicer
import vtk


def show_volume(volume):
    """Make ``volume`` the background of all slice views; foreground and zoom stay."""
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(volume.GetID())


def fit():
    """Show the whole background volume in all slice views, where there are views."""
    manager = slicer.app.layoutManager()
    if manager is not None:
        slicer.util.resetSliceViews()


def is_shown(volume):
    """Is the volume the background or foreground of any slice view?"""
    return any(volume.GetID() in (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
               for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))


def jump_to(volume, place):
    """Centre all slice views on ``place``, RAS mm in the volume's own coordinates."""
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, to_world)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *to_world.TransformPoint(place),
                                          slicer.vtkMRMLSliceNode.CenteredJumpSlice)

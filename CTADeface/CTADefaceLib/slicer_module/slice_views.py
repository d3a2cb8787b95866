"""Slice views of the layout."""

import slicer


def show_volume(volume):
    """Make ``volume`` the background of all slice views; foreground and zoom stay."""
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(volume.GetID())


def is_shown(volume):
    """Is the volume the background or foreground of any slice view?"""
    return any(volume.GetID() in (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
               for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))

"""Slicer's volume nodes as the engine's arrays with geometry, and defaced volumes as new nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from ...errors import InputError
from ...face.survey import Survey, surveyed
from ...voxels.volume import Geometry, Volume
from ..background import in_background
from ..texts import _
from .application import application

if TYPE_CHECKING:
    from slicer import vtkMRMLNode as Node
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode
    from slicer import vtkMRMLStorageNode as StorageNode

# Attribute of volume nodes, set by Slicer's DICOM import.
INSTANCES = "DICOM.instanceUIDs"
# ID and state of the volume node that was surveyed last, and its survey, which holds its voxels.
_last: dict[tuple[str, int, bytes], Survey] = {}


def from_dicom(node: VolumeNode | None) -> bool:
    """Was the volume node loaded from DICOM?"""
    return bool(node is not None and node.GetAttribute(INSTANCES))


def engine_volume(node: VolumeNode | None) -> Volume:
    """The engine's ``Volume`` of a scalar volume node (HU, array shared with the node, geometry of its own grid).

    Raises: InputError for no node, an empty node, or several values per voxel.
    """
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode") or node.GetImageData() is None:
        raise InputError(_("No volume: choose a loaded CT volume."))
    if node.IsA("vtkMRMLLabelMapVolumeNode") or node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise InputError(_("{name}: not a scalar volume; choose a CT volume in HU.").format(name=node.GetName()))
    array = slicer.util.arrayFromVolume(node)
    if min(array.shape) < 2:
        raise InputError(_("{name}: is a single slice, not a volume; load the whole series.").format(name=node.GetName()))
    return Volume(array, Geometry.from_affine(grid_to_ras(node)), name=node.GetName())


def survey_of(node: VolumeNode) -> Survey:
    """The finished ``Survey`` of a volume node: its histogram, its brain and the frame of its head; computed again when
    the node has changed or another one was asked for."""
    key = node.GetID(), node.GetImageData().GetMTime(), grid_to_ras(node).tobytes()
    if key not in _last:
        forget_survey()
        volume = engine_volume(node)
        _last[key] = in_background(lambda: surveyed(volume))
    return _last[key]


def forget_survey() -> None:
    """Let go of the voxels of the volume that was surveyed last, for instance when the scene is closed."""
    _last.clear()


def grid_to_ras(node: VolumeNode) -> np.ndarray:
    """4x4 matrix from (i, j, k, 1) to RAS mm in the node's own coordinates, without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def grid_to_patient(node: VolumeNode) -> np.ndarray:
    """As ``grid_to_ras``, through the parent transform if it is linear.

    A linear transform may turn the head upright, which the model should see. Under any other transform (the correction
    of a gantry tilt, a deformation), the grid's own coordinates are closest to the patient's.
    """
    matrix = grid_to_ras(node)
    parent = node.GetParentTransformNode()
    if parent is None or not parent.IsTransformToWorldLinear():
        return matrix
    to_world = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(to_world)
    return slicer.util.arrayFromVTKMatrix(to_world) @ matrix


def files_of(*nodes: VolumeNode | SegmentationNode) -> list[str]:
    """Full paths of the files that nodes were read from or saved to by Slicer; files that are gone are left out."""
    storages = [node.GetNthStorageNode(n) for node in nodes for n in range(node.GetNumberOfStorageNodes())]
    paths = [path for storage in storages if storage is not None for path in _files_of_storage(storage)]
    return [path for path in dict.fromkeys(paths) if path and Path(path).is_file()]


def _files_of_storage(storage: StorageNode) -> list[str]:
    more = range(storage.GetNumberOfFileNames())
    return [storage.GetFullNameFromFileName(), *(storage.GetFullNameFromNthFileName(n) for n in more)]


def spacing_kji(node: VolumeNode) -> tuple[float, float, float]:
    """Spacing in mm in the order of the node's array (k, j, i)."""
    return tuple(node.GetSpacing()[::-1])


def new_defaced_node(source: VolumeNode, array: np.ndarray, name: str) -> VolumeNode:
    """A new scalar volume node with ``array`` on the grid of ``source``, under its transform, looking like it.

    Nothing else is copied: it has no attributes, so no DICOM instance UIDs, and no storage node, and its
    subject-hierarchy item lies outside of the patient and study of ``source``.
    """
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    # Before the voxels come: Slicer would look at all of them to choose a window.
    copy_window_level(source, node)
    update_defaced_node(node, source, array)
    move_in_hierarchy(node, None)
    return node


def new_volume_node(hu: np.ndarray, geometry: Geometry, name: str) -> VolumeNode:
    """A new scalar volume node with ``hu`` (k, j, i) on an engine's ``Geometry``."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(hu))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(geometry.affine()))
    return node


def find_range(node: VolumeNode) -> None:
    """Let VTK look for the darkest and the brightest voxel of a new volume node, of which it keeps a note.

    That takes the main thread as long as all the rest of showing a volume, so that it is done by itself: Segment Editor
    would otherwise have it done together with its own work.
    """
    node.GetImageData().GetScalarRange()


def update_defaced_node(node: VolumeNode, source: VolumeNode, array: np.ndarray, grid: np.ndarray | None = None) -> None:
    """Put ``array`` on the grid of ``source``, or another ``grid`` (4x4, as ``grid_to_ras``), into ``node`` and move it under
    the transform of ``source``."""
    matrix = slicer.util.vtkMatrixFromArray(grid_to_ras(source) if grid is None else grid)
    with slicer.util.NodeModify(node):
        slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array))
        node.SetIJKToRASMatrix(matrix)
        node.SetAndObserveTransformNodeID(source.GetTransformNodeID())


def move_in_hierarchy(node: Node, beside: Node | None) -> None:
    """Put the subject-hierarchy item of ``node`` beside that of the node ``beside``, or, if None, at the top."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node)
    other = hierarchy.GetItemByDataNode(beside) if beside is not None else 0
    # 0 means no item: only the application makes items; scripts with the slicer-core package have none.
    if item and (other or beside is None):
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(other) if other else hierarchy.GetSceneItemID())


def put_in_hierarchy(node: Node) -> None:
    """Give a hidden ``node`` an item in the subject hierarchy, unless it has one; the tree does not show it.

    Slicer makes none for hidden nodes, but complains about each hidden segmentation without one, at every change.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if application() is not None and not hierarchy.GetItemByDataNode(node):
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def copy_window_level(source: VolumeNode, target: VolumeNode) -> None:
    """Give ``target`` the window, level and colours of ``source``."""
    # Not GetDisplayNode: the first display node may be that of a volume rendering.
    shown, display = source.GetVolumeDisplayNode(), target.GetVolumeDisplayNode()
    if shown is None or display is None:
        return
    if shown.GetColorNodeID():
        display.SetAndObserveColorNodeID(shown.GetColorNodeID())
    display.AutoWindowLevelOff()
    display.SetWindowLevel(shown.GetWindow(), shown.GetLevel())

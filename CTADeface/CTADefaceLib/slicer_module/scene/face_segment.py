"""The face mask as an editable segmentation node: one segment "Face" beside the volume, and the model's proposal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from ...errors import MaskError
from ..background import in_background
from ..texts import _
from .application import add_hidden
from .volumes import engine_volume, grid_to_ras, move_in_hierarchy, put_in_hierarchy

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode
    from slicer import vtkOrientedImageData as Labelmap

SEGMENT_NAME = "Face"
COLOUR = (0.95, 0.58, 0.47)
SLICE_OPACITY = 0.5
# SNOMED CT: 123037004 body structure, 89545001 face, which Slicer's own shorter list lacks.
TERMINOLOGY = (
    "Segmentation category and type - DICOM master list"
    "~SCT^123037004^Anatomical Structure~SCT^89545001^Face~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)
# Attribute and references of segmentation nodes; saved with the scene.
FACE_MASK = "CTADeface.FaceMask"
PROPOSAL = "CTADeface.Proposal"
DEFACED = "CTADeface.Defaced"


def find_face(volume: VolumeNode) -> SegmentationNode | None:
    """The segmentation node with the face mask of a volume node, or None."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node.GetAttribute(FACE_MASK) == "mask" and reference_volume(node) is volume:
            return node
    return None


def require_face(volume: VolumeNode, segmentation: SegmentationNode | None) -> SegmentationNode:
    """The segmentation node given, or the volume's own. Raises: InputError for a bad volume, MaskError without a mask."""
    engine_volume(volume)
    found = segmentation or find_face(volume)
    if found is None:
        raise MaskError(_("{name}: has no face mask yet; segment the face first.").format(name=volume.GetName()))
    return found


def reference_volume(segmentation: SegmentationNode) -> VolumeNode | None:
    """The volume node whose grid a segmentation node has, or None."""
    return segmentation.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def new_face(volume: VolumeNode) -> SegmentationNode:
    """A face segmentation node with an empty segment, on the grid of ``volume``, under its transform, and beside it in the
    hierarchy."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", volume.GetName() + " " + _("face mask"))
    node.SetAttribute(FACE_MASK, "mask")
    # Before the first segment: Segment Editor's list takes every new segmentation and wants the colours of its segments.
    _show(node)
    _segment_on_grid(node, volume)
    move_in_hierarchy(node, volume)
    return node


def set_mask(segmentation: SegmentationNode, mask: np.ndarray, volume: VolumeNode) -> None:
    """Make ``mask`` (bool (k, j, i)) the face segment, keeping other segments; the segmentation follows the volume."""
    _put(segmentation, _boxed(mask, volume), volume)


def set_proposed_mask(segmentation: SegmentationNode, mask: np.ndarray, volume: VolumeNode) -> None:
    """Make ``mask`` (bool (k, j, i)) of a model the face mask of ``volume``, and keep it, hidden, as its proposal, which can
    be restored and tells edits."""
    segmentation.SetAttribute(FACE_MASK, "mask")
    labelmap = _boxed(mask, volume)
    _put(segmentation, labelmap, volume)
    _put_proposal(segmentation, labelmap, volume)


def _put(segmentation: SegmentationNode, labelmap: Labelmap, volume: VolumeNode) -> None:
    _write(segmentation, labelmap, volume)
    _show(segmentation)
    move_in_hierarchy(segmentation, volume)


def _put_proposal(segmentation: SegmentationNode, labelmap: Labelmap, volume: VolumeNode) -> None:
    proposal = segmentation.GetNodeReference(PROPOSAL)
    if proposal is None:
        proposal = add_hidden("vtkMRMLSegmentationNode", segmentation.GetName() + " (model)", saved=True)
        proposal.SetAttribute(FACE_MASK, "proposal")
        segmentation.SetNodeReferenceID(PROPOSAL, proposal.GetID())
    put_in_hierarchy(proposal)
    proposal.CreateDefaultDisplayNodes()
    proposal.SetDisplayVisibility(False)
    _write(proposal, labelmap, volume)


def _write(segmentation: SegmentationNode, labelmap: Labelmap, volume: VolumeNode) -> None:
    """Make what ``_boxed`` gave the face segment's labelmap. Raises: as ``_import``."""
    _import(segmentation, _segment_on_grid(segmentation, volume), labelmap)


def write_box(
    segmentation: SegmentationNode, segment_id: str, box: Sequence[slice], part: np.ndarray, volume: VolumeNode
) -> None:
    """Make ``part``, the ``box`` (three slices) of a bool array (k, j, i) on the grid of ``volume``, the voxels of a segment.
    Raises: RuntimeError when Slicer refuses them."""
    _import(segmentation, segment_id, _labelmap(box, part, volume))


def _import(segmentation: SegmentationNode, segment_id: str, labelmap: Labelmap) -> None:
    """Make a labelmap that of a segment: Slicer then copies and draws no more than its box.

    Not ``updateSegmentBinaryLabelmapFromArray``, which passes the whole volume through a node of its own, in seconds.
    Raises: RuntimeError when Slicer refuses the labelmap.
    """
    segments = vtk.vtkStringArray()
    segments.InsertNextValue(segment_id)
    if not slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelmap, segmentation, segments):
        raise RuntimeError(_("{name}: the mask cannot be written.").format(name=segmentation.GetName()))


def _boxed(mask: np.ndarray, volume: VolumeNode) -> Labelmap:
    """The labelmap of the box around ``mask``, bool (k, j, i) on the grid of ``volume``; of an empty one, a voxel."""

    def found() -> tuple[slice, ...]:
        # SciPy, which Slicer need not wait for when it starts.
        from ...voxels.morphology import bounding_box

        return bounding_box(mask) or (slice(0, 1),) * 3

    box = in_background(found)
    return _labelmap(box, mask[box], volume)


def _labelmap(box: Sequence[slice], part: np.ndarray, volume: VolumeNode) -> Labelmap:
    from vtk.util.numpy_support import numpy_to_vtk

    labelmap = slicer.vtkOrientedImageData()
    labelmap.SetExtent(*(bound for axis in box[::-1] for bound in (axis.start, axis.stop - 1)))
    labelmap.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(grid_to_ras(volume)))
    voxels = np.ascontiguousarray(part).view(np.uint8)
    labelmap.GetPointData().SetScalars(numpy_to_vtk(voxels.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
    return labelmap


def _segment_on_grid(segmentation: SegmentationNode, volume: VolumeNode) -> str:
    """Put the segmentation on the volume's grid and under its transform; returns the face segment's ID."""
    # The transform comes first: the geometry is copied relative to it.
    segmentation.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return face_segment_id(segmentation) or _add_segment(segmentation)


def proposal_mask(segmentation: SegmentationNode, volume: VolumeNode) -> np.ndarray | None:
    """The model's mask, bool (k, j, i), or None when the segmentation was not made by a model."""
    proposal = segmentation.GetNodeReference(PROPOSAL)
    return None if proposal is None else get_mask(proposal, volume)


def is_edited(segmentation: SegmentationNode, volume: VolumeNode) -> bool:
    """Does the mask differ from the model's proposal, is it gone, or was it drawn by hand?"""
    try:
        proposal = proposal_mask(segmentation, volume)
        mask = get_mask(segmentation, volume)
    except MaskError:
        return True
    return bool(mask.any()) if proposal is None else not np.array_equal(mask, proposal)


def get_mask(segmentation: SegmentationNode, volume: VolumeNode) -> np.ndarray:
    """The face segment on the volume's grid, bool (k, j, i); empty when the segment holds nothing.

    Raises: MaskError when the segmentation has no segment, or several and none of them is called "Face", or when it
    lies outside of the volume, transforms included.
    """
    return reading(segmentation, volume)()


def reading(segmentation: SegmentationNode, volume: VolumeNode) -> Callable[[], np.ndarray]:
    """Pure work that gives what ``get_mask`` gives of the scene as it is now. Raises: as ``get_mask``."""
    segment_id = face_segment_id(segmentation)
    if segment_id is None:
        raise MaskError(
            _("{name}: has no segment called {segment}; segment or draw the face first.").format(
                name=segmentation.GetName(), segment=SEGMENT_NAME
            )
        )
    return _reading(segmentation, segment_id, volume)


def reading_to_fill(segmentation: SegmentationNode, volume: VolumeNode) -> Callable[[], np.ndarray]:
    """As ``reading``. Raises: also MaskError when the mask is empty."""
    work = reading(segmentation, volume)
    if not has_voxels(segmentation):
        raise MaskError(
            _("{name}: the face mask is empty, so that nothing would be removed; segment or draw the face first.").format(
                name=volume.GetName()
            )
        )
    return work


def mask_to_fill(segmentation: SegmentationNode, volume: VolumeNode) -> np.ndarray:
    """As ``get_mask``. Raises: also MaskError when the mask is empty."""
    return reading_to_fill(segmentation, volume)()


def required_mask(volume: VolumeNode, segmentation: SegmentationNode | None) -> np.ndarray:
    """``mask_to_fill`` of the segmentation node given, or the volume's own. Raises: also as ``require_face``."""
    return mask_to_fill(require_face(volume, segmentation), volume)


def segment_mask(segmentation: SegmentationNode, segment_id: str, volume: VolumeNode) -> np.ndarray:
    """Any segment on the volume's grid, bool (k, j, i); empty when it holds nothing.

    Raises: MaskError when it lies outside of the volume, transforms included.
    """
    return _reading(segmentation, segment_id, volume)()


def _reading(segmentation: SegmentationNode, segment_id: str, volume: VolumeNode) -> Callable[[], np.ndarray]:
    shape = slicer.util.arrayFromVolume(volume).shape
    labelmap = slicer.vtkOrientedImageData()
    # A copy of the segment: a person may go on drawing.
    segmentation.GetBinaryLabelmapRepresentation(segment_id, labelmap)
    if labelmap.IsEmpty():
        return lambda: np.zeros(shape, bool)
    if _on_grid_of(labelmap, segmentation, volume):
        extent, scalars = labelmap.GetExtent(), _voxels(labelmap)
        return lambda: _placed(scalars, extent, shape)
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, volume) != 0
    if not mask.any():
        raise MaskError(
            _("{name}: lies outside of {volume}; put both under the same transform, or draw it again.").format(
                name=segmentation.GetName(), volume=volume.GetName()
            )
        )
    return lambda: mask


def is_face(segmentation: SegmentationNode) -> bool:
    """Is it the face segmentation of a volume?"""
    return segmentation.GetAttribute(FACE_MASK) == "mask"


def face_segment_id(segmentation: SegmentationNode) -> str | None:
    """ID of the segment called "Face", or of the only segment; None when there is none, or none of several has that name."""
    ids = list(segmentation.GetSegmentation().GetSegmentIDs())
    named = [i for i in ids if segmentation.GetSegmentation().GetSegment(i).GetName() == SEGMENT_NAME]
    return (named or (ids if len(ids) == 1 else [None]))[0]


def colour(segmentation: SegmentationNode) -> tuple[float, float, float]:
    """Red, green and blue (0 to 1) of the face segment, which a person may have changed."""
    segment = segmentation.GetSegmentation().GetSegment(face_segment_id(segmentation) or "")
    return COLOUR if segment is None else segment.GetColor()


def other_segments(segmentation: SegmentationNode, but: Iterable[str] = ()) -> list[str]:
    """Names of the segments that hold voxels and are not the face's; those with the IDs ``but`` are left out."""
    names: list[str] = []
    known = {face_segment_id(segmentation), *but}
    for segment_id in segmentation.GetSegmentation().GetSegmentIDs():
        if segment_id not in known and _holds(segmentation, segment_id):
            names.append(segmentation.GetSegmentation().GetSegment(segment_id).GetName())
    return names


def has_voxels(segmentation: SegmentationNode) -> bool:
    """Does the face segment hold any voxel?"""
    segment_id = face_segment_id(segmentation)
    return segment_id is not None and _holds(segmentation, segment_id)


def _holds(segmentation: SegmentationNode, segment_id: str) -> bool:
    if segmentation.GetSegmentation().GetNumberOfSegments() == 1:
        # Nothing else lies in its labelmap, which need not be copied.
        labelmap = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    else:
        labelmap = slicer.vtkOrientedImageData()
        segmentation.GetBinaryLabelmapRepresentation(segment_id, labelmap)
    # Not GetScalarRange, which looks at every voxel.
    return labelmap is not None and not labelmap.IsEmpty() and bool(_voxels(labelmap).any())


def mask_stamp(segmentation: SegmentationNode) -> int | None:
    """A number that differs after every change of the face segment's voxels, also after undo; None without the segment."""
    segment_id = face_segment_id(segmentation)
    labelmap = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id) if segment_id else None
    return labelmap.GetMTime() if labelmap is not None else None


def _on_grid_of(labelmap: Labelmap, segmentation: SegmentationNode, volume: VolumeNode) -> bool:
    """Are the labelmap's voxels voxels of the volume? Then reading them is much faster than Slicer's resampling."""
    if segmentation.GetTransformNodeID() != volume.GetTransformNodeID():
        return False
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    return np.allclose(slicer.util.arrayFromVTKMatrix(matrix), grid_to_ras(volume), atol=1e-4)


def _placed(scalars: np.ndarray, extent: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """A mask of ``shape`` with those voxels set that are set in the ``scalars`` of a labelmap of ``extent``, which may cover a
    part of the mask or reach beyond it."""
    mask = np.zeros(shape, bool)
    low, high = extent[4::-2], extent[5::-2]
    inside = [(max(a, 0), min(b + 1, n)) for a, b, n in zip(low, high, shape)]
    if any(a >= b for a, b in inside):
        return mask
    box = scalars.reshape([b - a + 1 for a, b in zip(low, high)])
    part = box[tuple(slice(a - start, b - start) for (a, b), start in zip(inside, low))]
    np.not_equal(part, 0, out=mask[tuple(slice(a, b) for a, b in inside)])
    return mask


def _voxels(labelmap: Labelmap) -> np.ndarray:
    """The labelmap's voxels, shared, in one axis."""
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(labelmap.GetPointData().GetScalars())


def _add_segment(segmentation: SegmentationNode) -> str:
    segment_id = segmentation.GetSegmentation().AddEmptySegment(SEGMENT_NAME, SEGMENT_NAME, COLOUR)
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), TERMINOLOGY)
    return segment_id


def _show(segmentation: SegmentationNode) -> None:
    """Show it half transparent in slices, unless it has display settings already, which a person may have changed.

    No surface is made for the 3D view, as every stroke of the brush would compute it again: the preview makes it.
    """
    if segmentation.GetDisplayNode() is None:
        segmentation.CreateDefaultDisplayNodes()
        display = segmentation.GetDisplayNode()
        display.SetOpacity2DFill(SLICE_OPACITY)
        display.SetVisibility3D(True)

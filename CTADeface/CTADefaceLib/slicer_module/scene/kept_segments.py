"""Segments that a person wants kept: noted on the face segmentation, and so saved with the scene."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import slicer

from ...errors import MaskError
from ...voxels.kept import Kept, kept_on
from .face_segment import face_segment_id, is_face, reference_volume, segment_mask
from .volumes import engine_volume

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode

    # All segments of a node, or (node, ID or name of one).
    KeptSegment: TypeAlias = SegmentationNode | tuple[SegmentationNode, str]

# Attribute (JSON, the IDs of the segments) and reference (the node of each) of a face segmentation.
KEPT = "CTADeface.Kept"


def note_kept(face: SegmentationNode, keep: Iterable[KeptSegment]) -> None:
    """Note on a face segmentation which segments are kept, in place of those noted before. Raises: MaskError for one that is
    not there."""
    found = [one for item in keep for one in _segments(item)]
    face.RemoveNodeReferenceIDs(KEPT)
    face.RemoveAttribute(KEPT)
    for node, _segment in found:
        face.AddNodeReferenceID(KEPT, node.GetID())
    if found:
        face.SetAttribute(KEPT, json.dumps([segment for _node, segment in found]))


def noted_segments(face: SegmentationNode) -> list[tuple[SegmentationNode, str]]:
    """[(segmentation node, ID of its segment)] noted on a face segmentation. Raises: MaskError when one has left the scene."""
    segments = json.loads(face.GetAttribute(KEPT) or "[]")
    nodes = [face.GetNthNodeReference(KEPT, n) for n in range(face.GetNumberOfNodeReferences(KEPT))]
    if len(nodes) != len(segments) or any(
        node is None or node.GetSegmentation().GetSegment(segment) is None for node, segment in zip(nodes, segments)
    ):
        raise MaskError(f"{face.GetName()}: a structure that was to be kept has left the scene; choose again what is kept.")
    return list(zip(nodes, segments))


def kept_in(face: SegmentationNode, volume: VolumeNode) -> Kept | None:
    """``Kept`` of the segments noted on a face segmentation, on the grid of ``volume``; None without any.

    Raises: MaskError for a segment that is empty, lies outside of the volume, or has left the scene.
    """
    noted = noted_segments(face)
    for node, _segment in noted:
        _make_labelmaps(node, volume)
    named = (
        (node.GetSegmentation().GetSegment(segment).GetName(), segment_mask(node, segment, volume)) for node, segment in noted
    )
    return kept_on(engine_volume(volume), named)


def _make_labelmaps(segmentation: SegmentationNode, volume: VolumeNode) -> None:
    """Give a segmentation that was loaded as contours or surfaces labelmaps as fine as the volume. Raises: MaskError."""
    labelmap = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    if segmentation.GetSegmentation().ContainsRepresentation(labelmap):
        return
    if reference_volume(segmentation) is None:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    if not segmentation.CreateBinaryLabelmapRepresentation():
        raise MaskError(
            f"{segmentation.GetName()}: cannot be made a labelmap here; install the extension SlicerRT, or make it one in the "
            "module Segmentations."
        )


def _segments(item: KeptSegment) -> list[tuple[SegmentationNode, str]]:
    """(node, ID) of one segment, or of all of a node but the face."""
    if not isinstance(item, tuple):
        face = face_segment_id(item) if is_face(item) else None
        found = [(item, segment) for segment in item.GetSegmentation().GetSegmentIDs() if segment != face]
        if not found:
            raise MaskError(f"{item.GetName()}: has no segments that could be kept; choose another segmentation.")
        return found
    node, wanted = item
    segmentation = node.GetSegmentation()
    segment = wanted if segmentation.GetSegment(wanted) is not None else segmentation.GetSegmentIdBySegmentName(wanted)
    if not segment:
        raise MaskError(f"{node.GetName()}: has no segment {wanted} that could be kept; choose another one.")
    return [(node, segment)]

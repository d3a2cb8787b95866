"""Segments that a person wants kept: noted on the face segmentation, and so saved with the scene."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import slicer

from ...errors import MaskError
from ...voxels.kept import Kept, Structure, kept_on
from ..texts import _
from .face_segment import face_segment_id, is_face, mask_stamp, reference_volume, segment_mask, write_box
from .volumes import engine_volume, move_in_hierarchy

if TYPE_CHECKING:
    from slicer import vtkMRMLNode as Node
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode

    # All segments of a node, or (node, ID or name of one).
    KeptSegment: TypeAlias = SegmentationNode | tuple[SegmentationNode, str]

# Attribute of a face segmentation, or of a volume that has none yet: JSON, [ID, name] of each segment. The node of segment
# n is the reference KEPT + str(n): MRML drops the reference to a node that is removed, and would shift those after it.
KEPT = "CTADeface.Kept"


def note_kept(owner: Node, keep: Iterable[KeptSegment]) -> None:
    """Note on a face segmentation which segments are kept, in place of those noted before; on a volume without face mask,
    its next one takes that over. Raises: MaskError for a segment that is not there."""
    found = [one for item in keep for one in _segments(item)]
    names = [node.GetSegmentation().GetSegment(segment).GetName() for node, segment in found]
    _note(owner, [(node.GetID(), segment, name) for (node, segment), name in zip(found, names)])


def new_structures(kept: Sequence[Structure], volume: VolumeNode, name: str) -> SegmentationNode:
    """A new segmentation node with a segment for each structure on the grid of ``volume``, outlined in slices."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    # The transform comes first: the geometry is copied relative to it.
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetVisibility2DFill(False)
    for structure in kept:
        segment = node.GetSegmentation().AddEmptySegment("", structure.name)
        write_box(node, segment, structure.box, structure.part, volume)
    move_in_hierarchy(node, volume)
    return node


def take_over(volume: VolumeNode, face: SegmentationNode) -> None:
    """Move what is noted on a volume to its face segmentation, also what has left the scene: a person must hear of that."""
    notes = _notes(volume)
    if notes:
        ids = [volume.GetNodeReferenceID(KEPT + str(number)) for number in range(len(notes))]
        _note(face, [(node, segment, name) for node, (segment, name) in zip(ids, notes)])
        _note(volume, [])


def note_names(owner: Node) -> None:
    """Note how the kept segments are called now: so a person hears of one that has left the scene."""
    noted, gone = noted_and_gone(owner)
    names = [node.GetSegmentation().GetSegment(segment).GetName() for node, segment in noted]
    if not gone and names != [name for _segment, name in _notes(owner)]:
        note_kept(owner, noted)


def _note(owner: Node, noted: Sequence[tuple[str | None, str, str]]) -> None:
    """Note (ID of the node, ID of its segment, that one's name) of each."""
    for number in range(len(_notes(owner))):
        owner.RemoveNodeReferenceIDs(KEPT + str(number))
    for number, (node, _segment, _name) in enumerate(noted):
        if node:
            owner.SetNodeReferenceID(KEPT + str(number), node)
    owner.SetAttribute(KEPT, json.dumps([one[1:] for one in noted]) if noted else None)


def noted_segments(owner: Node) -> list[tuple[SegmentationNode, str]]:
    """[(segmentation node, ID of its segment)] noted on a face segmentation. Raises: MaskError when one has left the scene."""
    noted, gone = noted_and_gone(owner)
    if gone:
        raise MaskError(
            _("{name}: a structure that was to be kept has left the scene ({gone}); choose again what is kept.").format(
                name=owner.GetName(), gone=", ".join(gone)
            )
        )
    return noted


def noted_and_gone(owner: Node) -> tuple[list[tuple[SegmentationNode, str]], list[str]]:
    """([(segmentation node, ID of its segment)] noted and still in the scene, names of those that have left it)."""
    noted, gone = [], []
    for number, (segment, name) in enumerate(_notes(owner)):
        node = owner.GetNodeReference(KEPT + str(number))
        # A node that is just being removed is still referred to.
        there = node is not None and slicer.mrmlScene.IsNodePresent(node)
        if there and node.GetSegmentation().GetSegment(segment) is not None:
            noted.append((node, segment))
        else:
            gone.append(name)
    return noted, gone


def _notes(owner: Node) -> list[tuple[str, str]]:
    return json.loads(owner.GetAttribute(KEPT) or "[]")


def segments_to_choose() -> list[tuple[SegmentationNode, list[str]]]:
    """[(segmentation node, IDs of its segments)]: all of the scene but faces, their proposals and hidden nodes."""
    found = []
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        face = face_segment_id(node) if is_face(node) else None
        segments = [segment for segment in node.GetSegmentation().GetSegmentIDs() if segment != face]
        if segments and not node.GetHideFromEditors():
            found.append((node, segments))
    return found


def case_state(face: SegmentationNode | None) -> str:
    """A text that differs after every change of the face's voxels, or of what is kept."""
    return "" if face is None else " ".join([str(mask_stamp(face)), kept_state(face)]).strip()


def kept_state(owner: Node) -> str:
    """A text that differs after every change of what is noted on ``owner``, of its voxels and of its transforms."""
    noted, gone = noted_and_gone(owner)
    parts = []
    for node, segment in noted:
        labelmap, parent = node.GetBinaryLabelmapInternalRepresentation(segment), node.GetParentTransformNode()
        moved = parent.GetTransformToWorldMTime() if parent is not None else None
        parts.append((node.GetID(), segment, labelmap.GetMTime() if labelmap is not None else None, moved))
    return str((parts, gone)) if parts or gone else ""


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
            _(
                "{name}: cannot be made a labelmap here; install the extension SlicerRT, or make it one in the module "
                "Segmentations."
            ).format(name=segmentation.GetName())
        )


def _segments(item: KeptSegment) -> list[tuple[SegmentationNode, str]]:
    """(node, ID) of one segment, or of all of a node but the face."""
    if not isinstance(item, tuple):
        face = face_segment_id(item) if is_face(item) else None
        found = [(item, segment) for segment in item.GetSegmentation().GetSegmentIDs() if segment != face]
        if not found:
            raise MaskError(
                _("{name}: has no segments that could be kept; choose another segmentation.").format(name=item.GetName())
            )
        return found
    node, wanted = item
    segmentation = node.GetSegmentation()
    segment = wanted if segmentation.GetSegment(wanted) is not None else segmentation.GetSegmentIdBySegmentName(wanted)
    if not segment:
        raise MaskError(
            _("{name}: has no segment {segment} that could be kept; choose another one.").format(
                name=node.GetName(), segment=wanted
            )
        )
    return [(node, segment)]

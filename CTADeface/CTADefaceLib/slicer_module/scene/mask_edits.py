"""Quick corrections of a face mask in the scene, and the way back to the model's proposal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ...errors import MaskError
from ..background import in_background
from ..texts import _
from . import face_segment, volumes

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode


def grow(volume: VolumeNode, segmentation: SegmentationNode, millimetres: float) -> None:
    """Grow the face mask (negative: shrink it), at least by one voxel of the finest axis. Raises: MaskError."""
    from ...face import edit

    change = edit.grown if millimetres > 0 else edit.shrunk
    _edit(volume, segmentation, lambda mask: change(mask, abs(millimetres), volumes.spacing_kji(volume)))


def keep_largest_island(volume: VolumeNode, segmentation: SegmentationNode) -> None:
    """Drop all but the largest connected piece of the face mask. Raises: MaskError."""
    from ...face.edit import largest_piece

    _edit(volume, segmentation, largest_piece)


def exclude_bone(volume: VolumeNode, segmentation: SegmentationNode) -> None:
    """Take bone out of the face mask. Raises: MaskError."""
    from ...face.edit import without_bone

    image = volumes.engine_volume(volume)
    _edit(volume, segmentation, lambda mask: without_bone(mask, image.to_hu(image.stored)))


def restore_proposal(volume: VolumeNode, segmentation: SegmentationNode) -> None:
    """Undo all edits. Raises: MaskError when the mask was not made by a model."""
    mask = face_segment.proposal_mask(segmentation, volume)
    if mask is None:
        raise MaskError(_("{name}: was not made by a model; segment the face first.").format(name=segmentation.GetName()))
    face_segment.set_mask(segmentation, mask, volume)


def _edit(volume: VolumeNode, segmentation: SegmentationNode, change: Callable[[np.ndarray], np.ndarray]) -> None:
    before = face_segment.reading_to_fill(face_segment.require_face(volume, segmentation), volume)
    mask = in_background(lambda: change(before()))
    if not mask.any():
        raise MaskError(_("Nothing would be left of the face mask; it was not changed."))
    face_segment.set_mask(segmentation, mask, volume)

"""A defaced volume node as the case that the engine releases, with all that its record says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ...cases.prepare import SEGMENTATION
from ...checks.check import Check
from ...checks.written import written_file
from ...errors import InputError
from ...files.read import compare_with_itk
from ...files.write import write_new, write_new_mask
from ...filling.fill import parse_fill
from ...release.hospital_folder import mask_name, masks_folder
from ...release.outgoing import CaseMask, Outgoing, Scan
from ..scene import face_segment, kept_segments, volumes
from ..texts import _

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode

# Attribute of a defaced volume node: how it was filled.
FILL = "CTADeface.Fill"
# Attribute of a face segmentation node: the state of its mask that was filled last.
FILLED = "CTADeface.FilledMask"
# How the model ran that proposed a face segmentation: keys of its attributes "CTADeface.<key>", and how to read their
# texts.
PROPOSED_BY: dict[str, Callable[[str], str | bool | float]] = {
    "device": str,
    "mirroring": lambda text: text == "True",
    "step_size": float,
    "ears": lambda text: text == "True",
}


def mark(node: VolumeNode, fill: str | float, segmentation: SegmentationNode) -> None:
    """Note on the defaced volume ``node`` how it was filled, and on the face segmentation which state of its mask was."""
    node.SetAttribute(FILL, str(fill))
    segmentation.SetAttribute(FILLED, str(face_segment.mask_stamp(segmentation)))


def is_current(segmentation: SegmentationNode, fill: str | float) -> bool:
    """Is the defaced volume of a face segmentation there, made with its mask as it is now and with ``fill``?

    A mask that was read from a file counts as another one.
    """
    node = segmentation.GetNodeReference(face_segment.DEFACED)
    if node is None or node.GetAttribute(FILL) != str(fill):
        return False
    return segmentation.GetAttribute(FILLED) == str(face_segment.mask_stamp(segmentation))


def origin(node: VolumeNode | None) -> tuple[VolumeNode, SegmentationNode, str | float]:
    """(original volume node, segmentation node, fill) of a defaced volume node.

    Raises: InputError for a volume that ``applyFill`` did not make, or whose original or mask has left the scene.
    """
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node is not None and segmentation.GetNodeReference(face_segment.DEFACED) is node:
            source = face_segment.reference_volume(segmentation)
            if source is not None and node.GetAttribute(FILL):
                return source, segmentation, parse_fill(node.GetAttribute(FILL))
    name = node.GetName() if node is not None else _("No volume")
    raise InputError(
        _(
            "{name}: is not a volume that Apply fill made, or its original or mask has left the scene, "
            "so that it cannot be checked; apply the fill and export its result."
        ).format(name=name)
    )


def model_of(segmentation: SegmentationNode) -> dict | None:
    """Name and checksum of the model that proposed a face segmentation, None when none did."""
    name = segmentation.GetAttribute("CTADeface.model")
    return {"name": name, "sha256": segmentation.GetAttribute("CTADeface.model_sha256")} if name else None


def how_proposed(segmentation: SegmentationNode) -> dict[str, str | bool | float | None]:
    """Settings of the model's run that proposed a face segmentation, for the record; each is None where no model did,
    or where a previous version has not noted it."""
    noted = {key: segmentation.GetAttribute("CTADeface." + key) for key in PROPOSED_BY}
    return {key: PROPOSED_BY[key](text) if text else None for key, text in noted.items()}


def ears_wanted(segmentation: SegmentationNode | None) -> bool:
    """Was the mask of a face segmentation proposed with both ears?"""
    return segmentation is not None and bool(how_proposed(segmentation)["ears"])


def scan_of(source: VolumeNode) -> Scan:
    """The engine's ``Scan`` of a volume node."""
    return Scan(volumes.engine_volume(source), volumes.survey_of(source))


def mask_of(segmentation: SegmentationNode, source: VolumeNode, mask: np.ndarray) -> CaseMask:
    """The engine's ``CaseMask`` of a face segmentation; ``mask`` is its mask (bool) on the grid of the node ``source``."""
    return CaseMask(
        mask,
        SEGMENTATION,
        model_of(segmentation),
        face_segment.proposal_mask(segmentation, source),
        settings=how_proposed(segmentation),
        ears=ears_wanted(segmentation),
        kept=kept_segments.kept_in(segmentation, source),
    )


@dataclass(frozen=True)
class NodeWriter:
    """Writes voxels and grid of a case, and no other header text."""

    outgoing: Outgoing

    def write(self, staged: Path) -> None:
        write_new(self.outgoing.stored, self.outgoing.volume.geometry, staged)

    def verify(self, staged: Path) -> Check:
        return written_file(staged, self.outgoing.volume, self.outgoing.stored, compare_with_itk)

    def write_mask(self, staged: Path) -> None:
        write_new_mask(self.outgoing.mask, self.outgoing.volume.geometry, staged)


def mask_path(path: str | Path, masks: str | Path | None = None, records: str | Path | None = None) -> Path:
    """Where the mask of a volume that is exported to ``path`` lies (see ``release.hospital_folder``). Raises: InputError."""
    return masks_folder(Path(path).parent, masks, records) / mask_name(path)

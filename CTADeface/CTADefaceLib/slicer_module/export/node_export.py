"""A defaced volume node as the case that the engine releases, with all that its record says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import slicer

from ...cases.options import Options
from ...cases.prepare import SEGMENTATION, fill_scan, opinion_of_model, prepare
from ...errors import InputError
from ...face.survey import Survey
from ...filling.fill import parse_fill
from ...network.host import NetworksApart
from ...progress import MODEL_STAGES, Progress
from ...release.outgoing import CaseMask, Outgoing, Scan
from ..background import drawing_in_background, in_background
from ..scene import face_segment, kept_segments, volumes
from ..shared_worker import networks_to_ask
from ..texts import _

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode

# Attribute of a defaced volume node: how it was filled.
FILL = "CTADeface.Fill"
# Attribute of a face segmentation node: the state of its mask, and of what is kept, that was filled last.
FILLED = "CTADeface.FilledMask"
# How the model ran that proposed a face segmentation: keys of its attributes "CTADeface.<key>", and how to read their
# texts.
PROPOSED_BY: dict[str, Callable[[str], str | bool | float]] = {
    "device": str,
    "mirroring": lambda text: text == "True",
    "step_size": float,
    "ears": lambda text: text == "True",
}
# What the model said of a volume whose mask it had not proposed, bool (k, j, i), as long as its survey is held.
_opinions: WeakKeyDictionary[Survey, np.ndarray | None] = WeakKeyDictionary()


def mark(node: VolumeNode, fill: str | float, segmentation: SegmentationNode) -> None:
    """Note on the defaced volume ``node`` how it was filled, and on the face segmentation in which state it was."""
    node.SetAttribute(FILL, str(fill))
    segmentation.SetAttribute(FILLED, kept_segments.case_state(segmentation))


def is_current(segmentation: SegmentationNode, fill: str | float) -> bool:
    """Is the defaced volume of a face segmentation there, made with ``fill`` from its mask and what is kept as
    they are now?

    A mask that was read from a file counts as another one.
    """
    node = segmentation.GetNodeReference(face_segment.DEFACED)
    if node is None or node.GetAttribute(FILL) != str(fill):
        return False
    return segmentation.GetAttribute(FILLED) == kept_segments.case_state(segmentation)


def case_of(source: VolumeNode, segmentation: SegmentationNode | None, fill: str | float) -> str:
    """A text that differs after every change of a volume node, of its face segmentation, of what is kept, and of the fill."""
    image = source.GetImageData()
    voxels = image.GetMTime() if image is not None else None
    return str((source.GetID(), voxels, kept_segments.case_state(segmentation), str(fill)))


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


def prepared(
    source: VolumeNode, segmentation: SegmentationNode, options: Options, stored: np.ndarray | None = None
) -> Outgoing:
    """The checked case of a volume node and its face segmentation; ``stored`` voxels that were filled already (None: fill
    them). Raises: MaskError, InputError, Cancelled, and what the identity check raises."""
    face = mask_of(segmentation, source, face_segment.mask_to_fill(segmentation, source))
    scan, networks = scan_of(source), networks_about(face)
    asks = networks is not None and scan.survey not in _opinions

    def work(progress: Progress) -> Outgoing:
        progress.begin(*(MODEL_STAGES if asks else ()), "fill", "check", *(["identity"] if options.identity else []))
        if networks is not None and asks:
            _opinions[scan.survey] = opinion_of_model(scan, networks, options, progress)
        opinion = None if networks is None else _opinions[scan.survey]
        return prepare(scan, replace(face, opinion=opinion), options, progress, stored)

    return drawing_in_background(work, writes=False)


def networks_about(face: CaseMask) -> NetworksApart | None:
    """Who is asked about a mask: nobody about what began as a model's own proposal, or where packages are missing."""
    return networks_to_ask() if face.proposal is None else None


def filled(source: VolumeNode, segmentation: SegmentationNode, fill: str | float) -> np.ndarray:
    """The voxels of a volume node with the face filled, but for what is kept, a new array. Raises: MaskError, InputError,
    Cancelled."""
    return in_background(filling(source, segmentation, fill))


def filling(source: VolumeNode, segmentation: SegmentationNode, fill: str | float) -> Callable[[], np.ndarray]:
    """What ``filled`` does, as pure work on the scene as it is now. Raises: MaskError, InputError, Cancelled."""
    mask = face_segment.reading_to_fill(segmentation, source)
    kept, ears = kept_segments.kept_in(segmentation, source), ears_wanted(segmentation)
    scan = scan_of(source)
    return lambda: fill_scan(scan, CaseMask(mask(), SEGMENTATION, ears=ears, kept=kept), fill)[0]


def put_defaced(
    array: np.ndarray,
    source: VolumeNode,
    segmentation: SegmentationNode,
    output: VolumeNode | None,
    fill: str | float,
) -> VolumeNode:
    """Put the voxels that ``filled`` gave into ``output`` (None: the node made before, or a new one); returns the node."""
    output = output or segmentation.GetNodeReference(face_segment.DEFACED)
    if output is None:
        output = volumes.new_defaced_node(source, array, source.GetName() + " " + _("defaced"))
    else:
        volumes.update_defaced_node(output, source, array)
    segmentation.SetNodeReferenceID(face_segment.DEFACED, output.GetID())
    mark(output, fill, segmentation)
    return output

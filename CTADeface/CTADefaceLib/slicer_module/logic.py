"""What the module does, without any window: used by the panel, the Python console and scripts alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ..cases.options import Options
from ..checks.check import Check
from ..errors import Cancelled, InputError, MaskError
from ..filling.fill import DEFAULT_FILL, parse_fill
from ..progress import Progress
from ..voxels.ct_check import check_ct
from ..worker.client import Job
from .background import stoppable_in_background
from .export import node_export
from .export.exports import Exports
from .scene import face_segment, kept_segments, mask_edits, volumes
from .scene.preview import SIDE_BY_SIDE, Preview, Renewal
from .shared_worker import process_events, shared_worker
from .texts import _

if TYPE_CHECKING:
    # Slicer may read this file before it has the classes of its module Segmentations.
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode

    from .scene.kept_segments import KeptSegment

EDIT_MM = 1.0


class FaceLogic(Exports):
    """Segment, correct, preview, fill, export. Arrays are (k, j, i), HU; distances in mm.

    Every method works with ``--no-main-window`` and in scripts; only ``showPreview`` needs a 3D view.
    """

    def __init__(self) -> None:
        self.preview = Preview()

    # Segment

    def segmentFace(
        self,
        volumeNode: VolumeNode,
        segmentationNode: SegmentationNode | None = None,
        model: str | None = None,
        device: str = "cpu",
        mirroring: bool = False,
        progress: Callable[[Job], None] | None = None,
        ears: bool = False,
    ) -> SegmentationNode:
        """Propose a face mask and wait for it; the application stays responsive.

        Parameters: ``segmentationNode`` to write to (None: the volume's own, or a new one); ``model`` a name or folder
        (None: the bundled one); ``device`` 'cpu', 'cuda', 'mps' or 'auto'; ``progress`` called with the ``Job``
        (``stage``, ``fraction``, ``seconds_left``, ``cancel()``) several times a second; ``ears``: the mask also holds
        both ears, and what is made of it treats them as such.
        Returns: the segmentation node. Raises: ``CTADefaceError``s; the scene is then as before.
        """
        job = self.startSegmentation(volumeNode, model, device, mirroring, ears)

        def each(running: Job) -> None:
            if progress is not None:
                progress(running)
            process_events()

        try:
            job.wait(each)
        finally:
            # A job whose callback failed must not run on unseen; this does nothing to a job that is done.
            job.cancel()
        return self.finishSegmentation(job, volumeNode, segmentationNode)

    def startSegmentation(
        self,
        volumeNode: VolumeNode,
        model: str | None = None,
        device: str = "cpu",
        mirroring: bool = False,
        ears: bool = False,
    ) -> Job:
        """Begin to segment in the worker process; returns a ``Job`` to poll. Raises: InputError for a bad volume,
        Cancelled."""
        volume, grid = volumes.engine_volume(volumeNode), volumes.grid_to_patient(volumeNode)
        name, worker = volumeNode.GetName(), shared_worker()

        def ask(progress: Progress) -> Job:
            check_ct(volume)
            job = worker.segment(volume.stored, grid, name, model or None, device, mirroring, ears=ears)
            try:
                progress.check()
            except Cancelled:
                job.cancel()
                raise
            return job

        return stoppable_in_background(ask)

    def finishSegmentation(
        self, job: Job, volumeNode: VolumeNode, segmentationNode: SegmentationNode | None = None
    ) -> SegmentationNode:
        """Put the mask of a job that is done into the scene; returns the segmentation node. Raises: InputError when
        the volume has left the scene or changed its size meanwhile."""
        assert job.result is not None, "Only a job that is done and did not fail has a mask."
        mask = job.result["mask"]
        present = slicer.mrmlScene.IsNodePresent(volumeNode)
        if not present or slicer.util.arrayFromVolume(volumeNode).shape != mask.shape:
            raise InputError(_("The volume was changed or removed while it was being segmented; segment it again."))
        node = segmentationNode or face_segment.find_face(volumeNode) or face_segment.new_face(volumeNode)
        face_segment.set_proposed_mask(node, mask, volumeNode)
        kept_segments.take_over(volumeNode, node)
        for key in ("model", "model_sha256", "version", *node_export.PROPOSED_BY):
            node.SetAttribute("CTADeface." + key, str(job.result[key]))
        return node

    def faceMask(self, volumeNode: VolumeNode, segmentationNode: SegmentationNode | None = None) -> np.ndarray:
        """The face mask of a volume as bool array (k, j, i).

        Raises: InputError for a bad volume, MaskError when there is no mask or it is empty.
        """
        return face_segment.required_mask(volumeNode, segmentationNode)

    def isEdited(self, volumeNode: VolumeNode, segmentationNode: SegmentationNode | None = None) -> bool:
        """Has a person changed the mask since the model proposed it?"""
        segmentation = segmentationNode or face_segment.find_face(volumeNode)
        return segmentation is not None and face_segment.is_edited(segmentation, volumeNode)

    # Correct

    def drawMask(self, volumeNode: VolumeNode) -> SegmentationNode:
        """Begin a face mask that a person draws: a segmentation node with an empty segment "Face".

        Raises: InputError for a bad volume, MaskError when the volume has a face mask already.
        """
        check_ct(volumes.engine_volume(volumeNode))
        if face_segment.find_face(volumeNode) is not None:
            raise MaskError(_("{name}: has a face mask already; correct that one.").format(name=volumeNode.GetName()))
        node = face_segment.new_face(volumeNode)
        kept_segments.take_over(volumeNode, node)
        return node

    def growMask(self, volumeNode: VolumeNode, segmentationNode: SegmentationNode, millimetres: float = EDIT_MM) -> None:
        """Grow the face mask (negative: shrink it) by ``millimetres``, at least by one voxel of the finest axis."""
        mask_edits.grow(volumeNode, segmentationNode, millimetres)

    def keepLargestIsland(self, volumeNode: VolumeNode, segmentationNode: SegmentationNode) -> None:
        """Drop all but the largest connected piece of the face mask."""
        mask_edits.keep_largest_island(volumeNode, segmentationNode)

    def excludeBone(self, volumeNode: VolumeNode, segmentationNode: SegmentationNode) -> None:
        """Take voxels above 300 HU out of the face mask."""
        mask_edits.exclude_bone(volumeNode, segmentationNode)

    def restoreModelMask(self, volumeNode: VolumeNode, segmentationNode: SegmentationNode) -> None:
        """Undo all edits. Raises: MaskError when the mask was not made by a model."""
        mask_edits.restore_proposal(volumeNode, segmentationNode)

    # Preview

    def showPreview(
        self,
        volumeNode: VolumeNode,
        segmentationNode: SegmentationNode | None = None,
        state: str = "defaced",
        fill: str | float = DEFAULT_FILL,
    ) -> None:
        """Show the CT-Muscle rendering of the volume: ``state`` 'original', 'mask', 'defaced', or 'side by side' (the
        original and the defaced volume in two views with linked cameras).

        ``hidePreview`` brings back the user's own layout, rendering and camera. The volume is never changed.
        """
        segmentation = segmentationNode or face_segment.find_face(volumeNode)
        defaced, case = None, node_export.case_of(volumeNode, segmentation, fill)
        if state in ("defaced", SIDE_BY_SIDE) and not self.preview.shows(volumeNode, case):
            defaced = self.defacedArray(volumeNode, segmentation, fill)
        elif state == "mask" and segmentation is None:
            self.faceMask(volumeNode)
        self.preview.show(volumeNode, segmentation, state, defaced, case)

    def renewPreview(self, segmentationNode: SegmentationNode, fill: str | float = DEFAULT_FILL) -> Renewal:
        """Bring the preview up to date after an edit of its volume's mask, without waiting for it.

        Returns: (pure work for another thread, what puts its answer on the screen). Raises: MaskError.
        """
        if self.preview.state == "mask":
            return self.preview.renewal_of_mask(segmentationNode)
        volume = self.preview.volume
        filling = node_export.filling(volume, segmentationNode, fill)
        return self.preview.renewal_of_defaced(filling, node_export.case_of(volume, segmentationNode, fill))

    def hidePreview(self) -> None:
        """Remove the preview and bring back what the user had on the screen."""
        self.preview.hide()

    # Keep

    def keepSegments(self, segmentationNode: SegmentationNode, keep: Iterable[KeptSegment]) -> None:
        """Note on a face segmentation which segments of the scene are never filled, in place of those noted before; preview,
        fill, checks and exports go by it.

        Parameters: ``segmentationNode`` also a volume that has no face segmentation yet: its first one takes that over;
        ``keep`` segmentation nodes (all of their segments but the face), and pairs of a node and the ID or name of one
        segment. Raises: MaskError for a segment that is not there.
        """
        kept_segments.note_kept(segmentationNode, keep)

    def keptSegments(self, segmentationNode: SegmentationNode) -> list[tuple[SegmentationNode, str]]:
        """[(segmentation node, segment's ID)] that ``keepSegments`` noted. Raises: MaskError when one has left the scene."""
        return kept_segments.noted_segments(segmentationNode)

    # Fill

    def defacedArray(
        self, volumeNode: VolumeNode, segmentationNode: SegmentationNode | None = None, fill: str | float = DEFAULT_FILL
    ) -> np.ndarray:
        """The volume's voxels with the face filled, but for what is kept, a new array. Raises: MaskError, InputError."""
        segmentation = face_segment.require_face(volumeNode, segmentationNode)
        return node_export.filled(volumeNode, segmentation, fill)

    def applyFill(
        self,
        volumeNode: VolumeNode,
        segmentationNode: SegmentationNode | None = None,
        outputVolumeNode: VolumeNode | None = None,
        fill: str | float = DEFAULT_FILL,
        keep: Iterable[KeptSegment] | None = None,
    ) -> VolumeNode:
        """Make the defaced volume; a second call updates it.

        Parameters: ``outputVolumeNode`` to write to (None: the one made before, or a new one "<name> defaced");
        ``fill`` 'levelled', 'percentile', 'published', 'air' or HU as a number; ``keep`` as for ``keepSegments`` (None: what
        was kept before).
        Returns: the output node. Raises: MaskError, InputError; never changes ``volumeNode``.
        """
        segmentation = face_segment.require_face(volumeNode, segmentationNode)
        if keep is not None:
            self.keepSegments(segmentation, keep)
        if outputVolumeNode is not None and outputVolumeNode is volumeNode:
            raise InputError(
                _("{name}: the input is never written over; choose another output volume.").format(name=volumeNode.GetName())
            )
        array = self.defacedArray(volumeNode, segmentation, fill)
        return node_export.put_defaced(array, volumeNode, segmentation, outputVolumeNode, fill)

    # Check

    def runChecks(
        self,
        volumeNode: VolumeNode,
        segmentationNode: SegmentationNode | None = None,
        fill: str | float = DEFAULT_FILL,
        identity: bool = False,
    ) -> list[Check]:
        """Check the volume as it would be filled with the present mask; nothing in the scene changes.

        ``identity``: also face detection and recognition, which needs optional packages and half a minute.
        Returns: ``Check``s (``name``, ``verdict``, ``value``, ``unit``, ``text``, ``place`` in RAS mm of the volume's
        own coordinates). Raises: MaskError, InputError.
        """
        segmentation = face_segment.require_face(volumeNode, segmentationNode)
        return node_export.prepared(volumeNode, segmentation, Options(fill=fill, identity=identity)).checks

    # All at once

    def deface(
        self,
        volumeNode: VolumeNode,
        model: str | None = None,
        device: str = "cpu",
        fill: str | float = DEFAULT_FILL,
        progress: Callable[[Job], None] | None = None,
        ears: bool = False,
        keep: Iterable[KeptSegment] | None = None,
    ) -> VolumeNode:
        """Segment and fill; returns the defaced volume node. ``keep`` as for ``applyFill``. Raises what the two raise."""
        parse_fill(fill)
        segmentation = self.segmentFace(volumeNode, model=model, device=device, progress=progress, ears=ears)
        return self.applyFill(volumeNode, segmentation, fill=fill, keep=keep)

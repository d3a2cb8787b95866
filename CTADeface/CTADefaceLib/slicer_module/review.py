"""A finished batch in the scene, one case at a time: look, correct, decide."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ..batch.correct import batch_of, correct, is_strict, record_of, reject
from ..batch.review_queue import ACCEPTED, CORRECTED, Item, load_queue, manifest_at, mark
from ..checks.check import Check
from ..errors import CTADefaceError, InputError, MaskError
from ..progress import Progress
from ..voxels.kept import Structure
from ..voxels.volume import Geometry, Volume
from .background import draw_now, drawing_in_background
from .export.node_export import PROPOSED_BY
from .read_ahead import ReadAhead
from .scene import face_segment, kept_segments, slice_views, volumes
from .shared_worker import networks_to_ask
from .texts import _

if TYPE_CHECKING:
    from slicer import vtkMRMLNode as Node
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode


class Review:
    """``queue`` of ``Item``s; ``item`` the present one, with its ``volume`` and ``segmentation`` nodes where it could be
    read; ``fill`` of the batch, and whether it is ``strict``: a check that warns stops a correction too.

    Decisions are written into the ``manifest`` at once; they are the only thing that outlasts this object.
    """

    def __init__(self) -> None:
        self.manifest: Path | None = None
        self.fill: str | float | None = None
        self.strict = False
        self.item: Item | None = None
        self.volume: VolumeNode | None = None
        self.queue: list[Item] = []
        self._ahead = ReadAhead()
        # The structures that were kept in the present case, how they were when it was shown, or why they cannot be had.
        self._kept: SegmentationNode | None = None
        self._kept_state = ""
        self._not_stored: CTADefaceError | None = None
        # The mask of the present case as it was shown or saved last, in bits.
        self._mask_bits: np.ndarray | None = None

    @property
    def segmentation(self) -> SegmentationNode | None:
        """The face mask of the present case, also one that was drawn by hand; None without one."""
        return face_segment.find_face(self.volume) if self.volume is not None else None

    def open(self, path: str | Path) -> None:
        """Read the queue of a manifest, or of the folder that holds it. Raises: InputError."""
        queue, manifest = load_queue(path), manifest_at(path)
        fill, strict = batch_of(manifest)[1], is_strict(manifest)
        self.clear()
        self._ahead.forget()
        self.queue, self.manifest, self.fill, self.strict = queue, manifest.path, fill, strict

    def show(self, item: Item) -> None:
        """Bring a case into the scene in place of the previous one. Raises: InputError, MaskError."""
        self.clear()
        self.item = item
        hu, geometry, mask, kept = self._ahead.take(item)
        self.volume = volumes.new_volume_node(hu, geometry, item.case)
        slice_views.show_volume(self.volume)
        slice_views.fit()
        # The person looks at the scan while the rest is made.
        draw_now()
        if mask is None:
            self._show_kept(self.volume, kept)
            return
        volumes.find_range(self.volume)
        draw_now()
        segmentation = face_segment.new_face(self.volume)
        record = record_of(item)
        if record.get("model") and item.review != CORRECTED:
            face_segment.set_proposed_mask(segmentation, mask, self.volume)
            _note_model(segmentation, record)
        else:
            # A person's mask is no proposal against which another could be held.
            face_segment.set_mask(segmentation, mask, self.volume)
        self._mask_bits = np.packbits(mask)
        self._show_kept(segmentation, kept)

    def _show_kept(self, owner: Node, kept: tuple[Structure, ...] | CTADefaceError) -> None:
        """Bring the structures that were kept into the scene, and note that on the face segmentation, or else the volume."""
        self._not_stored = kept if isinstance(kept, CTADefaceError) else None
        if not isinstance(kept, CTADefaceError) and kept:
            self._kept = kept_segments.new_structures(kept, self.volume, self._present.case + " " + _("kept structures"))
            kept_segments.note_kept(owner, [self._kept])
        self._kept_state = kept_segments.kept_state(owner)

    def read_ahead(self, item: Item | None) -> None:
        """Read ``item``, which is likely to be shown next, while a person looks at the present one; None: nothing."""
        self._ahead.begin(item)

    def checks(self) -> list[Check]:
        """What the checks said when the case was released or blocked."""
        return [Check.from_dict(check) for check in record_of(self._present).get("checks", ())]

    def is_edited(self) -> bool:
        """Has a person changed the mask, or what is kept, since the case was shown?"""
        segmentation = self.segmentation
        if segmentation is None:
            return False
        if self._kept_state != kept_segments.kept_state(segmentation):
            return True
        try:
            bits = np.packbits(face_segment.get_mask(segmentation, self.volume))
        except MaskError:
            return True
        return bool(bits.any()) if self._mask_bits is None else not np.array_equal(bits, self._mask_bits)

    def accept(self, by: str | None = None) -> None:
        """Note that the case may leave as it is. Raises: InputError when nothing of it was written, or the mask was edited."""
        if self.is_edited():
            raise InputError(
                _("{case}: its mask or what is kept was edited; save the correction, or undo the edits.").format(
                    case=self._present.case
                )
            )
        self._decided(mark(self._opened, self._present, ACCEPTED, by))

    def correct(self, overrides: dict[str, str] | None = None, by: str | None = None) -> None:
        """Deface the case again with the mask, and what is kept, as they are now, by the options of the batch.

        Raises: ChecksFailed, MaskError, OutputError, Cancelled, and InputError also when structures were kept in the case
        that are not stored, unless segments are to be kept in their place.
        """
        mask, geometry = self._mask()
        kept = kept_segments.kept_in(self.segmentation, self.volume)
        if kept is None and self._not_stored is not None:
            raise self._not_stored
        keep = () if kept is None else kept.structures
        opened, item, networks = self._opened, self._present, networks_to_ask()

        def work(progress: Progress) -> Item:
            return correct(opened, item, mask, geometry, overrides, by, progress, keep=keep, networks=networks)

        self._decided(drawing_in_background(work))

    def reject(self, by: str | None = None) -> None:
        """Note that the case must not leave, and delete its released files; the original is not touched."""
        self._decided(reject(self._opened, self._present, by))

    def add_to_training(self, folder: str | Path) -> str:
        """Add scan and mask to the nnU-Net raw dataset in ``folder``, without identifiers; returns the case's name
        there.

        Raises: InputError, MaskError, OutputError.
        """
        from ..training.collect import add_case

        mask, geometry = self._mask()
        image = volumes.engine_volume(self.volume)
        return add_case(image, Volume(mask.astype("uint8"), geometry, name=image.name), folder, overwrite=True)

    def clear(self) -> None:
        """Remove the present case from the scene."""
        volume, face, kept = self.volume, self.segmentation, self._kept
        self.forget()
        nodes = [face and face.GetNodeReference(role) for role in (face_segment.DEFACED, face_segment.PROPOSAL)]
        for node in (*nodes, face, kept, volume):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)

    def forget(self) -> None:
        """The scene is closed: no case is present any more."""
        self.item = self.volume = self._kept = self._not_stored = self._mask_bits = None
        self._kept_state = ""

    def close(self) -> None:
        """Let go of what was read ahead."""
        self._ahead.forget()

    @property
    def _present(self) -> Item:
        assert self.item is not None, "No case is shown yet."
        return self.item

    @property
    def _opened(self) -> Path:
        assert self.manifest is not None, "No batch was opened yet."
        return self.manifest

    def _mask(self) -> tuple[np.ndarray, Geometry]:
        segmentation = self.segmentation
        if segmentation is None:
            raise MaskError(_("There is no face mask yet; segment or draw the face first."))
        return face_segment.get_mask(segmentation, self.volume), volumes.engine_volume(self.volume).geometry

    def _decided(self, item: Item) -> None:
        with suppress(ValueError):
            self.queue[self.queue.index(self._present)] = item
        self.item = item
        segmentation = self.segmentation
        if item.review == CORRECTED:
            self._mask_bits = np.packbits(face_segment.get_mask(segmentation, self.volume))
            self._kept_state = kept_segments.kept_state(segmentation)


def _note_model(segmentation: SegmentationNode, record: dict) -> None:
    """Note on a face segmentation what the record of its case says of the model that proposed its mask."""
    model, settings = record["model"], record.get("settings") or {}
    noted = {"model": model.get("name"), "model_sha256": model.get("sha256")} | {k: settings.get(k) for k in PROPOSED_BY}
    for key, value in noted.items():
        if value is not None:
            segmentation.SetAttribute("CTADeface." + key, str(value))

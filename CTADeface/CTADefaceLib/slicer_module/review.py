"""A finished batch in the scene, one case at a time: look, correct, decide."""

from contextlib import suppress

import slicer

from ..batch.correct import batch_of, correct, open_case, record_of, reject
from ..batch.review_queue import ACCEPTED, Item, load_queue, manifest_at, mark
from ..checks.check import Check
from ..errors import InputError, MaskError
from ..voxels.images import mask_on_grid
from ..voxels.volume import Volume
from .export.node_export import PROPOSED_BY
from .scene import face_segment, volumes


class Review:
    """``queue`` of ``Item``s; ``item`` the one at hand, with its ``volume`` and ``segmentation`` nodes where it could
    be read.

    Nothing but the decisions is kept here: they go into the manifest at once.
    """

    def __init__(self):
        self.manifest = self.fill = self.item = self.volume = None
        self.queue = []

    @property
    def segmentation(self):
        """The face mask of the case at hand, also one that was drawn by hand; None without one."""
        return face_segment.find_face(self.volume) if self.volume is not None else None

    def open(self, path) -> None:
        """Read the queue of a manifest, or of the folder that holds it. Raises: InputError."""
        queue, manifest = load_queue(path), manifest_at(path)
        self.clear()
        self.queue, self.manifest, self.fill = queue, manifest.path, batch_of(manifest)[1]

    def show(self, item: Item) -> None:
        """Bring a case into the scene in place of the one before. Raises: InputError, MaskError."""
        self.clear()
        self.item = item
        source, given = open_case(item)
        self.volume = volumes.new_volume_node(source.to_hu(source.stored), source.geometry, item.case)
        if given is None:
            return
        mask = mask_on_grid(given, source)
        segmentation = face_segment.new_face(self.volume)
        face_segment.set_mask(segmentation, mask, self.volume)
        face_segment.set_proposal(segmentation, mask, self.volume)
        record = record_of(item)
        model, settings = record.get("model") or {}, record.get("settings") or {}
        noted = {"model": model.get("name"), "model_sha256": model.get("sha256")} | {k: settings.get(k) for k in PROPOSED_BY}
        for key, value in noted.items():
            if model and value is not None:
                segmentation.SetAttribute("CTADeface." + key, str(value))

    def checks(self) -> list[Check]:
        """What the checks said when the case was released or blocked."""
        return [Check.from_dict(check) for check in record_of(self.item).get("checks", ())]

    def is_edited(self) -> bool:
        """Has a person changed the mask since the case was shown?"""
        segmentation = self.segmentation
        return segmentation is not None and face_segment.is_edited(segmentation, self.volume)

    def accept(self, by: str | None = None) -> None:
        """Note that the case may leave as it is. Raises: InputError when nothing was written of it, or the mask was edited."""
        if self.is_edited():
            raise InputError(f"{self.item.case}: its mask was edited; save the correction, or restore the model's mask.")
        self._decided(mark(self.manifest, self.item, ACCEPTED, by))

    def correct(self, overrides: dict[str, str] | None = None, by: str | None = None) -> None:
        """Deface the case again with the mask as it is now. Raises: ChecksFailed, MaskError, InputError, OutputError."""
        mask, geometry = self._mask()
        self._decided(correct(self.manifest, self.item, mask, geometry, overrides, by))

    def reject(self, by: str | None = None) -> None:
        """Note that the case must not leave, and delete what was released of it; the original is not touched."""
        self._decided(reject(self.manifest, self.item, by))

    def add_to_training(self, folder) -> str:
        """Add scan and mask to the nnU-Net raw dataset in ``folder``, without identifiers; returns the case's name
        there.

        Raises: InputError, MaskError, OutputError.
        """
        from ..training.collect import add_case

        mask, geometry = self._mask()
        image = volumes.engine_volume(self.volume)
        return add_case(image, Volume(mask.astype("uint8"), geometry, name=image.name), folder, overwrite=True)

    def clear(self) -> None:
        """Take the case at hand out of the scene."""
        volume, face = self.volume, self.segmentation
        self.forget()
        nodes = [face and face.GetNodeReference(role) for role in (face_segment.DEFACED, face_segment.PROPOSAL)]
        for node in (*nodes, face, volume):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)

    def forget(self) -> None:
        """The scene is closed: no case is at hand."""
        self.item = self.volume = None

    def _mask(self):
        segmentation = self.segmentation
        if segmentation is None:
            raise MaskError("There is no face mask yet; segment or draw the face first.")
        return face_segment.get_mask(segmentation, self.volume), volumes.engine_volume(self.volume).geometry

    def _decided(self, item):
        with suppress(ValueError):
            self.queue[self.queue.index(self.item)] = item
        self.item = item
        segmentation = self.segmentation
        if item.review == "corrected":
            face_segment.set_proposal(segmentation, face_segment.get_mask(segmentation, self.volume), self.volume)

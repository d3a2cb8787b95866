"""Volume, model and device; "Segment face", which turns into "Cancel" while it runs."""

import qt
import slicer

from ...errors import Cancelled, MissingPackages
from ...models.store import list_models
from ..background import at_work, draw_now
from ..scene import face_segment, slice_views
from ..shared_worker import shared_worker
from ..texts import _
from .section import errors_shown, no_volume, show_error, switch

POLL_MS = 100
STAGES = {
    "start": _("starting"),
    "read": _("reading the volume"),
    "load model": _("loading the model"),
    "segment": _("segmenting"),
    "refine": _("refining"),
    "fill": _("filling"),
    "write": _("finishing"),
    "done": _("finishing"),
}


class SegmentSection:
    """``job`` is what the worker is doing for this panel, or None."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.job = self._finish = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._on_time)
        self.ui.segmentButton.connect("clicked(bool)", self._on_segment)
        self.ui.drawButton.connect("clicked(bool)", self._on_draw)
        self.ui.modelComboBox.connect("activated(int)", self._on_model)
        self._idle()
        self.list_models()

    def update(self):
        """Bring the buttons up to date; their tooltips say why they are off."""
        if self.job is not None:
            switch(self.ui.segmentButton, "", _("Stop at once; the scene stays as it was."))
        else:
            switch(self.ui.segmentButton, no_volume(self.panel), _("Find the face in the volume and propose a mask."))
        why_off = no_volume(self.panel) or (_("Cancel first.") if self.job is not None else "")
        if not why_off and self.panel.segmentation is not None:
            why_off = _("There is a mask already; correct it below.")
        switch(self.ui.drawButton, why_off, _("Begin with an empty mask, without the network and its packages."))
        self._select_model()

    def cancel(self):
        """Stop the running job, if there is one."""
        if self.job is not None:
            self.job.cancel()
            self._poll()

    def close(self):
        """The panel is destroyed."""
        self.cancel()
        self._timer.stop()
        self._timer.disconnect("timeout()", self._on_time)

    def list_models(self):
        """Fill the list of models; those that cannot be used say why in their tooltip."""
        box = self.ui.modelComboBox
        box.clear()
        for info in list_models():
            box.addItem(info.name if not info.problem else _("{name} (unusable)").format(name=info.name), info.name)
            box.setItemData(box.count - 1, info.problem or str(info.folder), qt.Qt.ToolTipRole)
        box.insertSeparator(box.count)
        box.addItem(_("Add model from zip file..."), "")
        box.addItem(_("Add model from folder..."), "")
        self._select_model()

    def _select_model(self):
        box = self.ui.modelComboBox
        name = self.panel.parameters.model if self.panel.parameters else ""
        box.currentIndex = max(box.findData(name), 0) if name else 0

    def _on_model(self, index):
        box = self.ui.modelComboBox
        name = box.itemData(index)
        if name:
            self.panel.parameters.model = name
            return
        from_folder = index == box.count - 1
        self._select_model()
        title = _("Model folder or results folder of nnU-Net") if from_folder else _("Zip file of a model")
        path = (
            qt.QFileDialog.getExistingDirectory(self.panel.parent, title)
            if from_folder
            else qt.QFileDialog.getOpenFileName(self.panel.parent, title, "", "*.zip")
        )
        if path:
            with errors_shown(self.panel):
                if self.panel.packages_section.ensure():
                    self._run(shared_worker().install_model(path), self._model_installed)

    def _model_installed(self, job):
        self.panel.parameters.model = job.result["model"]
        self.list_models()

    def _on_segment(self, *_checked):
        if self.job is not None:
            self.cancel()
        else:
            self.segment()

    def segment(self, then=None):
        """Ask for what is missing and begin; ``then`` is called when the mask is there and its volume still chosen."""
        with errors_shown(self.panel):
            if not self._may_replace() or not self.panel.packages_section.ensure():
                return
            parameters, volume = self.panel.parameters, self.panel.volume
            job = self.panel.logic.startSegmentation(volume, parameters.model, parameters.device, ears=parameters.ears)
            self.panel.log(
                _("Segmenting {name} with {model} on {device}").format(
                    name=volume.GetName(), model=self.ui.modelComboBox.currentText, device=parameters.device
                )
            )
            self._run(job, lambda done: self._segmented(done, volume, then))

    def _on_draw(self, *_checked):
        with errors_shown(self.panel):
            self.panel.logic.drawMask(self.panel.volume)
            self.panel.mask_changed()

    def _may_replace(self):
        volume, segmentation = self.panel.volume, self.panel.segmentation
        if segmentation is None or not self.panel.logic.isEdited(volume, segmentation):
            return True
        return slicer.util.confirmOkCancelDisplay(
            _("The face mask of {name} was edited. Replace it by a new proposal of the model?").format(name=volume.GetName()),
            windowTitle="CTADeface",
        )

    def _segmented(self, job, volume, then=None):
        segmentation = self.panel.logic.finishSegmentation(job, volume)
        draw_now()
        if not slice_views.is_shown(volume):
            slice_views.show_volume(volume)
        slice_views.jump_to_segment(segmentation, face_segment.face_segment_id(segmentation))
        self.panel.steps_row.proposed(segmentation)
        self.ui.statusLabel.text = _("Face mask: {ml:.0f} ml").format(ml=job.result["mask_ml"])
        self.panel.log(self.ui.statusLabel.text)
        self.panel.mask_changed()
        if then is not None and self.panel.volume is volume:
            then()

    def _run(self, job, finish):
        self.job, self._finish = job, finish
        self.ui.segmentButton.text = _("Cancel")
        self.ui.progressBar.visible = True
        self._timer.start()
        self._poll()
        self.panel.update()

    def _on_time(self):
        # A mask that is done must not come into the scene in the middle of something else.
        if not at_work():
            self._poll()

    def _poll(self):
        job = self.job
        if job is None:
            return
        if not job.poll():
            self.ui.progressBar.value = int(100 * job.fraction)
            self.ui.statusLabel.text = _progress_text(job)
            return
        finish, self.job = self._finish, None
        self._timer.stop()
        self._idle()
        for text in job.warnings:
            self.panel.log(text)
        if isinstance(job.error, Cancelled):
            self.panel.log(_("Cancelled."))
        elif job.error is not None:
            self._failed(job)
        else:
            with errors_shown(self.panel):
                finish(job)
        self.panel.update()

    def _failed(self, job):
        show_error(self.panel, job.error, job.log)
        if isinstance(job.error, MissingPackages):
            self.panel.packages_section.open()

    def _idle(self):
        self.ui.segmentButton.text = _("Segment face")
        self.ui.progressBar.visible = False
        self.ui.progressBar.value = 0
        self.ui.statusLabel.text = ""


def _progress_text(job):
    text = f"{100 * job.fraction:.0f} %, {STAGES.get(job.stage, job.stage)}"
    if job.seconds_left is None:
        return text
    return text + ", " + _("{seconds:.0f} s left").format(seconds=job.seconds_left)

"""Go through a finished batch: look at each case, accept, correct or reject it."""

import qt
import slicer

from ...batch.review_queue import (
    CORRECTED,
    failed_checks,
    filtered,
    next_item,
    next_open,
    previous_item,
    reviewed,
    warned_checks,
)
from ...errors import ChecksFailed
from ...filling.fill import FILLS
from ..review import Review
from ..texts import _
from .case_steps import CHECK
from .check_titles import TITLES
from .parameters import NUMBER, chosen_fill
from .section import errors_shown, switch

# Not Alt+Left and Alt+Right, by which Slicer goes through its modules: a key that two want does nothing.
KEYS = {"Alt+B": "previous", "Alt+N": "next", "Alt+A": "accept", "Alt+S": "correct", "Alt+R": "reject"}
# Choices of the filter; those of a check are "failed:<check>" and "warned:<check>".
ALL, OPEN, NOT_RELEASED, WARNED = "all", "open", "not released", "warned"
STATES = {"defaced": _("released"), "mask only": _("mask only"), "blocked": _("blocked by a check"), "failed": _("failed")}
DECISIONS = {"accepted": _("accepted"), "corrected": _("corrected"), "rejected": _("rejected")}


class ReviewSection:
    """The cases of a batch: step through them, filter them, and decide; ``review`` holds the present one."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.review = Review()
        self._shortcuts = []
        for button, action in (
            (self.ui.openReviewButton, self._open),
            (self.ui.previousButton, self.previous),
            (self.ui.nextButton, self.next),
            (self.ui.acceptButton, self._accept),
            (self.ui.correctButton, self._correct),
            (self.ui.rejectButton, self._reject),
            (self.ui.trainingButton, self._add_to_training),
        ):
            button.connect("clicked(bool)", lambda _checked=False, action=action: self._do(action))
        self.ui.reviewFilterComboBox.connect("activated(int)", lambda _index: self._do(self._filter))

    # What the panel calls

    @property
    def strict(self):
        """Is the volume that is worked on a case of a batch in which a check that warns stops it too?"""
        return self.review.strict and self.review.volume is not None and self.review.volume is self.panel.volume

    def update(self):
        item, ready = self.review.item, self._ready()
        off = "" if self.review.manifest else _("Open a batch first.")
        for button, tip in (
            (self.ui.previousButton, _("The previous case (Alt+B).")),
            (self.ui.nextButton, _("The next case (Alt+N).")),
        ):
            switch(button, off, tip)
        self.ui.reviewFilterComboBox.enabled = not off
        off = off or ("" if item is not None else _("Choose a case first."))
        switch(self.ui.rejectButton, off, _("It must not leave (Alt+R): its released files are deleted. The original stays."))
        switch(
            self.ui.acceptButton,
            off or ("" if item.outputs else _("Nothing of it was released; correct or reject it.")),
            _("It may leave as it is (Alt+A)."),
        )
        off = off or ready
        switch(
            self.ui.correctButton,
            off,
            _("Deface it again with the mask as it is now (Alt+S), check it, and replace what was released."),
        )
        switch(
            self.ui.trainingButton,
            off,
            _(
                "Add scan and mask to an nnU-Net dataset, without names or identifiers. The scan shows the face: for the "
                "hospital only."
            ),
        )
        self.ui.reviewLabel.text = self._text()

    def enter(self):
        window = slicer.util.mainWindow() or self.panel.parent
        for key, name in KEYS.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), window)
            button = getattr(self.ui, name + "Button")
            # A click does nothing while the button is off.
            slot = lambda button=button: button.click()  # noqa: E731 - the same object is disconnected later
            shortcut.connect("activated()", slot)
            self._shortcuts.append((shortcut, slot))

    def leave(self):
        for shortcut, slot in self._shortcuts:
            shortcut.disconnect("activated()", slot)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []

    def scene_closes(self):
        self.review.forget()

    def close(self):
        self.review.close()

    # What a person does

    def next(self):
        """Show the next case that the filter lets through."""
        self._step(next_item)

    def previous(self):
        """Show the previous case that the filter lets through."""
        self._step(previous_item)

    def _do(self, action):
        with errors_shown(self.panel):
            action()
        self.panel.update()

    def _open(self):
        if not self.panel.packages_section.ensure():
            return
        self.review.open(self.ui.reviewFolderEdit.currentPath)
        parameters, fill = self.panel.parameters, self.review.fill
        parameters.fill = fill if fill in FILLS else NUMBER
        if parameters.fill == NUMBER:
            parameters.fillNumber = float(fill)
        self._list_filters()
        self._show(next_open(self.review.queue) or next_item(self.review.queue))

    def _filter(self):
        shown = self._shown()
        if self.review.item not in shown:
            self._show(next_item(shown))

    def _step(self, find):
        self._show(self._neighbour(find))

    def _neighbour(self, find):
        """The item that ``find`` gives, among those that the filter lets through, beside the present one."""
        shown, item = self._shown(), self.review.item
        if item is None:
            return find(shown)
        # It keeps its place also when the filter lets it through no more.
        return find([one for one in self.review.queue if one in shown or one == item], item.case)

    def _accept(self):
        self.review.accept()
        self._decided()

    def _correct(self):
        checks = self.panel.checks_section
        try:
            with slicer.util.WaitCursor():
                self.review.correct(checks.overrides)
        except ChecksFailed as error:
            checks.show(error.every, chosen_fill(self.panel.parameters))
            self.panel.steps_row.sections.open(CHECK)
            raise
        self._decided()

    def _reject(self):
        item = self.review.item
        if item.outputs and not slicer.util.confirmOkCancelDisplay(
            _("Reject {case}? Its released files are deleted; the original stays.").format(case=item.case),
            windowTitle="CTADeface",
        ):
            return
        self.review.reject()
        self._decided()

    def _add_to_training(self):
        folder = qt.QFileDialog.getExistingDirectory(self.panel.parent, _("Folder of the training set (hospital only)"))
        if folder:
            with slicer.util.WaitCursor():
                name = self.review.add_to_training(folder)
            self.panel.log(_("Added to the training set as {name}.").format(name=name))

    # Showing

    def _decided(self):
        item = self.review.item
        self.panel.log(f"{item.case}: {DECISIONS[item.review]}")
        if item.review == CORRECTED and item.error:
            # Not all of the study was released: the case stays in view, with its error.
            return
        following = self._neighbour(next_open)
        if following is not None:
            self._show(following)

    def _show(self, item):
        if item is None:
            return
        self.panel.preview_section.hide()
        try:
            with slicer.util.WaitCursor():
                self.review.show(item)
        finally:
            self.panel.parameters.inputVolume = self.review.volume
            self.panel.update()
            self.review.read_ahead(self._neighbour(next_item) or self._neighbour(next_open))
        checks = self.review.checks()
        if checks and self.review.segmentation is not None:
            self.panel.checks_section.show(checks, chosen_fill(self.panel.parameters))

    def _ready(self):
        """The reason why the case cannot be corrected, or an empty text."""
        if self.review.volume is None:
            return _("The case could not be read.")
        return "" if self.panel.segmentation is not None else _("Segment or draw the face first.")

    def _list_filters(self):
        box = self.ui.reviewFilterComboBox
        box.clear()
        queue = self.review.queue
        for text, key in (
            (_("All cases"), ALL),
            (_("Not reviewed yet"), OPEN),
            (_("Blocked or failed"), NOT_RELEASED),
            (_("With a warning"), WARNED),
        ):
            box.addItem(text, key)
        for name, count in failed_checks(queue).items():
            box.addItem(_("Failed: {check} ({count})").format(check=TITLES[name], count=count), "failed:" + name)
        for name, count in warned_checks(queue).items():
            box.addItem(_("Warned: {check} ({count})").format(check=TITLES[name], count=count), "warned:" + name)

    def _shown(self):
        """Items that the filter lets through."""
        box = self.ui.reviewFilterComboBox
        queue, key = self.review.queue, box.itemData(box.currentIndex)
        if key == OPEN:
            return filtered(queue, open_only=True)
        if key == NOT_RELEASED:
            return [item for item in queue if item.status in ("blocked", "failed")]
        if key == WARNED:
            return [item for item in queue if item.warned_checks]
        if key in (None, ALL):
            return queue
        verdict, _colon, check = key.partition(":")
        return filtered(queue, **{verdict: check})

    def _text(self):
        if not self.review.manifest:
            return _("Open the folder <output>-hospital-only of a finished batch.")
        done, count = reviewed(self.review.queue)
        text = _("{done} of {count} reviewed.").format(done=done, count=count)
        item = self.review.item
        if item is None:
            return text
        shown = self._shown()
        place = f"{shown.index(item) + 1}/{len(shown)}  " if item in shown else ""
        text = f"{place}{item.case}: {DECISIONS.get(item.review) or STATES[item.status]}. {text}"
        return f"{text}\n{item.error}" if item.error else text

"""Shows the original, the mask or the defaced volume, or two of them: a button for each, and one key that steps through
single ones."""

import qt
import slicer

from ...errors import MaskError
from ..background import Later, disturbing
from ..scene.preview import SIDE_BY_SIDE, STATES
from ..texts import _
from .parameters import chosen_fill
from .section import errors_shown, no_mask, no_volume, switch

KEY = "Alt+P"
# Strokes of a brush follow each other more quickly.
DELAY_MS = 800
# States that show what an edit changes.
FOLLOWING = ("mask", "defaced", SIDE_BY_SIDE)


class PreviewSection:
    """The buttons of the preview and of its camera; ``state`` what is shown, or None."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.buttons = dict(zip(STATES, (self.ui.originalButton, self.ui.maskButton, self.ui.defacedButton)))
        for state, button in self.buttons.items():
            button.connect("clicked(bool)", lambda _checked=False, state=state: self.toggle(state))
        self.ui.sideBySideButton.connect("clicked(bool)", lambda _checked=False: self.toggle(SIDE_BY_SIDE))
        self.ui.frontButton.connect("clicked(bool)", lambda _checked=False: self.look("front"))
        self.ui.obliqueButton.connect("clicked(bool)", lambda _checked=False: self.look("oblique"))
        # Every edit starts it again, so that the preview follows a quick series of edits once.
        self._delay = qt.QTimer()
        self._delay.setSingleShot(True)
        self._delay.setInterval(DELAY_MS)
        self._delay.connect("timeout()", self._follow)
        self._renewing = Later()
        self._shortcut = None

    @property
    def state(self):
        return self.panel.logic.preview.state

    def update(self):
        tips = {
            "original": _("Show the CT-Muscle rendering of the volume as it is."),
            "mask": _("Show the rendering with the face mask."),
            "defaced": _("Show the rendering of what would be exported."),
        }
        for state, button in self.buttons.items():
            switch(
                button,
                no_volume(self.panel) if state == "original" else no_mask(self.panel),
                tips[state] + " " + _("Key: {key}").format(key=KEY),
            )
            button.checked = self.state == state
        side = self.ui.sideBySideButton
        switch(
            side,
            no_mask(self.panel),
            _("Show the original and what would be exported beside each other; the cameras are linked."),
        )
        side.checked = self.state == SIDE_BY_SIDE
        self.panel.refine_section.editor.brush_views.preview_is_shown(self.state is not None)
        why_off = no_volume(self.panel)
        switch(self.ui.frontButton, why_off, _("Look at the face from the front."))
        switch(self.ui.obliqueButton, why_off, _("Look at the face from the side and above."))

    def toggle(self, state):
        """Show ``state``, or hide the preview when it is shown already."""
        with errors_shown(self.panel):
            if self.state == state:
                self.hide()
            else:
                self._show(state)
        self.panel.update()

    def look(self, name):
        """Turn the camera of the preview to 'front' or 'oblique'; show one first if there is none."""
        with errors_shown(self.panel):
            if self.state is None:
                self._show("defaced" if self.ui.defacedButton.enabled else "original")
            self.panel.logic.preview.look(name)
        self.panel.update()

    def next(self):
        """Show the next state that can be shown; the first one follows the last."""
        possible = [state for state, button in self.buttons.items() if button.enabled]
        if possible:
            index = possible.index(self.state) + 1 if self.state in possible else 0
            with errors_shown(self.panel):
                self._show(possible[index % len(possible)])
            self.panel.update()

    def hide(self):
        """Bring back the user's own view."""
        self._delay.stop()
        self._renewing.drop()
        self.panel.logic.hidePreview()
        self.update()

    def mask_changed(self):
        """The mask was edited: update the preview when the user pauses, if it is to follow."""
        self._renewing.drop()
        if self.state in FOLLOWING and self.panel.parameters and self.panel.parameters.followEdits:
            self._delay.start()

    def enter(self):
        window = slicer.util.mainWindow() or self.panel.parent
        self._shortcut = qt.QShortcut(qt.QKeySequence(KEY), window)
        self._shortcut.connect("activated()", self.next)

    def leave(self):
        if self._shortcut is not None:
            self._shortcut.disconnect("activated()", self.next)
            self._shortcut.setParent(None)
            self._shortcut.deleteLater()
            self._shortcut = None
        self.hide()

    def close(self):
        self._delay.stop()
        self._delay.disconnect("timeout()", self._follow)
        self._renewing.drop()

    def _show(self, state):
        self._renewing.drop()
        with slicer.util.WaitCursor():
            self.panel.logic.showPreview(self.panel.volume, self.panel.segmentation, state, chosen_fill(self.panel.parameters))
        if state != "original":
            self.panel.steps_row.looked()

    def _follow(self):
        if disturbing():
            self._delay.start()
        elif self.state in FOLLOWING and self.panel.volume is self.panel.logic.preview.volume:
            try:
                work, put = self.panel.logic.renewPreview(self.panel.segmentation, chosen_fill(self.panel.parameters))
            except MaskError as error:
                # Everything was erased, which is no reason to interrupt the person who draws.
                self.panel.log(str(error))
                return
            self._renewing.start(work, put)

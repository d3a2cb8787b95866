"""The Segment Editor on the face mask, and quick actions that the editor can undo."""

import qt

from ..scene.editor import FaceEditor
from ..scene.narrow_editor import options_of
from ..texts import _
from .open_sections import scroll_to
from .section import errors_shown, no_mask, switch


class RefineSection:
    """The embedded ``editor``, and a button for each quick action."""

    def __init__(self, panel):
        self.panel = panel
        # The options have their height only after the editor has laid them out.
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.connect("timeout()", self._show_options)
        self.editor = FaceEditor(effect_chosen=self._later.start)
        panel.ui.editorPlace.layout().addWidget(self.editor.widget)
        logic = panel.logic
        self._actions = {
            panel.ui.growButton: (logic.growMask, _("Grow the mask by 1 mm, at least by one voxel.")),
            panel.ui.shrinkButton: (
                lambda v, s: logic.growMask(v, s, -1.0),
                _("Shrink the mask by 1 mm, at least by one voxel."),
            ),
            panel.ui.islandButton: (logic.keepLargestIsland, _("Keep the largest connected piece only.")),
            panel.ui.boneButton: (logic.excludeBone, _("Take bone and teeth (above 300 HU) out of the mask.")),
            panel.ui.restoreButton: (logic.restoreModelMask, _("Undo all edits: the mask as the model proposed it.")),
        }
        for button, (action, _tip) in self._actions.items():
            button.connect("clicked(bool)", lambda _checked=False, action=action: self._do(action))

    def update(self):
        why_off = no_mask(self.panel)
        for button, (_action, tip) in self._actions.items():
            switch(button, why_off, tip)
        self.editor.widget.enabled = not why_off

    def edit(self, segmentation, volume):
        """Offer ``segmentation`` (None: nothing) in the editor."""
        self.editor.edit(segmentation, volume)

    def keep(self, segmentation, volume):
        """Offer them again if the editor has let go of them or of the segment; a segment that is chosen in it stays."""
        if segmentation is not None and not self.editor.edits(segmentation):
            self.editor.edit(segmentation, volume)

    def close(self):
        """The panel is destroyed."""
        self._later.stop()
        self._later.disconnect("timeout()", self._show_options)
        self.editor.close()

    def _show_options(self):
        """On a small screen the options of an effect lie below what is in view."""
        options = options_of(self.editor.widget)
        if options is not None:
            scroll_to(options)

    def _do(self, action):
        with errors_shown(self.panel):
            self.editor.save_for_undo()
            action(self.panel.volume, self.panel.segmentation)
            self.panel.steps_row.looked()
            self.panel.mask_changed()

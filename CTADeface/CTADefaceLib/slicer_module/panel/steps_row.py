"""The row that shows where the case stands, the sentence that says what to do next, and the sections that follow."""

import qt

from ..export import node_export
from ..scene import face_segment
from ..texts import _
from .case_steps import (
    CURRENT,
    DONE,
    FAILED,
    LOOK,
    MASK,
    STEPS,
    TO_DO,
    Standing,
    current_step,
    next_action,
    step_states,
)
from .marks import mark
from .open_sections import OpenSections
from .parameters import chosen_fill

DELAY_MS = 300


class StepsRow:
    """The buttons of the steps, which open the sections; ``standing()`` of the present case."""

    def __init__(self, panel):
        ui = panel.ui
        self.panel = panel
        self._buttons = dict(zip(STEPS, (ui.maskStep, ui.lookStep, ui.fillStep, ui.checkStep, ui.exportStep)))
        sections = (ui.segmentSection, ui.lookSection, ui.fillSection, ui.checksSection, ui.exportSection)
        self.sections = OpenSections(dict(zip(self._buttons, sections)), lingering=LOOK)
        for step, button in self._buttons.items():
            button.connect("clicked(bool)", lambda _checked=False, step=step: self.sections.open_by_hand(step))
        # IDs of segmentations whose present mask a person has seen, and (ID, stamp) -> has the mask voxels.
        self._looked, self._voxels = set(), {}
        self._volume = None
        # A brush reports every stroke, and must not wait for this row.
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.setInterval(DELAY_MS)
        self._later.connect("timeout()", self.update)

    def update_soon(self):
        """The mask was edited: bring the row up to date in a moment."""
        self._later.start()

    def update(self):
        if self.panel.volume is not self._volume:
            self._volume = self.panel.volume
            self.sections.forget()
        case = self.standing()
        words = {DONE: _("done"), CURRENT: _("next"), TO_DO: _("to do"), FAILED: _("failed")}
        for step, state in step_states(case).items():
            button = self._buttons[step]
            button.setIcon(mark(state))
            text = f"{button.text}: {words[state]}"
            button.toolTip = text + ". " + _("A click opens this step.")
            button.accessibleName = text
        self.panel.ui.nextLabel.text = next_action(case)
        self.sections.follow(current_step(case) or (MASK if not case.volume else None))

    def standing(self):
        """The ``Standing`` of the present case."""
        panel = self.panel
        segmentation, checks = panel.segmentation, panel.checks_section
        if panel.volume is None:
            return Standing()
        running = panel.segment_section.job is not None
        if segmentation is None:
            return Standing(volume=True, running=running)
        fill = chosen_fill(panel.parameters)
        return Standing(
            volume=True,
            running=running,
            drawn=True,
            mask=self._has_voxels(segmentation),
            looked=segmentation.GetID() in self._looked,
            filled=node_export.is_current(segmentation, fill),
            checked=checks.checks is not None,
            failed=len(checks.open_failures()),
            warned=len(checks.warnings()),
            exported=panel.export_section.is_exported(segmentation, fill),
        )

    def looked(self):
        """A person has seen or corrected the present mask."""
        if self.panel.segmentation is not None:
            self._looked.add(self.panel.segmentation.GetID())

    def proposed(self, segmentation):
        """The mask of ``segmentation`` is new: nobody has seen it yet."""
        self._looked.discard(segmentation.GetID())

    def scene_closes(self):
        """IDs will be given again."""
        self._looked, self._voxels, self._volume = set(), {}, None
        self.sections.forget()

    def close(self):
        """The panel is destroyed."""
        self._later.stop()
        self._later.disconnect("timeout()", self.update)
        self.sections.close()

    def _has_voxels(self, segmentation):
        key = segmentation.GetID(), face_segment.mask_stamp(segmentation)
        if key not in self._voxels:
            self._voxels = {key: face_segment.has_voxels(segmentation)}
        return self._voxels[key]

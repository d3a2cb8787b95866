"""One button for the common case: mask, fill, checks; it stops where a person must look, and never exports."""

from ...checks.check import FAIL, WARN
from ..shared_worker import redraw
from ..texts import _
from .case_steps import CHECK
from .section import errors_shown, no_volume, switch


class DefaceSection:
    """The button "Deface", which is "Cancel" while the mask is being made."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.ui.defaceButton.connect("clicked(bool)", self._on_deface)

    def update(self):
        running = self.panel.segment_section.job is not None
        self.ui.defaceButton.text = _("Cancel") if running else _("Deface")
        tip = (
            _("Stop at once; the scene stays as it was.")
            if running
            else _(
                "Make the mask, unless there is one, fill the face and check the result. It stops where you must look, and "
                "never exports by itself."
            )
        )
        switch(self.ui.defaceButton, no_volume(self.panel), tip)

    def _on_deface(self, *_checked):
        segmenting = self.panel.segment_section
        if segmenting.job is not None:
            segmenting.cancel()
        elif self.panel.steps_row.standing().mask:
            self._fill_and_check()
        else:
            segmenting.segment(then=self._fill_and_check)

    def _fill_and_check(self):
        before = self.ui.statusLabel.text
        with errors_shown(self.panel):
            self._say(_("Filling the face..."))
            self.panel.export_section.apply()
            self._say(_("Checking..."))
            self.panel.checks_section.run()
            self.panel.update()
            self._point_at_the_worst()
        self.ui.statusLabel.text = before
        self.panel.update()

    def _point_at_the_worst(self):
        """Show the first check that failed, else the first that warns, and its place."""
        checks = self.panel.checks_section
        worst = next((check for verdict in (FAIL, WARN) for check in checks.checks if check.verdict == verdict), None)
        if worst is None:
            self.panel.log(_("Defaced, and every check passed. Look at it, then export."))
            return
        self.panel.log(_("Look at this check before you export: {title}.").format(title=checks.title(worst)))
        self.panel.steps_row.sections.open(CHECK)
        checks.select(worst)

    def _say(self, text):
        self.ui.statusLabel.text = text
        redraw()

"""A mark for each check; a click on a check shows its place, and a reason overrides it."""

import qt
import slicer

from ...checks.check import WARN, failed, number_text, stops
from ..scene import kept_segments, slice_views
from ..texts import _
from .check_titles import TITLES, VERDICTS
from .marks import mark
from .parameters import chosen_fill
from .section import errors_shown, no_mask, switch


class ChecksSection:
    """``checks`` of the present mask, fill and kept segments, None when those have changed since; ``overrides`` check ->
    reason."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.checks, self.overrides = None, {}
        self._fill = self._state = None
        table = self.ui.checksTable
        table.setColumnCount(2)
        table.setHorizontalHeaderLabels([_("Check"), _("Number")])
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        table.connect("cellClicked(int,int)", self._on_click)
        table.connect("itemSelectionChanged()", self.update)
        self.ui.checkButton.connect("clicked(bool)", self._on_check)
        self.ui.overrideButton.connect("clicked(bool)", self._on_override)
        self.ui.reasonEdit.connect("textChanged(QString)", lambda _text: self.update())

    def update(self):
        switch(self.ui.checkButton, no_mask(self.panel), _("Check the mask and what would be exported."))
        if self.checks is not None and self._is_outdated():
            self.forget()
        check = self._selected()
        chosen = check is not None and stops(check, self.panel.review_section.strict)
        why_off = "" if chosen else _("Choose a failed check in the table first.")
        if not why_off and not self.ui.reasonEdit.text.strip():
            why_off = _("Type a reason first; it goes into the record.")
        switch(self.ui.overrideButton, why_off, _("Export in spite of the chosen check; the reason goes into the record."))
        self.ui.checksLabel.text = self._summary()
        self.ui.checkTextLabel.text = self._text(check) if check is not None else ""

    def show(self, checks, fill):
        """Fill the table with ``checks``, made with ``fill``."""
        self.checks, self._fill = list(checks), fill
        self._state = kept_segments.case_state(self.panel.segmentation)
        table = self.ui.checksTable
        table.setRowCount(len(self.checks))
        for row, check in enumerate(self.checks):
            number = number_text(check.value, check.unit)
            reason = self.overrides.get(check.name)
            text = self._text(check)
            for column, words in enumerate((self.title(check), number)):
                item = qt.QTableWidgetItem(words)
                item.setToolTip(f"{VERDICTS[check.verdict]}: {text}")
                if column == 0:
                    item.setIcon(mark(WARN if reason else check.verdict))
                table.setItem(row, column, item)
        table.resizeColumnToContents(0)
        self.update()

    def forget(self):
        """The mask, the fill or what is kept has changed: drop the checks and all reasons, which no longer hold."""
        self.checks, self.overrides, self._fill, self._state = None, {}, None, None
        self.ui.checksTable.setRowCount(0)

    def _is_outdated(self):
        if no_mask(self.panel) or self._fill != chosen_fill(self.panel.parameters):
            return True
        return self._state != kept_segments.case_state(self.panel.segmentation)

    def mask_changed(self):
        self.forget()
        self.update()

    def run(self):
        """Check the present mask and what would be exported. Raises: what ``runChecks`` raises."""
        fill = chosen_fill(self.panel.parameters)
        with slicer.util.WaitCursor():
            checks = self.panel.logic.runChecks(
                self.panel.volume, self.panel.segmentation, fill, self.ui.identityCheckBox.checked
            )
        self.show(checks, fill)

    def open_failures(self):
        """Checks that stop the export, without a reason that overrides them."""
        return failed(self.checks or [], self.overrides, self.panel.review_section.strict)

    def warnings(self):
        """Checks that warn."""
        return [check for check in self.checks or [] if check.verdict == WARN]

    def select(self, check):
        """Choose ``check`` in the table and show its place."""
        row = self.checks.index(check)
        self.ui.checksTable.selectRow(row)
        self._jump(row)

    def title(self, check):
        """The check's name in the user's language."""
        return TITLES[check.name]

    def _text(self, check):
        """What was seen, after the reason that overrides it."""
        reason = self.overrides.get(check.name)
        return check.text if reason is None else _("Overridden: {reason}").format(reason=reason) + " " + check.text

    def _summary(self):
        if self.checks is None:
            return _("Not checked yet; export checks too.")
        count = len(self.open_failures())
        if count:
            return _("Failed checks: {count}. Correct the mask, or override each with a reason.").format(count=count)
        return _("May be exported.")

    def _selected(self):
        row = self.ui.checksTable.currentRow()
        return self.checks[row] if self.checks and 0 <= row < len(self.checks) else None

    def _on_check(self, *_checked):
        with errors_shown(self.panel):
            self.run()
        self.panel.update()

    def _on_click(self, row, _column):
        self._jump(row)

    def _jump(self, row):
        place = self.checks[row].place if self.checks and row < len(self.checks) else None
        if place is not None:
            slice_views.jump_to(self.panel.volume, place)

    def _on_override(self, *_checked):
        check = self._selected()
        self.overrides[check.name] = self.ui.reasonEdit.text.strip()
        self.panel.log(_("Overridden: {check}, because: {reason}").format(check=check.name, reason=self.overrides[check.name]))
        self.ui.reasonEdit.text = ""
        self.show(self.checks, self._fill)
        self.panel.update()

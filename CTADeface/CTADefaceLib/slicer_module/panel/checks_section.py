"""A traffic light for each check; a click on a check shows its place, and a reason overrides it."""

import qt
import slicer

from ...checks.check import FAIL, PASS, SKIP, WARN, number_text
from ..scene import slice_views
from ..texts import _
from .parameters import chosen_fill
from .section import errors_shown, no_mask, switch

LIGHTS = {PASS: "#2e7d32", WARN: "#f9a825", FAIL: "#c62828", SKIP: "#9e9e9e"}
LIGHT_PIXELS = 12


class ChecksSection:
    """``checks`` of the present mask and fill, None when those have changed since; ``overrides`` check -> reason."""

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        self.checks, self.overrides = None, {}
        self._fill = None
        table = self.ui.checksTable
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Check"), _("Number"), _("What was seen")])
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        table.connect("cellClicked(int,int)", self._on_click)
        table.connect("itemSelectionChanged()", self.update)
        self.ui.checkButton.connect("clicked(bool)", self._on_check)
        self.ui.overrideButton.connect("clicked(bool)", self._on_override)
        self.ui.reasonEdit.connect("textChanged(QString)", lambda _text: self.update())

    def update(self):
        switch(self.ui.checkButton, no_mask(self.panel), _("Check the mask and what would be exported."))
        if self.checks is not None and (no_mask(self.panel) or self._fill != chosen_fill(self.panel.parameters)):
            self.forget()
        check = self._selected()
        why_off = "" if check is not None and check.verdict == FAIL else _("Choose a failed check in the table first.")
        if not why_off and not self.ui.reasonEdit.text.strip():
            why_off = _("Type a reason first; it goes into the record.")
        switch(self.ui.overrideButton, why_off, _("Export in spite of the chosen check; the reason goes into the record."))
        self.ui.checksLabel.text = self._summary()

    def show(self, checks, fill):
        """Fill the table with ``checks``, made with ``fill``."""
        self.checks, self._fill = list(checks), fill
        table = self.ui.checksTable
        table.setRowCount(len(self.checks))
        for row, check in enumerate(self.checks):
            number = number_text(check.value, check.unit)
            reason = self.overrides.get(check.name)
            text = check.text if reason is None else _("Overridden: {reason}").format(reason=reason) + " " + check.text
            for column, words in enumerate((_(check.title), number, text)):
                item = qt.QTableWidgetItem(words)
                item.setToolTip(f"{_(check.verdict)}: {text}")
                if column == 0:
                    item.setIcon(_light(WARN if reason else check.verdict))
                table.setItem(row, column, item)
        table.resizeColumnToContents(0)
        table.resizeColumnToContents(1)
        self.update()

    def forget(self):
        """The mask or the fill has changed: drop the checks and all reasons, which no longer hold."""
        self.checks, self.overrides, self._fill = None, {}, None
        self.ui.checksTable.setRowCount(0)

    def mask_changed(self):
        self.forget()
        self.update()

    def _summary(self):
        if self.checks is None:
            return _("Not checked yet; export checks too.")
        failed = [check for check in self.checks if check.verdict == FAIL and check.name not in self.overrides]
        if failed:
            return _("{count} checks failed: correct the mask, or override each with a reason.").format(count=len(failed))
        return _("May be exported.")

    def _selected(self):
        row = self.ui.checksTable.currentRow()
        return self.checks[row] if self.checks and 0 <= row < len(self.checks) else None

    def _on_check(self, *_checked):
        with errors_shown(self.panel), slicer.util.WaitCursor():
            fill = chosen_fill(self.panel.parameters)
            self.show(
                self.panel.logic.runChecks(self.panel.volume, self.panel.segmentation, fill, self.ui.identityCheckBox.checked),
                fill,
            )
        self.update()

    def _on_click(self, row, _column):
        place = self.checks[row].place if self.checks and row < len(self.checks) else None
        if place is not None:
            slice_views.jump_to(self.panel.volume, place)

    def _on_override(self, *_checked):
        check = self._selected()
        self.overrides[check.name] = self.ui.reasonEdit.text.strip()
        self.panel.log(_("Overridden: {check}, because: {reason}").format(check=check.name, reason=self.overrides[check.name]))
        self.ui.reasonEdit.text = ""
        self.show(self.checks, self._fill)


def _light(verdict):
    picture = qt.QPixmap(LIGHT_PIXELS, LIGHT_PIXELS)
    picture.fill(qt.QColor(LIGHTS[verdict]))
    return qt.QIcon(picture)

"""Fits Slicer's Segment Editor into a panel that is narrower than Slicer's own module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt

if TYPE_CHECKING:
    from slicer import qMRMLSegmentEditorWidget as EditorWidget

COLUMNS = 5
# Names in Slicer's form of the editor.
EFFECTS_AND_OPTIONS, EFFECTS_AND_UNDO = "horizontalLayout", "verticalLayout_3"
OPTIONS, HELP = "OptionsGroupBox", "EffectHelpBrowser"


def make_narrow(widget: EditorWidget) -> None:
    """Put the effects of an editor's ``widget`` above the options of the chosen one, which then have the whole width, and the
    help below the options.

    Beside the effects the panel cuts off boxes of Paint and Erase. What a Slicer arranges otherwise stays as it is there.
    """
    widget.effectColumnCount = COLUMNS
    widget.layout().setContentsMargins(0, 0, 0, 0)
    for name, direction in (
        (EFFECTS_AND_OPTIONS, qt.QBoxLayout.TopToBottom),
        (EFFECTS_AND_UNDO, qt.QBoxLayout.LeftToRight),
    ):
        layout = widget.findChild(qt.QBoxLayout, name)
        if layout is not None:
            layout.setDirection(direction)
    options, help_text = options_of(widget), widget.findChild(qt.QWidget, HELP)
    if options is not None and help_text is not None:
        options.layout().removeWidget(help_text)
        options.layout().addWidget(help_text)


def options_of(widget: EditorWidget) -> qt.QWidget | None:
    """The box that holds the options of the chosen effect."""
    return widget.findChild(qt.QWidget, OPTIONS)

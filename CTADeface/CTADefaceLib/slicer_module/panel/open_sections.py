"""Sections that open and close as the work goes on, and stay as the user left them."""

import qt


class OpenSections:
    """``sections`` step -> collapsible button. One that the user opened or closed is left alone until ``forget``.

    The section of the step ``lingering`` stays open for one step more: the person is still looking there.
    """

    def __init__(self, sections, lingering):
        self._sections, self._lingering = sections, lingering
        self._moving = False
        self._left_alone, self._step, self._slots = set(), None, {}
        for step, section in sections.items():
            self._slots[step] = lambda _collapsed=False, step=step: self._on_moved(step)
            section.connect("contentsCollapsed(bool)", self._slots[step])
        # A section has its height only after the window was laid out.
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.connect("timeout()", self._scroll)

    def follow(self, step):
        """The work has come to ``step``: open its section and close the others; None leaves all as they are."""
        if step is None or step == self._step:
            return
        lingers = self._step == self._lingering
        self._step = step
        for other in self._sections:
            self._move(other, collapsed=other != step and not (lingers and other == self._lingering))
        if not lingers:
            self._later.start()

    def open(self, step):
        """Open the section of ``step`` beside those that are open, for something to be seen there."""
        self._move(step, collapsed=False)

    def open_by_hand(self, step):
        """The user asks for the section of ``step``."""
        self._left_alone.add(step)
        self._sections[step].collapsed = False
        self._step = step
        self._later.start()

    def forget(self):
        """Another case: sections may be moved again."""
        self._left_alone, self._step = set(), None

    def close(self):
        """The panel is destroyed."""
        self._later.stop()
        self._later.disconnect("timeout()", self._scroll)
        for step, section in self._sections.items():
            section.disconnect("contentsCollapsed(bool)", self._slots[step])

    def _move(self, step, collapsed):
        if step not in self._left_alone and self._sections[step].collapsed != collapsed:
            self._moving = True
            self._sections[step].collapsed = collapsed
            self._moving = False

    def _on_moved(self, step):
        if not self._moving:
            self._left_alone.add(step)

    def _scroll(self):
        """Bring the present section into view in the scroll area that holds the panel."""
        if self._step:
            section = self._sections[self._step]
            area = scroll_to(section)
            if area is not None:
                # The upper part of one that is higher than the area.
                area.ensureVisible(0, section.y, 0, 0)


def scroll_to(widget):
    """Bring a ``widget`` into view in the scroll area that holds it; returns the area, None when there is none."""
    area = widget
    while area is not None and area.className() != "QScrollArea":
        area = area.parentWidget()
    if area is not None:
        area.ensureWidgetVisible(widget)
    return area

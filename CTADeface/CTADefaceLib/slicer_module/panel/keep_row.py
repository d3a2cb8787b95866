"""The row "Keep": a person ticks segments of the scene that are never filled, such as orbits or target volumes."""

import qt
import slicer

from ..scene import kept_segments
from ..texts import _
from .section import errors_shown, no_volume, switch

# Longer lists of names are counted in the button, whose tooltip names them all.
MOST_LETTERS = 36
# Room for a scroll bar.
MARGIN = 20


class KeepRow:
    """The button that says what is kept, and its menu with a box for each segment that could be."""

    def __init__(self, panel):
        self.panel, self.button = panel, panel.ui.keepButton
        # What is kept belongs to the face segmentation, before there is one to the volume: ID of that node, its state.
        self._owner = self._state = None
        self._watched = []
        # What the menu holds since it was opened: (segmentation node, ID of its segment, box), and "Keep nothing".
        self._boxes, self._nothing = [], None
        self._menu = qt.QMenu(self.button)
        self._menu.connect("aboutToShow()", self._offer)
        self.button.setMenu(self._menu)

    def update(self):
        """Say what is kept now, and tell the other parts when that has changed."""
        owner = self._noted_on()
        self._watch(owner)
        before, self._owner = self._owner, owner.GetID() if owner is not None else None
        state, self._state = self._state, kept_segments.kept_state(owner) if owner is not None else None
        self._say(owner)
        if self._owner == before and self._state != state:
            # The checks section sees for itself that its checks are outdated.
            self.panel.preview_section.mask_changed()

    def close(self):
        """The panel is destroyed."""
        self._menu.disconnect("aboutToShow()", self._offer)

    def _noted_on(self):
        return self.panel.segmentation or self.panel.volume

    def _say(self, owner):
        noted, gone = kept_segments.noted_and_gone(owner) if owner is not None else ([], [])
        names = [node.GetSegmentation().GetSegment(segment).GetName() for node, segment in noted]
        switch(self.button, no_volume(self.panel), self._tip(names, gone))
        text = ", ".join(names)
        if gone:
            text = _("No longer in the scene: {names}").format(names=", ".join(gone))
        elif not names:
            text = _("nothing")
        elif len(text) > MOST_LETTERS:
            text = _("Segments: {count}").format(count=len(names))
        # Qt takes a single ampersand for a shortcut.
        self.button.text = text.replace("&", "&&")
        self.button.accessibleName = _("Keep: {what}").format(what=text)

    def _tip(self, names, gone):
        if gone:
            text = _("To be kept, but no longer in the scene: {names}. Choose again what is kept.")
            return text.format(names=", ".join(gone))
        if names:
            return _("Never filled: {names}").format(names=", ".join(names))
        return _("Choose segments that are never filled, such as orbits, lymph nodes or target volumes.")

    def _offer(self):
        """Fill the menu with the segments that are in the scene now."""
        self._menu.clear()
        self._boxes = []
        owner = self._noted_on()
        noted, gone = kept_segments.noted_and_gone(owner)
        self._nothing = qt.QAction(_("Keep nothing"), self._menu)
        self._nothing.enabled = bool(noted or gone)
        self._nothing.connect("triggered(bool)", lambda _checked=False: self._keep([]))
        self._menu.addAction(self._nothing)
        self._menu.addSeparator()
        groups = kept_segments.segments_to_choose()
        if not groups:
            none = qt.QAction(_("The scene has no segments but faces; load or draw some."), self._menu)
            none.enabled = False
            self._menu.addAction(none)
            return
        action = qt.QWidgetAction(self._menu)
        # Held here until the menu holds it: PythonQt deletes a widget that has no parent and no name.
        boxes = self._list(groups, noted)
        action.setDefaultWidget(boxes)
        self._menu.addAction(action)

    def _list(self, groups, noted):
        """A widget with a box for each segment: a click on one, unlike on an action, leaves the menu open."""
        inside = qt.QWidget()
        layout = qt.QVBoxLayout(inside)
        layout.setContentsMargins(6, 2, MARGIN, 2)
        for node, segments in groups:
            heading = qt.QLabel(node.GetName())
            heading.textFormat = qt.Qt.PlainText
            font = heading.font
            font.setBold(True)
            heading.font = font
            layout.addWidget(heading)
            for segment in segments:
                name = node.GetSegmentation().GetSegment(segment).GetName()
                box = qt.QCheckBox(name.replace("&", "&&"))
                box.checked = (node, segment) in noted
                box.connect("toggled(bool)", lambda _on: self._keep_ticked())
                layout.addWidget(box)
                self._boxes.append((node, segment, box))
        area = qt.QScrollArea()
        area.widgetResizable = True
        area.minimumWidth = self.button.width
        area.horizontalScrollBarPolicy = qt.Qt.ScrollBarAlwaysOff
        area.frameShape = qt.QFrame.NoFrame
        area.setWidget(inside)
        return area

    def _keep_ticked(self):
        ticked = [(node, segment) for node, segment, box in self._boxes if box.checked]
        self._nothing.enabled = bool(ticked)
        self._keep(ticked)

    def _keep(self, segments):
        with errors_shown(self.panel):
            self.panel.logic.keepSegments(self._noted_on(), segments)
        self.panel.update()

    def _watch(self, owner):
        """Follow the segmentations whose segments are kept."""
        noted = kept_segments.noted_and_gone(owner)[0] if owner is not None else []
        wanted = list(dict.fromkeys(node for node, _segment in noted))
        kinds = slicer.vtkSegmentation
        events = (
            kinds.SegmentModified,
            kinds.SegmentRemoved,
            kinds.SourceRepresentationModified,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
        )
        for nodes, react in ((self._watched, self.panel.removeObserver), (wanted, self.panel.addObserver)):
            for node in nodes:
                if (node in self._watched) != (node in wanted):
                    for event in events:
                        react(node, event, self._on_segments)
        self._watched = wanted

    def _on_segments(self, caller=None, event=None):
        """A kept segment was edited, renamed, moved or removed; a brush reports every stroke, and must not wait."""
        owner = self._noted_on()
        if owner is None:
            return
        kept_segments.note_names(owner)
        self._say(owner)
        state = kept_segments.kept_state(owner)
        if state != self._state:
            self._state = state
            self.panel.preview_section.mask_changed()
            self.panel.checks_section.mask_changed()
            self.panel.steps_row.update_soon()

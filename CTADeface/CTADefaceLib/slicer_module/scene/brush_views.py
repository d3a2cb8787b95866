"""Keeps a brush out of the 3D views while the preview is in them.

Segment Editor's brushes draw their cursor in each view that shows the segmentation. In a 3D view the whole rendering is
then drawn anew with every movement of the mouse, without a graphics card in a tenth of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from slicer import qMRMLSegmentEditorWidget as EditorWidget
    from slicer import vtkMRMLSegmentationDisplayNode as DisplayNode

BRUSHES = ("Paint", "Erase")
# Parameter of the brushes: the user asks to paint in 3D views too.
IN_3D = "EditIn3DViews"


class BrushViews:
    """While ``preview`` is True and a brush is in hand, the segmentation of an editor's ``widget`` is shown in slices only."""

    def __init__(self, widget: EditorWidget) -> None:
        self._widget, self._preview = widget, False
        # The display that is kept to the slices, and the views that it had before.
        self._kept: tuple[DisplayNode, list[str]] | None = None

    def preview_is_shown(self, shown: bool) -> None:
        """Say whether the preview is in the 3D views."""
        self._preview = shown
        self.update()

    def update(self) -> None:
        """Another effect, another option of it, or another segmentation was chosen in the editor."""
        wanted = self._wanted()
        if self._kept is not None and self._kept[0] is not wanted:
            self._give_back()
        if wanted is not None and self._kept is None:
            self._kept = wanted, [wanted.GetNthViewNodeID(i) for i in range(wanted.GetNumberOfViewNodeIDs())]
            _show_in(wanted, [node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")])

    def _wanted(self) -> DisplayNode | None:
        """The display that is to be kept to the slices."""
        node = self._widget.mrmlSegmentEditorNode()
        if not self._preview or node is None or node.GetActiveEffectName() not in BRUSHES:
            return None
        segmentation = node.GetSegmentationNode()
        in_3d = (node.GetAttribute(IN_3D) or "0") != "0"
        return None if in_3d or segmentation is None else segmentation.GetDisplayNode()

    def _give_back(self) -> None:
        assert self._kept is not None
        display, views = self._kept
        self._kept = None
        if slicer.mrmlScene.IsNodePresent(display):
            _show_in(display, views)
            # The editor looks for views to work in when an effect is chosen, which was before.
            if self._widget.activeEffect() is not None:
                self._widget.setupViewObservations()


def _show_in(display: DisplayNode, views: list[str]) -> None:
    with slicer.util.NodeModify(display):
        display.RemoveAllViewNodeIDs()
        for view in views:
            display.AddViewNodeID(view)

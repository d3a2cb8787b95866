"""What the user had on the screen before the preview: layout, camera, renderings; noted and brought back."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import slicer

from ..texts import _
from .application import layout_manager
from .cameras import camera_of, camera_settings, set_camera

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode as DisplayNode
    from slicer import vtkMRMLLayoutNode as LayoutNode
    from slicer import vtkMRMLViewNode as ViewNode

# Number of our layout, and layout names of its views; no other layout has them.
SIDE_BY_SIDE = 57110
BEFORE, AFTER = "CTADefaceBefore", "CTADefaceAfter"
# Two, because the bars of three slice views in a row are wider than a small screen beside the panel.
SLICES = (("Red", "Axial", "#F34A33"), ("Yellow", "Sagittal", "#EDD54C"))
LOOK = ("BoxVisible", "AxisLabelsVisible", "BackgroundColor", "BackgroundColor2")


class UsersView:
    """Notes the state on creation, opens a layout with a 3D view if there is none, hides other renderings.

    ``view`` is the 3D view's node and ``camera`` its camera node. Raises: RuntimeError without any 3D view.
    """

    def __init__(self) -> None:
        layout = _layout_node()
        self._arrangement = _arrangement(layout) if layout is not None else None
        self._changed = False
        self.one_view()
        self.view = _shown_view() or _first_view()
        self.camera = camera_of(self.view)
        self._camera = camera_settings(self.camera)
        self._shown = {node: _visibility(node) for node in _displays()}
        for node in self._shown:
            if node.IsA("vtkMRMLVolumeRenderingDisplayNode"):
                node.SetVisibility(False)
            else:
                node.SetVisibility3D(False)

    def one_view(self) -> None:
        """Show the user's layout, or, if it has no 3D view, one that has."""
        self.restore_layout()
        layout = _layout_node()
        if layout is None or _shown_view() is not None:
            return
        self._changed = True
        layout.RemoveAllMaximizedViewNodes()
        if _shown_view() is None:
            layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def two_views(self) -> tuple[ViewNode, ViewNode]:
        """Show two 3D views of our own side by side above the slices; returns their nodes. Raises: RuntimeError."""
        layout = _layout_node()
        if layout is None:
            raise RuntimeError(_("Two views side by side need Slicer's main window."))
        if not layout.IsLayoutDescription(SIDE_BY_SIDE):
            layout.AddLayoutDescription(SIDE_BY_SIDE, _side_by_side())
        self._changed = True
        layout.RemoveAllMaximizedViewNodes()
        layout.SetViewArrangement(SIDE_BY_SIDE)
        views = tuple(slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLViewNode") for name in (BEFORE, AFTER))
        for view in views:
            view.SetSaveWithScene(False)
            with slicer.util.NodeModify(view):
                for name in LOOK:
                    getattr(view, "Set" + name)(getattr(self.view, "Get" + name)())
        return views

    def restore(self) -> None:
        """Bring everything back; nodes that were removed meanwhile are left out."""
        scene = slicer.mrmlScene
        for node, (visible, in_3d) in self._shown.items():
            if scene.IsNodePresent(node):
                node.SetVisibility(visible)
                node.SetVisibility3D(in_3d)
        if scene.IsNodePresent(self.camera):
            set_camera(self.camera, self._camera)
        self.restore_layout()

    def restore_layout(self, maximized: bool = True) -> None:
        """Bring back the layout alone, with the views that were ``maximized`` or without, if this object changed it."""
        layout = _layout_node()
        if layout is None or self._arrangement is None or not self._changed:
            return
        self._changed = False
        number, views = self._arrangement
        layout.RemoveAllMaximizedViewNodes()
        layout.SetViewArrangement(number)
        for view in views if maximized else ():
            layout.AddMaximizedViewNode(view)


def _arrangement(layout: LayoutNode) -> tuple[int, list[ViewNode]]:
    """The number of the layout that is shown, and its maximized views."""
    views = [layout.GetMaximizedViewNode(i) for i in range(layout.GetNumberOfMaximizedViewNodes())]
    return layout.GetViewArrangement(), views


def _side_by_side() -> str:
    """Slicer's description of our layout."""
    view = (
        '<item><view class="vtkMRMLViewNode" singletontag="{name}"><property name="viewlabel" action="default">{label}'
        "</property></view></item>"
    )
    slice_view = (
        '<item><view class="vtkMRMLSliceNode" singletontag="{name}"><property name="orientation" action="default">{plane}'
        '</property><property name="viewlabel" action="default">{label}</property>'
        '<property name="viewcolor" action="default">{colour}</property></view></item>'
    )
    above = [view.format(name=BEFORE, label=escape(_("before"))), view.format(name=AFTER, label=escape(_("after")))]
    below = [slice_view.format(name=name, plane=plane, label=name[0], colour=colour) for name, plane, colour in SLICES]
    rows = [
        f'<item splitSize="{size}"><layout type="horizontal">{"".join(row)}</layout></item>'
        for size, row in ((600, above), (400, below))
    ]
    return f'<layout type="vertical" split="true">{"".join(rows)}</layout>'


def _visibility(node: DisplayNode) -> tuple[int, int]:
    return node.GetVisibility(), node.GetVisibility3D()


def _displays() -> list[DisplayNode]:
    renderings = slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")
    # Hidden segmentations, as the model's proposal, are not shown anyway.
    segmentations = [n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if not n.GetHideFromEditors()]
    return [*renderings, *(n.GetNthDisplayNode(i) for n in segmentations for i in range(n.GetNumberOfDisplayNodes()))]


def _layout_node() -> LayoutNode | None:
    manager = layout_manager()
    return manager.layoutLogic().GetLayoutNode() if manager else None


def _shown_view() -> ViewNode | None:
    """The first 3D view that is in the layout, or None; the scene also holds views of earlier layouts."""
    views = slicer.util.getNodesByClass("vtkMRMLViewNode")
    return next((view for view in views if view.IsViewVisibleInLayout()), None)


def _first_view() -> ViewNode:
    views = slicer.util.getNodesByClass("vtkMRMLViewNode")
    if not views:
        raise RuntimeError(_("The preview needs a 3D view; open a layout with one, or run with a main window."))
    return views[0]

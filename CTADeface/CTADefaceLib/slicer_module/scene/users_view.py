"""What the user had on the screen before the preview: layout, camera, renderings; noted and brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from .application import layout_manager

if TYPE_CHECKING:
    from slicer import vtkMRMLDisplayNode as DisplayNode
    from slicer import vtkMRMLLayoutNode as LayoutNode
    from slicer import vtkMRMLViewNode as ViewNode

CAMERA_SETTINGS = ("Position", "FocalPoint", "ViewUp", "ViewAngle", "ParallelScale")


class UsersView:
    """Notes the state on creation, opens a layout with a 3D view if there is none, hides other renderings.

    ``view`` is the 3D view's node and ``camera`` its camera node. Raises: RuntimeError without any 3D view.
    """

    def __init__(self) -> None:
        self._layout: int | None = None
        self._maximized: list[ViewNode] = []
        layout = _layout_node()
        if layout is not None and _shown_view() is None:
            self._layout = layout.GetViewArrangement()
            self._maximized = [layout.GetMaximizedViewNode(i) for i in range(layout.GetNumberOfMaximizedViewNodes())]
            layout.RemoveAllMaximizedViewNodes()
            if _shown_view() is None:
                layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.view = _shown_view() or _first_view()
        self.camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(self.view)
        if self.camera is None:
            raise RuntimeError("The 3D view has no camera; open a layout with a 3D view.")
        self._camera = {name: getattr(self.camera, "Get" + name)() for name in CAMERA_SETTINGS}
        self._shown = {node: _visibility(node) for node in _displays()}
        for node in self._shown:
            if node.IsA("vtkMRMLVolumeRenderingDisplayNode"):
                node.SetVisibility(False)
            else:
                node.SetVisibility3D(False)

    def restore(self) -> None:
        """Bring everything back; nodes that were removed meanwhile are left out."""
        scene = slicer.mrmlScene
        for node, (visible, in_3d) in self._shown.items():
            if scene.IsNodePresent(node):
                node.SetVisibility(visible)
                node.SetVisibility3D(in_3d)
        if scene.IsNodePresent(self.camera):
            with slicer.util.NodeModify(self.camera):
                for name, value in self._camera.items():
                    getattr(self.camera, "Set" + name)(value)
            self.camera.ResetClippingRange()
        self.restore_layout()
        layout = _layout_node()
        if layout is not None:
            for view in self._maximized:
                layout.AddMaximizedViewNode(view)

    def restore_layout(self) -> None:
        """Bring back the layout alone."""
        layout = _layout_node()
        if layout is not None and self._layout is not None:
            layout.SetViewArrangement(self._layout)


def _visibility(node: DisplayNode) -> tuple[int, int]:
    return node.GetVisibility(), node.GetVisibility3D()


def _displays() -> list[DisplayNode]:
    return [
        *slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"),
        *slicer.util.getNodesByClass("vtkMRMLSegmentationDisplayNode"),
    ]


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
        raise RuntimeError("The preview needs a 3D view; open a layout with one, or run with a main window.")
    return views[0]

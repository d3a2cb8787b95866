"""What the user had on the screen before the preview: layout, camera, renderings; noted and brought back."""

import slicer

from .application import layout_manager

CAMERA_SETTINGS = ("Position", "FocalPoint", "ViewUp", "ViewAngle", "ParallelScale")


class UsersView:
    """Notes the state on creation, opens a layout with a 3D view if there is none, hides other renderings.

    ``view`` is the 3D view's node and ``camera`` its camera node. Raises: RuntimeError without any 3D view.
    """

    def __init__(self):
        self._layout, self._maximized = None, []
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

    def restore(self):
        """Bring everything back; nodes removed meanwhile are left out."""
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
        for view in self._maximized:
            _layout_node().AddMaximizedViewNode(view)

    def restore_layout(self):
        """Bring back the layout alone."""
        if self._layout is not None:
            _layout_node().SetViewArrangement(self._layout)


def _visibility(node):
    return node.GetVisibility(), node.GetVisibility3D()


def _displays():
    return [*slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"),
            *slicer.util.getNodesByClass("vtkMRMLSegmentationDisplayNode")]


def _layout_node():
    manager = layout_manager()
    return manager.layoutLogic().GetLayoutNode() if manager else None


def _shown_view():
    """The first 3D view that is in the layout, or None; views of layouts left behind stay in the scene."""
    views = slicer.util.getNodesByClass("vtkMRMLViewNode")
    return next((view for view in views if view.IsViewVisibleInLayout()), None)


def _first_view():
    views = slicer.util.getNodesByClass("vtkMRMLViewNode")
    if not views:
        raise RuntimeError("The preview needs a 3D view; open a layout with one, or run with a main window.")
    return views[0]

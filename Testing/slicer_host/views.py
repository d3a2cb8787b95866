"""Layout manager and view widgets on the real layout, view, slice and camera nodes; nothing is rendered."""

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from .mrml_widgets import qMRMLWidget

FOUR_UP = 3


class RenderWindow:
    """Stands for the vtkRenderWindow of a view; ``graphics`` is what it says of the graphics card."""

    graphics = "OpenGL renderer string:  a graphics card"

    def ReportCapabilities(self):
        """The text in which VTK describes OpenGL."""
        return self.graphics


class ThreeDView(QtWidgets.QFrame):
    """Stands for qMRMLThreeDView: knows its view and camera, counts what it was asked to do."""

    stands_for_cpp = True
    _node = None
    _calls = ()
    _window = None

    def __init__(self, node):
        super().__init__()
        self._node = node
        self._calls, self._window = [], RenderWindow()

    def mrmlViewNode(self):
        """The view's node."""
        return self._node

    def renderWindow(self):
        """What draws it, which here is nothing."""
        return self._window

    def cameraNode(self):
        """The camera of this view."""
        return slicer.modules.cameras.logic().GetViewActiveCameraNode(self._node)


class SliceView(QtWidgets.QFrame):
    """Stands for qMRMLSliceView."""

    stands_for_cpp = True
    _calls = ()

    def __init__(self):
        super().__init__()
        self._calls = []


def _recorded(name):
    def call(self, *arguments):
        self._calls.append((name, *arguments))

    return call


for _name in (
    "forceRender",
    "scheduleRender",
    "resetFocalPoint",
    "resetCamera",
    "zoomIn",
    "zoomOut",
    "lookFromAxis",
    "lookFromViewAxis",
    "rotateToViewAxis",
):
    setattr(ThreeDView, _name, _recorded(_name))
for _name in ("forceRender", "scheduleRender"):
    setattr(SliceView, _name, _recorded(_name))


class ThreeDController(QtWidgets.QWidget):
    """Stands for the bar above a 3D view."""

    stands_for_cpp = True
    _view = None

    def resetFocalPoint(self):
        """Passed on to the view."""
        self._view.resetFocalPoint()


class ThreeDWidget(qMRMLWidget):
    """Stands for qMRMLThreeDWidget."""

    stands_for_cpp = True
    _view = None
    _controller = None

    def __init__(self, node):
        super().__init__()
        self._view = ThreeDView(node)
        self._controller = ThreeDController()
        self._controller._view = self._view

    def threeDView(self):
        """The view itself."""
        return self._view

    def threeDController(self):
        """The bar above the view."""
        return self._controller

    def mrmlViewNode(self):
        """The view's node."""
        return self._view.mrmlViewNode()


class SliceWidget(qMRMLWidget):
    """Stands for qMRMLSliceWidget, with the real slice logic."""

    stands_for_cpp = True
    _logic = None
    _view = None

    def __init__(self, logic):
        super().__init__()
        self._logic = logic
        self._view = SliceView()

    def sliceLogic(self):
        """The real logic of this slice."""
        return self._logic

    def sliceView(self):
        """The view itself."""
        return self._view

    def mrmlSliceNode(self):
        """Position and orientation of the slice."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self):
        """Which volumes the slice shows."""
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self):
        """Show the whole background volume."""
        self._logic.FitSliceToBackground()


class LayoutManager(QtCore.QObject):
    """Stands for qSlicerLayoutManager; which views exist is decided by the real layout logic."""

    stands_for_cpp = True
    _logic = None
    _application_logic = None
    _three_d = None
    _slices = None
    layoutChanged = QtCore.Signal(int)

    def __init__(self, application_logic):
        super().__init__()
        self._application_logic = application_logic
        self._three_d, self._slices = {}, {}
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.GetLayoutNode().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._complete())
        self.setLayout(FOUR_UP)

    def setLayout(self, layout):
        """Switch to a layout; missing views are created."""
        node = self._logic.GetLayoutNode()
        changed = node.GetViewArrangement() != int(layout)
        node.SetViewArrangement(int(layout))
        self._complete()
        if changed:
            self.layoutChanged.emit(int(layout))

    layout = QtCore.Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)

    def layoutLogic(self):
        """The real layout logic."""
        return self._logic

    def mrmlScene(self):
        """The scene."""
        return slicer.mrmlScene

    def _views(self, class_name):
        """The views of a kind in the layout, maximized or not."""
        nodes = self._logic.GetViewNodes()
        found = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        return [node for node in found if node.IsA(class_name)]

    def _map(self):
        """Tell the nodes of all views whether they are on the screen."""
        layout = self._logic.GetLayoutNode()
        maximized = [layout.GetMaximizedViewNode(i) for i in range(layout.GetNumberOfMaximizedViewNodes())]
        shown = maximized or self._views("vtkMRMLAbstractViewNode")
        for node in slicer.util.getNodesByClass("vtkMRMLAbstractViewNode"):
            node.SetMappedInLayout(node in shown)

    def _complete(self):
        """Give each view in the layout its camera or its slice logic."""
        self._map()
        cameras = slicer.modules.cameras.logic()
        for node in self._views("vtkMRMLViewNode"):
            if cameras.GetViewActiveCameraNode(node) is None:
                camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode", "Camera")
                camera.SetLayoutName(node.GetLayoutName())
        for node in self._views("vtkMRMLSliceNode"):
            self.sliceWidget(node.GetLayoutName())

    # As in Slicer, 3D views that were in an earlier layout are kept and counted.
    threeDViewCount = QtCore.Property(int, lambda self: len(slicer.util.getNodesByClass("vtkMRMLViewNode")))

    def threeDWidget(self, index):
        """The widget of a 3D view, in the layout or not, or None."""
        nodes = slicer.util.getNodesByClass("vtkMRMLViewNode")
        if isinstance(index, str):
            nodes, index = [node for node in nodes if node.GetLayoutName() == index], 0
        if not 0 <= index < len(nodes):
            return None
        self._complete()
        return self._three_d.setdefault(nodes[index].GetID(), ThreeDWidget(nodes[index]))

    def sliceViewNames(self):
        """Names of the visible slice views."""
        return [node.GetLayoutName() for node in self._views("vtkMRMLSliceNode")]

    def sliceWidget(self, name):
        """The widget of a slice view, or None."""
        node = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{name}")
        if node is None:
            return None
        known = self._slices.get(name)
        if known is None or known.mrmlSliceNode() is not node:
            known = self._slices[name] = SliceWidget(self._slice_logic(node))
            self._application_logic.SetSliceLogics(self.mrmlSliceLogics())
        return known

    def _slice_logic(self, node):
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self._application_logic)
        logic.SetMRMLScene(slicer.mrmlScene)
        logic.SetSliceNode(node)
        return logic

    def mrmlSliceLogics(self):
        """The logics of all slice views as a VTK collection."""
        logics = vtk.vtkCollection()
        for widget in self._slices.values():
            logics.AddItem(widget.sliceLogic())
        return logics

    def resetThreeDViews(self):
        """Each 3D view shows everything."""
        for index in range(self.threeDViewCount):
            self.threeDWidget(index).threeDView().resetFocalPoint()

    def resetSliceViews(self):
        """Each slice shows its whole background volume."""
        for name in self.sliceViewNames():
            self.sliceWidget(name).fitSliceToBackground()

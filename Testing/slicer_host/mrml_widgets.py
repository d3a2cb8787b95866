"""Stand-ins for Slicer's scene-aware widgets: qMRMLWidget and qMRMLNodeComboBox, on real MRML nodes."""

import weakref

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import ctk_widgets, ui_loader
from .properties import qt_property


class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene and tells those connected to it."""

    stands_for_cpp = True
    _scene = None
    mrmlSceneChanged = QtCore.Signal(object)

    def mrmlScene(self):
        """The scene, or None."""
        return self._scene

    def setMRMLScene(self, scene):
        """Set the scene; only receivers connected (in the .ui file or in code) hear of it, as in Slicer."""
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qMRMLCollapsibleButton(ctk_widgets.ctkCollapsibleButton):
    """A collapsible section that knows the scene."""

    stands_for_cpp = True
    _scene = None
    mrmlSceneChanged = QtCore.Signal(object)
    mrmlScene = qMRMLWidget.mrmlScene
    setMRMLScene = qMRMLWidget.setMRMLScene


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Lets the user choose a node of the scene; follows additions, removals and renaming."""

    stands_for_cpp = True
    _scene = None
    _observed = ()
    _combo = None
    _nodes = ()
    _current_id = ""
    _types = ()
    _hidden_types = ()
    _attributes = ()
    _none_enabled = False
    _none_text = "None"
    _base_name = ""
    _add = _remove = _show_children = _select_created = True
    _rename = _edit = _show_hidden = _filling = False

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)
    currentNodeRenamed = QtCore.Signal(str)
    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        self._attributes, self._nodes = [], []
        layout.addWidget(self._combo)
        self._combo.currentIndexChanged.connect(self._chosen)
        self._combo.activated.connect(lambda index: self.nodeActivated.emit(self.currentNode()))

    nodeTypes = qt_property("QStringList", "_types", "refresh_")
    hideChildNodeTypes = qt_property("QStringList", "_hidden_types", "refresh_")
    showHidden = qt_property(bool, "_show_hidden", "refresh_")
    showChildNodeTypes = qt_property(bool, "_show_children", "refresh_")
    noneEnabled = qt_property(bool, "_none_enabled", "refresh_")
    noneDisplay = qt_property(str, "_none_text", "refresh_")
    baseName = qt_property(str, "_base_name")
    addEnabled = qt_property(bool, "_add")
    removeEnabled = qt_property(bool, "_remove")
    renameEnabled = qt_property(bool, "_rename")
    editEnabled = qt_property(bool, "_edit")
    selectNodeUponCreation = qt_property(bool, "_select_created")
    currentNodeID = QtCore.Property(str, lambda self: self._current_id, lambda self, node_id: self.setCurrentNodeID(node_id))

    def mrmlScene(self):
        """The scene, or None."""
        return self._scene

    def setMRMLScene(self, scene):
        """Show the nodes of a scene from now on."""
        if scene is self._scene:
            return
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._scene = scene
        self._observed = (
            []
            if scene is None
            else [
                (scene, _observe(scene, event, self))
                for event in (
                    scene.NodeAddedEvent,
                    scene.NodeRemovedEvent,
                    scene.EndImportEvent,
                    scene.EndRestoreEvent,
                    scene.EndCloseEvent,
                    scene.EndBatchProcessEvent,
                )
            ]
        )
        self.mrmlSceneChanged.emit(scene)
        self.refresh_()

    def addAttribute(self, node_type, name, value=None):
        """Offer only nodes of that type that have this attribute (with this value)."""
        self._attributes = [*self._attributes, (node_type, name, value)]
        self.refresh_()

    def removeAttribute(self, node_type, name):
        """Undo ``addAttribute``."""
        self._attributes = [entry for entry in self._attributes if entry[:2] != (node_type, name)]
        self.refresh_()

    def nodeCount(self):
        """How many nodes are offered ('None' is not counted)."""
        return len(self._nodes)

    def nodeFromIndex(self, index):
        """The node at a position, or None."""
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    def currentNode(self):
        """The chosen node, or None."""
        return self._scene.GetNodeByID(self._current_id) if self._scene and self._current_id else None

    def setCurrentNode(self, node):
        """Choose a node (or its ID); None, and a node that is not offered, choose nothing."""
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node else "")

    def setCurrentNodeID(self, node_id):
        """Choose a node by its ID."""
        known = [node.GetID() for node in self._nodes]
        self._select(node_id if node_id in known else "")

    def setCurrentNodeIndex(self, index):
        """Choose a node by its position."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def addNode(self, node_type=""):
        """What the user's 'Create new ...' does: a new node, chosen if so configured."""
        node = self._scene.AddNewNodeByClass(node_type or self._types[0], self._base_name)
        if self._select_created:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self):
        """What the user's 'Delete current ...' does."""
        node = self.currentNode()
        if node:
            self.nodeAboutToBeRemoved.emit(node)
            self._scene.RemoveNode(node)

    def _offers(self, node):
        """Whether a node may be chosen here."""
        if node.GetHideFromEditors() and not self._show_hidden:
            return False
        matches = node.IsA if self._show_children else lambda name: name == node.GetClassName()
        if not any(matches(name) for name in self._types) or any(node.IsA(name) for name in self._hidden_types):
            return False
        return all(_has(node, name, value) for kind, name, value in self._attributes if node.IsA(kind))

    def refresh_(self):
        """Bring the list in line with the scene, keeping the choice if it is still there."""
        scene = self._scene
        if scene and scene.IsBatchProcessing():
            return
        nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())] if scene else []
        self._nodes = [node for node in nodes if self._offers(node)]
        self._fill()
        known = [node.GetID() for node in self._nodes]
        keep = self._current_id if self._current_id in known else ""
        if not keep and not self._none_enabled and known:
            keep = known[0]
        self._select(keep)

    def _fill(self):
        """Write the nodes' names into the visible list."""
        self._filling = True
        self._combo.clear()
        if self._none_enabled:
            self._combo.addItem(self._none_text, "")
        for node in self._nodes:
            self._combo.addItem(node.GetName() or "", node.GetID())
        self._filling = False

    def _select(self, node_id):
        """Make an ID the current one and tell whoever listens."""
        self._filling = True
        self._combo.currentIndex = self._combo.findData(node_id)
        self._filling = False
        if node_id == self._current_id:
            return
        self._current_id = node_id
        self.currentNodeChanged.emit(self.currentNode())
        self.currentNodeIDChanged.emit(node_id)

    def _chosen(self, index):
        if not self._filling:
            self._select(self._combo.itemData(index) or "")


def _observe(scene, event, widget):
    """Refresh a widget on a scene's event, without keeping the widget alive."""
    reference = weakref.ref(widget)

    def happened(*_):
        alive = reference()
        if alive is not None and shiboken6.isValid(alive):
            alive.refresh_()

    return scene.AddObserver(event, happened)


def _has(node, name, value):
    """Whether a node has an attribute (with that value)."""
    found = node.GetAttribute(name)
    return found is not None and (value is None or found == str(value))


def install():
    """Put the widgets into ``slicer`` and make them known to the .ui loader."""
    for cls in (qMRMLWidget, qMRMLCollapsibleButton, qMRMLNodeComboBox):
        setattr(slicer, cls.__name__, cls)
        ui_loader.WIDGETS[cls.__name__] = cls
    slicer.qSlicerWidget = qMRMLWidget
    ui_loader.WIDGETS["qSlicerWidget"] = qMRMLWidget

"""Loads .ui files with the stand-in widgets, and honours their scene connections."""

import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtUiTools

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import qt_objects

# Class name in a .ui file -> Python class; filled by the modules that define stand-ins.
WIDGETS = {}
_SCENE_SIGNAL = "mrmlSceneChanged(vtkMRMLScene*)"


class QUiLoader(QtUiTools.QUiLoader):
    """Qt's loader plus the stand-ins for ctk's and Slicer's widgets."""

    stands_for_cpp = True

    def createWidget(self, class_name, parent=None, name=""):
        """One widget of the file; unknown classes are an error, where Qt would only print a warning."""
        if class_name in WIDGETS:
            widget = WIDGETS[class_name](parent)
            widget.objectName = name
            return widget
        if class_name.startswith(("ctk", "qMRML", "qSlicer")):
            raise NotImplementedError(f"the Slicer stand-in has no widget '{class_name}' (wanted by '{name}')")
        return super().createWidget(class_name, parent, name)

    def load(self, device, parent=None):
        """Load from an open file; the scene connections are made in Python, since Qt does not know the type."""
        tree = ElementTree.fromstring(bytes(device.readAll()))
        pairs = _take_scene_connections(tree)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.ReadOnly)
        with qt_objects.loading():
            widget = super().load(buffer, parent)
        for sender, receiver in pairs:
            _named(widget, sender).mrmlSceneChanged.connect(_named(widget, receiver).setMRMLScene)
        return widget


def _take_scene_connections(tree):
    """Remove the scene's connections from the file and return them as (sender, receiver) names."""
    pairs = []
    for connections in tree.iter("connections"):
        for connection in list(connections):
            if connection.findtext("signal") == _SCENE_SIGNAL:
                pairs.append((connection.findtext("sender"), connection.findtext("receiver")))
                connections.remove(connection)
    return pairs


def _named(root, name):
    """The widget of that name, the root included."""
    widget = root if root.objectName == name else root.findChild(QtCore.QObject, name)
    if widget is None:
        raise ValueError(f"the .ui file connects the scene to '{name}', which it does not contain")
    return widget

"""``slicer.app``, the real scene, and the module manager."""

import os
import sys
import tempfile
import types

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import input_output, modules, views

VERSION = "5.12.0"


class Environment:
    """Stands for QProcessEnvironment: what the application was started with."""

    def __init__(self):
        self._values = dict(os.environ)

    def keys(self):
        """Names of the variables."""
        return list(self._values)

    def value(self, name, default=""):
        """One variable."""
        return self._values.get(name, default)


class ModuleManager(QtCore.QObject):
    """Stands for qSlicerModuleManager."""

    stands_for_cpp = True
    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)
    moduleUnloaded = QtCore.Signal(str)

    def module(self, name):
        """A module by its name, or None."""
        return getattr(slicer.modules, name.lower(), None)

    def modulesNames(self):
        """Names of all modules."""
        return [module.name for module in vars(slicer.modules).values() if hasattr(module, "logic")]

    def factoryManager(self):
        """Stands for qSlicerModuleFactoryManager, which knows what is loaded."""
        return types.SimpleNamespace(loadedModuleNames=self.modulesNames, isLoaded=lambda name: bool(self.module(name)))


class Application(QtWidgets.QApplication):
    """Stands for qSlicerApplication; what QApplication has is real."""

    stands_for_cpp = True
    _manager = _layout = _logic = _io = _options = _python_environment = _settings = None
    _testing = False
    _paused = 0
    _temporary = ""
    startupCompleted = QtCore.Signal()
    aboutToQuit = QtCore.Signal()
    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, main_window):
        super().__init__([sys.argv[0] or "Slicer"])
        self.applicationName = "Slicer"
        self.applicationVersion = VERSION
        self.organizationName = "CTADefaceTests"
        self._temporary = tempfile.mkdtemp(prefix="slicer-host-")
        self._python_environment = Environment()
        self._manager = ModuleManager()
        self._options = types.SimpleNamespace(noMainWindow=not main_window, testingEnabled=False)
        self._io = input_output.InputOutputManager()

    majorVersion = QtCore.Property(int, lambda self: int(VERSION.split(".")[0]))
    minorVersion = QtCore.Property(int, lambda self: int(VERSION.split(".")[1]))
    mainApplicationName = QtCore.Property(str, lambda self: "Slicer")
    mainApplicationDisplayName = QtCore.Property(str, lambda self: "3D Slicer")
    revision = QtCore.Property(str, lambda self: "0")
    slicerHome = QtCore.Property(str, lambda self: sys.prefix)
    temporaryPath = QtCore.Property(str, lambda self: self._temporary)
    cachePath = QtCore.Property(str, lambda self: self._temporary)
    documentationBaseUrl = QtCore.Property(str, lambda self: "https://slicer.readthedocs.io/")

    def prepare(self):
        """Create the application logic, the modules and the views for the scene."""
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetTemporaryPath(self._temporary)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        modules.install(self._logic)
        self._layout = views.LayoutManager(self._logic)

    def mrmlScene(self):
        """The scene."""
        return slicer.mrmlScene

    def applicationLogic(self):
        """The real application logic."""
        return self._logic

    def layoutManager(self):
        """The views; None without a main window, as in Slicer."""
        return None if self._options.noMainWindow else self._layout

    def moduleManager(self):
        """What is loaded."""
        return self._manager

    def moduleLogic(self, name):
        """The logic of a module."""
        return self._manager.module(name).logic()

    def coreIOManager(self):
        """Loading and saving."""
        return self._io

    ioManager = coreIOManager

    def commandOptions(self):
        """How Slicer was started."""
        return self._options

    coreCommandOptions = commandOptions

    def testingEnabled(self):
        """Whether Slicer was started with --testing."""
        return self._options.testingEnabled

    def settings(self):
        """The settings, always the same object."""
        if self._settings is None:
            self._settings = QtCore.QSettings()
        return self._settings

    userSettings = revisionUserSettings = settings

    def startupEnvironment(self):
        """Environment variables from before Slicer's launcher."""
        return self._python_environment

    environment = startupEnvironment

    def translate(self, context, text):
        """There are no translations."""
        return text

    def moduleDocumentationUrl(self, name):
        """Where a module is documented."""
        return f"{self.documentationBaseUrl}user_guide/modules/{name.lower()}.html"

    def pauseRender(self):
        """Counted only."""
        self._paused += 1

    def resumeRender(self):
        """Counted only."""
        self._paused -= 1

    def setRenderPaused(self, pause):
        """See above."""
        self._paused += 1 if pause else -1


@vtk.calldata_type(vtk.VTK_OBJECT)
def _add_hierarchy_item(scene, event, node):
    """What the application's subject hierarchy plug-ins do for each node that the user may see."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if node.IsA("vtkMRMLDisplayableNode") and not node.GetHideFromEditors() and not hierarchy.GetItemByDataNode(node):
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


@vtk.calldata_type(vtk.VTK_OBJECT)
def _remove_hierarchy_item(scene, event, node):
    """The other half."""
    if not scene.IsClosing() and node.IsA("vtkMRMLDisplayableNode"):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)


def start(main_window=True):
    """Create ``slicer.mrmlScene`` and ``slicer.app``; returns the application and its main window (or None)."""
    if QtWidgets.QApplication.instance() is not None:
        raise RuntimeError("another Qt application already runs in this process")
    app = Application(main_window)
    slicer.app = app
    slicer.mrmlScene = slicer.vtkMRMLScene()
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, _add_hierarchy_item)
    slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, _remove_hierarchy_item)
    app.prepare()
    window = None
    if main_window:
        window = QtWidgets.QMainWindow()
        window.objectName = "qSlicerMainWindow"
    return app, window

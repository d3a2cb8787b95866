"""Finds, loads, opens and reloads a scripted module the way Slicer does."""

import importlib.util
import sys
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from .mrml_widgets import qMRMLWidget


class ScriptedModule(QtCore.QObject):
    """Stands for qSlicerScriptedLoadableModule: the ``parent`` that a module object describes."""

    stands_for_cpp = True
    _module = _panel = _python = None
    path = title = name = helpText = acknowledgementText = ""
    icon = None
    hidden = widgetRepresentationCreationEnabled = False
    index = -1
    categories = dependencies = contributors = associatedNodeTypes = ()

    def __init__(self, path):
        super().__init__()
        self._describe(path=str(path), name=Path(path).stem)

    def _describe(self, **values):
        self.__dict__.update(values)

    def __setattr__(self, name, value):
        """The description may be set, nothing else."""
        if not hasattr(type(self), name):
            raise AttributeError(f"a module has no attribute '{name}'")
        self.__dict__[name] = value

    def widgetRepresentation(self):
        """The panel, created when first asked for."""
        if self._panel is None:
            self._panel = Panel(self)
            self._panel.reload()
        return self._panel

    createNewWidgetRepresentation = widgetRepresentation

    def logic(self):
        """Scripted modules have no C++ logic worth having."""
        return None


class Panel(qMRMLWidget):
    """Stands for qSlicerScriptedLoadableModuleWidget: the ``parent`` of the module's widget class."""

    stands_for_cpp = True
    _owner = None
    _python = None
    isEntered = False

    def __init__(self, owner):
        super().__init__()
        self._owner = owner
        QtWidgets.QVBoxLayout(self)
        self._scene = slicer.mrmlScene

    def self(self):
        """The Python object of the module's panel."""
        return self._python

    def reload(self):
        """Create the module's widget class anew and set it up."""
        name = self._owner.name
        self._python = getattr(sys.modules[name], name + "Widget")(self)
        setattr(slicer.modules, name + "Widget", self._python)
        self._python.setup()

    def enter(self):
        """The user opens the module."""
        self.__dict__["isEntered"] = True
        if hasattr(self._python, "enter"):
            self._python.enter()

    def exit(self):
        """The user goes to another module."""
        self.__dict__["isEntered"] = False
        if hasattr(self._python, "exit"):
            self._python.exit()


def load(path):
    """Import a module's file and register the module; returns what ``slicer.modules`` then holds."""
    path = Path(path).resolve()
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = ScriptedModule(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    code = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = code
    spec.loader.exec_module(code)
    module._module = code
    module._python = getattr(code, path.stem)(module)
    setattr(slicer.modules, path.stem.lower(), module)
    setattr(slicer.modules, path.stem + "Instance", module._python)
    return module


def install():
    """Classes that ``slicer.util`` asks for."""
    slicer.qSlicerScriptedLoadableModule = ScriptedModule
    slicer.qSlicerScriptedLoadableModuleWidget = Panel

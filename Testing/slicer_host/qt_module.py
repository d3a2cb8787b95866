"""The module ``qt``: Qt's names flat, as PythonQt offers them."""

import sys
import tempfile
import types

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import dialogs, qt_objects, ui_loader


def install():
    """Create the module ``qt``, with settings that live in a temporary folder."""
    qt_objects.install(dialogs.DESK.run)
    module = types.ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets, QtUiTools):
        for name in dir(source):
            if not name.startswith("_"):
                setattr(module, name, getattr(source, name))
    module.QMessageBox = dialogs.QMessageBox
    module.QFileDialog = dialogs.QFileDialog
    module.QUiLoader = ui_loader.QUiLoader
    module.SIGNAL = module.SLOT = str
    sys.modules["qt"] = module
    _isolate_settings()
    return module


def _isolate_settings():
    """Tests must neither read nor change the settings of a Slicer or Qt that is really installed."""
    folder = tempfile.mkdtemp(prefix="slicer-host-settings-")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
    for scope in (QtCore.QSettings.UserScope, QtCore.QSettings.SystemScope):
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, scope, folder)

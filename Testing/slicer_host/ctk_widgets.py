"""The module ``ctk``: the few widgets of the Common Toolkit that modules use."""

import sys
import types

from PySide6 import QtCore, QtGui, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import dialogs, ui_loader
from .properties import qt_property

_HEADER_HEIGHT = 26
_NO_LIMIT = 16777215  # Qt's own word for no limit


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A section with a flat header; when collapsed its contents are hidden."""

    stands_for_cpp = True
    _text = ""
    _collapsed = False
    _checkable = True
    _frame = 0

    contentsCollapsed = QtCore.Signal(bool)
    toggled = QtCore.Signal(bool)
    clicked = QtCore.Signal(bool)

    def __init__(self, text=None, parent=None):
        if text is not None and not isinstance(text, str):
            text, parent = None, text
        super().__init__(parent)
        self._text = text or ""
        self.setContentsMargins(0, _HEADER_HEIGHT, 0, 0)
        self.setMinimumHeight(_HEADER_HEIGHT)

    text = qt_property(str, "_text", "update")
    collapsed = qt_property(bool, "_collapsed", "_show_contents")
    checkable = qt_property(bool, "_checkable")
    contentsFrameShape = qt_property(int, "_frame")
    checked = QtCore.Property(bool, lambda self: not self._collapsed, lambda self, on: setattr(self, "collapsed", not on))

    def _show_contents(self):
        """Hide or show what is inside, remembering what was hidden by the module itself."""
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                self._toggle(child)
        self.maximumHeight = _HEADER_HEIGHT if self._collapsed else _NO_LIMIT
        self.contentsCollapsed.emit(self._collapsed)
        self.toggled.emit(not self._collapsed)

    def _toggle(self, child):
        if self._collapsed:
            child.setProperty("ctkHiddenBefore", child.isHidden())
            child.setVisible(False)
        elif child.property("ctkHiddenBefore") is False:
            child.setVisible(True)

    def showEvent(self, event):
        """A .ui file sets ``collapsed`` before the contents exist: hide them now."""
        if self._collapsed:
            for child in self.children():
                if isinstance(child, QtWidgets.QWidget) and not child.isHidden():
                    self._toggle(child)
        super().showEvent(event)

    def mousePressEvent(self, event):
        """A click on the header opens or closes the section."""
        if event.position().y() <= _HEADER_HEIGHT and self._checkable:
            self.collapsed = not self._collapsed
            self.clicked.emit(not self._collapsed)

    def paintEvent(self, event):
        """Draw the header: an arrow and the text on a button's colour."""
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, self.width, _HEADER_HEIGHT)
        painter.fillRect(header, self.palette.button())
        painter.setPen(self.palette.mid().color())
        painter.drawRect(header.adjusted(0, 0, -1, -1))
        painter.setPen(self.palette.buttonText().color())
        arrow = "\u25b8" if self._collapsed else "\u25be"
        painter.drawText(header.adjusted(8, 0, 0, 0), QtCore.Qt.AlignVCenter, f"{arrow}  {self._text}")
        painter.end()


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box that can be folded."""

    stands_for_cpp = True
    _collapsed = False

    def __init__(self, *arguments):
        super().__init__(*arguments)

    collapsed = qt_property(bool, "_collapsed", "_show_contents")

    def _show_contents(self):
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget):
                child.setVisible(not self._collapsed)


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path with a button to browse for it."""

    stands_for_cpp = True
    _filters = 0
    _name_filters = ()
    _key = ""
    _show_history = True
    _edit = None

    Files, Dirs, Readable, Writable = 0x002, 0x001, 0x010, 0x020
    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._edit = QtWidgets.QLineEdit()
        browse = QtWidgets.QToolButton()
        browse.text = "..."
        layout.addWidget(self._edit)
        layout.addWidget(browse)
        self._edit.textChanged.connect(self.currentPathChanged.emit)
        browse.clicked.connect(lambda *_: self.browse())

    currentPath = QtCore.Property(
        str, lambda self: self._edit.text, lambda self, path: setattr(self._edit, "text", str(path or ""))
    )
    filters = qt_property(int, "_filters")
    nameFilters = qt_property("QStringList", "_name_filters")
    settingKey = qt_property(str, "_key")
    showHistoryButton = qt_property(bool, "_show_history")

    def browse(self):
        """Ask for a path; the answer comes from the queue."""
        ask = dialogs.QFileDialog.getExistingDirectory if self._filters & self.Dirs else dialogs.QFileDialog.getOpenFileName
        path = ask(self, "Select a path", self._edit.text)
        if path:
            self._edit.text = path

    def addCurrentPathToHistory(self):
        """The history is not kept."""


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box that can show a text when nothing is chosen."""

    stands_for_cpp = True
    _default_text = ""

    defaultText = qt_property(str, "_default_text")


class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""

    stands_for_cpp = True


class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box."""

    stands_for_cpp = True


def install():
    """Create the module ``ctk`` and make its widgets known to the .ui loader."""
    module = types.ModuleType("ctk")
    classes = (ctkCollapsibleButton, ctkCollapsibleGroupBox, ctkPathLineEdit, ctkComboBox, ctkCheckBox, ctkDoubleSpinBox)
    for cls in classes:
        setattr(module, cls.__name__, cls)
        ui_loader.WIDGETS[cls.__name__] = cls
    module.ctkMessageBox = dialogs.ctkMessageBox
    sys.modules["ctk"] = module
    return module

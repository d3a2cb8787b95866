"""Ties the fields of a parameter node to widgets, in both directions."""

import enum

import slicer
from PySide6 import QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import ctk_widgets


class Link:
    """One widget that shows one field: the signal that tells of changes, and how to read and write."""

    def __init__(self, widget, signal, read, write):
        self.widget = widget
        self.read = read
        self.write = write
        self._signal = signal
        self._slot = None

    def watch(self, changed):
        """Call ``changed()`` when the user changes the widget."""
        self._slot = lambda *_: changed()
        self._signal.connect(self._slot)

    def release(self):
        """Stop watching."""
        if self._slot:
            self._signal.disconnect(self._slot)
            self._slot = None


def link(widget, field):
    """The link between a widget and a field; raises when this kind of widget cannot show it."""
    for widget_class, kinds, make in _LINKS:
        if isinstance(widget, widget_class) and any(issubclass(field.kind, kind) for kind in kinds):
            return make(widget, field)
    raise RuntimeError(f"no way to show {field.kind.__name__} '{field.name}' in a {type(widget).__name__}")


def _attribute(widget, signal, name):
    return Link(widget, signal, lambda: getattr(widget, name), lambda value: setattr(widget, name, value))


def _check_box(widget, field):
    return _attribute(widget, widget.stateChanged, "checked")


def _push_button(widget, field):
    widget.checkable = True
    return _attribute(widget, widget.toggled, "checked")


def _line_edit(widget, field):
    return _attribute(widget, widget.textChanged, "text")


def _text_edit(widget, field):
    return _attribute(widget, widget.textChanged, "plainText")


def _label(widget, field):
    return Link(widget, widget.destroyed, lambda: widget.text, lambda value: setattr(widget, "text", value))


def _path(widget, field):
    return Link(
        widget,
        widget.currentPathChanged,
        lambda: field.kind(widget.currentPath),
        lambda value: setattr(widget, "currentPath", str(value)),
    )


def _number(widget, field):
    low, high = field.limits
    whole = not isinstance(widget, QtWidgets.QDoubleSpinBox)
    if isinstance(widget, QtWidgets.QSlider) and (low is None or high is None):
        raise RuntimeError(f"'{field.name}' needs both limits to be shown in a slider")
    widget.minimum = low if low is not None else (-(2**31) if whole else float("-inf"))
    widget.maximum = high if high is not None else (2**31 - 1 if whole else float("inf"))
    return _attribute(widget, widget.valueChanged, "value")


def _combo_box(widget, field):
    if issubclass(field.kind, enum.Enum):
        label = getattr(field.kind, "label", lambda member: member.name)
        pairs = [(label(member), member) for member in field.kind]
    elif field.choices is not None:
        pairs = [(str(choice), choice) for choice in field.choices]
    else:
        raise RuntimeError(f"'{field.name}' needs Choice to be shown in a combo box")
    values = [value for _, value in pairs]
    widget.clear()
    for text, _ in pairs:
        widget.addItem(text)
    return Link(
        widget,
        widget.currentIndexChanged,
        lambda: values[widget.currentIndex],
        lambda value: setattr(widget, "currentIndex", values.index(value)),
    )


def _node(widget, field):
    widget.nodeTypes = field.node_types
    return Link(widget, widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode)


def _table():
    """Which widget can show what, the most particular first."""
    from pathlib import PurePath

    stringable = (int, float, str, bool, enum.Enum)
    return (
        (QtWidgets.QCheckBox, (bool,), _check_box),
        (QtWidgets.QPushButton, (bool,), _push_button),
        (QtWidgets.QComboBox, stringable, _combo_box),
        (QtWidgets.QDoubleSpinBox, (float, int), _number),
        (QtWidgets.QSpinBox, (int,), _number),
        (QtWidgets.QSlider, (int,), _number),
        (QtWidgets.QLineEdit, (str,), _line_edit),
        (QtWidgets.QTextEdit, (str,), _text_edit),
        (QtWidgets.QLabel, (str,), _label),
        (ctk_widgets.ctkPathLineEdit, (PurePath, str), _path),
        (slicer.qMRMLNodeComboBox, (slicer.vtkMRMLNode,), _node),
    )


_LINKS = ()


def install():
    """Prepare the table; the widgets must be in ``slicer`` before."""
    global _LINKS
    _LINKS = _table()

"""Gives PySide6's objects the manners of PythonQt's: properties as attributes, connections by text, strictness.

PySide6 chooses by the *calling* module whether a property is an attribute (``true_property``). Code written for
Slicer must not mention PySide6, so the choice is made here once: every attribute access of a QObject runs through
this module, which asks for true properties.
"""

import contextlib
import ctypes
import functools
import sys

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

from . import qt_signals

_plain_namespace = {"__name__": __name__ + ".plain_properties"}
# How an attribute is found, as PySide6 has it: with the switch on here, and off in a namespace of its own.
_true_get = QtCore.QObject.__getattribute__
_PLAIN_CODE = """
def get(getter, instance, name):
    return getter(instance, name)

def change(classes, roots, get, set):
    for cls in classes:
        cls.__setattr__ = set
    for cls in roots:
        cls.__getattribute__ = get
"""
_UNBOUND = type(str.upper)
# "loading": Qt's .ui loader names children as attributes of the loaded widget; PythonQt does not.
_rules = {"runner": None, "installed": False, "loading": False}
# Classes with a way of their own to find attributes, which modules connect signals of.
_ROOTS = (QtCore.QObject, QtWidgets.QMenu)
# Properties that PySide6 hides behind a static function of the same name.
_HIDDEN = {"singleShot"}


def install(runner):
    """Change all QObject classes; ``runner(dialog)`` answers for a modal dialog instead of blocking."""
    _rules["runner"] = runner
    if _rules["installed"]:
        return
    _rules["installed"] = True
    _keep_constants()
    exec(_PLAIN_CODE, _plain_namespace)
    _selections()[_plain_namespace["__name__"]] = 0
    for module in (QtCore, QtGui, QtWidgets, QtUiTools):
        for name in dir(module):
            getattr(module, name)  # PySide6 creates its classes when they are first asked for
    classes = _subclasses(QtCore.QObject)
    # PySide6 keeps a class's dictionary once for each switch: both must lead here.
    _plain_namespace["change"](classes, _ROOTS, _get, _set)
    for cls in classes:
        cls.__setattr__ = _set
    for cls in _ROOTS:
        cls.__getattribute__ = _get


def _keep_constants():
    """PySide6 drops a reference to None with every call that returns nothing, and to True and False with signals of the
    stand-ins that carry one, until Python 3.11 frees them and ends."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


@contextlib.contextmanager
def loading():
    """While a .ui file is loaded."""
    _rules["loading"] = True
    try:
        yield
    finally:
        _rules["loading"] = False


def _selections():
    """PySide6's table of which module wants which switch."""
    from shibokensupport import feature

    return feature.pyside_feature_dict


def _subclasses(root):
    """``root`` and all classes below it."""
    found, waiting = [], [root]
    while waiting:
        cls = waiting.pop()
        found.append(cls)
        waiting.extend(cls.__subclasses__())
    return found


def _class_attribute(cls, name):
    """What the class (not the instance) holds under a name, or None."""
    return next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)


def _plain(instance, name):
    """An attribute as PySide6 gives it without the switch: getters and setters are methods."""
    try:
        return _plain_namespace["get"](_true_get, instance, name)
    finally:
        _true_get(instance, "objectName")  # an access from this module turns the switch on again


def _get(self, name):
    """Attribute access of every QObject."""
    if name in ("connect", "disconnect"):
        return functools.partial(getattr(qt_signals, name), self)
    if name in ("exec", "exec_"):
        if isinstance(self, (QtWidgets.QDialog, QtWidgets.QMenu)):
            return functools.partial(_rules["runner"], self)
        name = "exec"
    if name in _HIDDEN:
        return _true_get(self, "property")(name)
    try:
        found = _true_get(self, name)
    except AttributeError as error:
        return _missing(self, name, error)
    # Some setters (QLabel.setText) come unbound while the switch is on.
    return _plain(self, name) if isinstance(found, _UNBOUND) else found


def _missing(self, name, error):
    """What PythonQt has and PySide6's true properties lack: name, className(), setText(), isVisible(), ..."""
    if name == "name":
        return _true_get(self, "objectName")
    if name == "className":
        return lambda: _true_get(self, "metaObject")().className()
    if name.startswith(("set", "is", "has")):
        setter = _python_setter(self, name)
        if setter:
            return setter
        try:
            return _plain(self, name)
        except AttributeError:
            pass
    if not name.startswith("__") and name in _dynamic_names(self):
        return _true_get(self, "property")(name)
    raise error


def _python_setter(self, name):
    """The ``setX`` that C++ would have for a property ``x`` of one of the stand-ins, or None."""
    attribute = _class_attribute(type(self), name[3:4].lower() + name[4:]) if name.startswith("set") else None
    return functools.partial(attribute.fset, self) if isinstance(attribute, QtCore.Property) else None


def _dynamic_names(self):
    """Names of the dynamic properties, those a .ui file can add to any widget."""
    return [bytes(name).decode() for name in _true_get(self, "dynamicPropertyNames")()]


def _set(self, name, value):
    """Attribute assignment of every QObject: only what exists can be set, as in C++."""
    if name == "name":
        name = "objectName"
    _true_get(self, "objectName")  # makes PySide6 look at this module's switch before the class is searched
    attribute = _class_attribute(type(self), name)
    if isinstance(attribute, QtCore.Property):
        attribute.fset(self, value)
    elif hasattr(attribute, "__set__"):
        attribute.__set__(self, value)
    elif type(value).__name__ in ("SignalInstance", "MetaFunction") or name == "__METAOBJECT__":
        _true_get(self, "__dict__")[name] = value  # PySide6 keeps these on the object
    elif _is_python_subclass(type(self)) or _is_private_of_stand_in(type(self), name):
        _true_get(self, "__dict__")[name] = value
    elif name in _HIDDEN or name in _dynamic_names(self):
        _true_get(self, "setProperty")(name, value)
    elif not _rules["loading"]:
        raise AttributeError(
            f"{type(self).__name__}: attribute '{name}' does not exist "
            "and creating new attributes on C++ objects is not allowed"
        )


def _is_python_subclass(cls):
    """A class the product wrote in Python may have any attribute; Qt's and the stand-ins may not."""
    return not cls.__module__.startswith("PySide6") and not cls.__dict__.get("stands_for_cpp", False)


def _is_private_of_stand_in(cls, name):
    """A stand-in's own state is declared on its class with a leading underscore."""
    return name.startswith("_") and any(name in base.__dict__ for base in cls.__mro__ if base.__dict__.get("stands_for_cpp"))

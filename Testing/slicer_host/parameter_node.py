"""The module ``slicer.parameterNodeWrapper``: typed fields kept in a real vtkMRMLScriptedModuleNode."""

import enum
import sys
import types
import typing
import weakref
from dataclasses import dataclass
from pathlib import PurePath

import slicer
import vtk

from . import parameter_gui


@dataclass
class Default:
    """Annotation: the value of a field before anyone sets it."""

    value: object


@dataclass
class WithinRange:
    """Annotation: both limits of a number."""

    minimum: float
    maximum: float

    def validate(self, value):
        """Raise unless the value is within the limits."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


@dataclass
class Minimum:
    """Annotation: the lower limit of a number."""

    minimum: float

    def validate(self, value):
        """Raise if the value is too small."""
        if value < self.minimum:
            raise ValueError(f"{value} is less than {self.minimum}")


@dataclass
class Maximum:
    """Annotation: the upper limit of a number."""

    maximum: float

    def validate(self, value):
        """Raise if the value is too large."""
        if value > self.maximum:
            raise ValueError(f"{value} is more than {self.maximum}")


@dataclass
class Choice:
    """Annotation: the only values a field may have."""

    choices: typing.Sequence

    def validate(self, value):
        """Raise unless the value is one of the choices."""
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {list(self.choices)}")


class Field:
    """One typed field: how it becomes text or a node reference, and back."""

    def __init__(self, name, hint, owner):
        self.name = name
        annotated = typing.get_origin(hint) is typing.Annotated
        kind, notes = (typing.get_args(hint)[0], typing.get_args(hint)[1:]) if annotated else (hint, ())
        self.kinds = [part for part in typing.get_args(kind) if part is not type(None)] or [kind]
        self.kind = self.kinds[0]
        self.notes = notes
        if not self._supported():
            raise TypeError(f"field '{name}': the Slicer stand-in cannot store {kind}")
        self.default = self._default(owner)

    def _supported(self):
        known = (bool, int, float, str, enum.Enum, PurePath, slicer.vtkMRMLNode)
        return all(isinstance(kind, type) and issubclass(kind, known) for kind in self.kinds)

    def _default(self, owner):
        """The value in the class body, the annotation, or the type's own."""
        given = [note.value for note in self.notes if isinstance(note, Default)]
        if self.name in vars(owner):
            given = [vars(owner)[self.name]]
        if given:
            return given[0]
        if self.is_node:
            return None
        return next(iter(self.kind)) if issubclass(self.kind, enum.Enum) else self.kind()

    @property
    def is_node(self):
        """Whether the field refers to a node of the scene."""
        return issubclass(self.kind, slicer.vtkMRMLNode)

    @property
    def node_types(self):
        """Class names of the nodes that fit."""
        return [kind.__name__ for kind in self.kinds]

    @property
    def choices(self):
        """The only values allowed, or None."""
        return next((note.choices for note in self.notes if isinstance(note, Choice)), None)

    @property
    def limits(self):
        """Smallest and largest value, each possibly None."""
        low = next((note.minimum for note in self.notes if hasattr(note, "minimum")), None)
        return low, next((note.maximum for note in self.notes if hasattr(note, "maximum")), None)

    def check(self, value):
        """Raise unless the value may be stored."""
        if value is None and self.is_node:
            return
        allowed = (int, float) if self.kind is float else tuple(self.kinds)
        if value is None:
            raise ValueError(f"'{self.name}' must not be None")
        if not isinstance(value, allowed):
            raise TypeError(f"'{self.name}' takes {self.kind.__name__}, not {type(value).__name__}")
        for note in self.notes:
            if hasattr(note, "validate"):
                note.validate(value)

    def write(self, node, value):
        """Store a value."""
        self.check(value)
        if self.is_node:
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        else:
            node.SetParameter(self.name, value.name if isinstance(value, enum.Enum) else str(value))

    def read(self, node):
        """The stored value; the default when there is none."""
        if self.is_node:
            return node.GetNodeReference(self.name)
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        text = node.GetParameter(self.name)
        if self.kind is bool:
            return text == "True"
        return self.kind[text] if issubclass(self.kind, enum.Enum) else self.kind(text)

    def as_property(self):
        """The attribute that product code uses."""
        return property(lambda wrapper: wrapper.getValue(self.name), lambda wrapper, value: wrapper.setValue(self.name, value))


class _Wrapper:
    """What every decorated class gains."""

    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode):
        self.__dict__.update(parameterNode=parameterNode, _links={}, _observers={}, _next_tag=0, _showing=False, _values={})
        for field in self.allParameters.values():
            if not parameterNode.HasParameter(field.name):
                field.write(parameterNode, field.default)
        self._refresh()
        me = weakref.ref(self)
        self.__dict__["_tag"] = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: me()._refresh())

    def __del__(self):
        self.parameterNode.RemoveObserver(self._tag)

    def _refresh(self):
        """Values are kept until the node is modified: a node that was removed stays the value for a moment."""
        self._values.update((name, field.read(self.parameterNode)) for name, field in self.allParameters.items())

    def __setattr__(self, name, value):
        """Stricter than Slicer: a misspelt field would otherwise be lost without a word."""
        if not hasattr(type(self), name):
            raise AttributeError(f"the parameter node has no field '{name}'")
        super().__setattr__(name, value)

    def _field(self, name):
        if name not in self.allParameters:
            raise ValueError(f"the parameter node has no field '{name}', only {sorted(self.allParameters)}")
        return self.allParameters[name]

    def getValue(self, name):
        """A field by its name."""
        self._field(name)
        return self._values[name]

    def setValue(self, name, value):
        """Set a field by its name."""
        with slicer.util.NodeModify(self.parameterNode):
            self._field(name).write(self.parameterNode, value)
            self._values[name] = self._field(name).read(self.parameterNode)

    def default(self, name):
        """The default of a field."""
        return Default(self._field(name).default)

    def dataType(self, name):
        """The type of a field."""
        return self._field(name).kind

    def isCached(self, name):
        """All kinds of values known here are."""
        return True

    def connectGui(self, gui):
        """Connect all widgets that carry a ``SlicerParameterName``; returns a tag for ``disconnectGui``."""
        import qt

        widgets = gui.findChildren(qt.QWidget) if isinstance(gui, qt.QWidget) else vars(gui).values()
        named = {widget.property("SlicerParameterName"): widget for widget in widgets}
        return self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping):
        """Connect fields to widgets, given as {name: widget}."""
        links = {name: parameter_gui.link(widget, self._field(name)) for name, widget in mapping.items()}
        tag = self._next_tag
        self.__dict__["_next_tag"] = tag + 1
        self._links[tag] = links
        for name, link in links.items():
            link.write(self.getValue(name))
            link.watch(lambda name=name, link=link: self._take(name, link))
        self._observers[tag] = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())
        return tag

    def disconnectGui(self, tag):
        """Undo ``connectGui``; an unknown tag does nothing."""
        for link in self._links.pop(tag, {}).values():
            link.release()
        if tag in self._observers:
            self.RemoveObserver(self._observers.pop(tag))

    def _take(self, name, link):
        """The user changed a widget."""
        if not self._showing:
            self.setValue(name, link.read())

    def _show(self):
        """The node changed: show it in all widgets."""
        if self._showing:
            return
        self.__dict__["_showing"] = True
        try:
            with slicer.util.NodeModify(self):
                for links in self._links.values():
                    for name, link in links.items():
                        link.write(self.getValue(name))
        finally:
            self.__dict__["_showing"] = False

    def StartModify(self):
        """See vtkMRMLNode."""
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying):
        """See vtkMRMLNode."""
        return self.parameterNode.EndModify(was_modifying)

    def AddObserver(self, event, callback, priority=0.0):
        """See vtkObject."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        """See vtkObject."""
        return self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        """See vtkObject."""
        return self.parameterNode.Modified()


def parameterNodeWrapper(cls=None):
    """Class decorator: annotations become fields."""
    if cls is None:
        return parameterNodeWrapper
    fields = {name: Field(name, hint, cls) for name, hint in typing.get_type_hints(cls, include_extras=True).items()}
    reserved = [name for name in fields if hasattr(_Wrapper, name)]
    if reserved:
        raise ValueError(f"Cannot use reserved name '{reserved[0]}' in a parameterNodeWrapper")
    body = {name: field.as_property() for name, field in fields.items()}
    return type(
        cls.__name__, (_Wrapper, cls), {**body, "allParameters": fields, "__module__": cls.__module__, "__doc__": cls.__doc__}
    )


def install():
    """Make ``slicer.parameterNodeWrapper`` importable."""
    parameter_gui.install()
    module = types.ModuleType("slicer.parameterNodeWrapper")
    for value in (parameterNodeWrapper, Default, WithinRange, Minimum, Maximum, Choice):
        setattr(module, value.__name__, value)
    module.isParameterNodeWrapper = lambda value: getattr(value, "_is_parameter_node_wrapper", False)
    module.SlicerParameterNamePropertyName = "SlicerParameterName"
    slicer.parameterNodeWrapper = sys.modules[module.__name__] = module

"""Connections by text, ``button.connect('clicked(bool)', f)``, as PythonQt has them."""

import inspect

from PySide6 import QtCore

from __feature__ import true_property  # noqa: F401  (a switch, not a name)

# (id of the sender, signal text, receiver) -> the function that is really connected, and the sender itself.
_connected = {}


def connect(sender, signal, receiver, slot=None):
    """Call ``receiver`` with as many of the signal's arguments as the text names and the function takes."""
    if not isinstance(signal, str):
        raise TypeError("connect() takes a signal's text such as 'clicked(bool)' first")
    if slot is not None:
        receiver = getattr(receiver, slot.split("(")[0])
    name, types = _parse(signal)
    bound = _signal(sender, name, types)
    keeper = _forward(receiver, types)
    key = (id(sender), name, types, receiver)
    if key in _connected:
        disconnect(sender, signal, receiver)
    _connected[key] = (keeper, bound)
    bound.connect(keeper)
    sender.destroyed.connect(lambda *_, key=key: _connected.pop(key, None))
    return True


def disconnect(sender, signal=None, receiver=None, slot=None):
    """Undo ``connect``; True when there was something to undo."""
    if slot is not None:
        receiver = getattr(receiver, slot.split("(")[0])
    name, types = _parse(signal) if signal else (None, None)
    keys = [
        key
        for key in _connected
        if key[0] == id(sender) and (name is None or key[1:3] == (name, types)) and (receiver is None or key[3] == receiver)
    ]
    for key in keys:
        keeper, bound = _connected.pop(key)
        bound.disconnect(keeper)
    return bool(keys)


def _parse(text):
    """'clicked(bool)' as ('clicked', ('bool',))."""
    name, bracket, rest = text.partition("(")
    if not bracket or not rest.endswith(")"):
        raise ValueError(f"'{text}' is not a signal: a signal is written like 'clicked(bool)'")
    types = tuple(part.strip() for part in rest[:-1].split(",") if part.strip())
    return name.strip(), types


def _signal(sender, name, types):
    """The sender's signal; raises when the class has none of that name and number of arguments."""
    meta = sender.metaObject()
    methods = [meta.method(index) for index in range(meta.methodCount())]
    known = [
        method
        for method in methods
        if bytes(method.name()).decode() == name and method.methodType() == QtCore.QMetaMethod.Signal
    ]
    wanted = f"{name}({','.join(types)})".replace(" ", "")
    fitting = [method for method in known if _fits(method, wanted, types)]
    if not fitting:
        names = ", ".join(bytes(method.methodSignature()).decode() for method in known) or "none"
        raise ValueError(f"{type(sender).__name__} has no signal '{wanted}' (of that name: {names})")
    return getattr(sender, name)


def _fits(method, wanted, types):
    """Qt's own signals must match to the letter; the stand-ins' carry any Python object."""
    signature = bytes(method.methodSignature()).decode()
    if "PyObject" in signature:
        return len(types) <= method.parameterCount()
    return signature == wanted.replace("const", "").replace("&", "")


def _forward(receiver, types):
    """A function that hands on the arguments both sides agree on."""
    limit = min(len(types), _accepted(receiver))

    def handed_on(*arguments):
        arguments = arguments[:limit]
        receiver(*[bool(value) if kind == "bool" else value for value, kind in zip(arguments, types)])

    # PySide6 counts a slot's arguments, and gives none to one that takes any number.
    fixed = {
        0: lambda: handed_on(),
        1: lambda a: handed_on(a),
        2: lambda a, b: handed_on(a, b),
        3: lambda a, b, c: handed_on(a, b, c),
    }
    return fixed[limit]


def _accepted(receiver):
    """How many positional arguments a function takes."""
    try:
        parameters = inspect.signature(receiver).parameters.values()
    except (TypeError, ValueError):
        return len(getattr(receiver, "__code__", None).co_varnames) if hasattr(receiver, "__code__") else 99
    if any(parameter.kind == parameter.VAR_POSITIONAL for parameter in parameters):
        return 99
    return sum(parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) for parameter in parameters)

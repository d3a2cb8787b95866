"""The process of networks: it answers the requests of ``NetworksApart``, one after the other.

A request is a tuple of its name, the model's name and arguments. The answer is any number of fractions of progress, then
one result or one error.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from ..child_process.pipe import Pipe
from ..progress import Progress
from .host import ANSWER, ERROR, PROGRESS, NetworksHere

# Types that every process can unpickle.
PLAIN = (str, bytes, int, float, type(None))


def serve(pipe: Pipe) -> None:
    """Answer requests until the other end of ``pipe`` is closed."""
    # torch's modules are a million objects that live as long as this process: garbage collection would only cost time.
    gc.disable()
    networks = NetworksHere()
    while True:
        try:
            request, model, *arguments = pipe.receive()
        except EOFError:
            return
        _answer(pipe, networks, request, model, arguments)


def _answer(pipe: Pipe, networks: NetworksHere, request: str, model: str | None, arguments: list[Any]) -> None:
    progress = Progress(lambda report: _say(pipe, PROGRESS, report.fraction), {request: 1.0})
    try:
        found = networks.network(model)
        if request == "log_odds":
            data, device, mirroring, step_size = arguments
            progress.enter(request)
            _say(pipe, ANSWER, found.log_odds(data, device, mirroring, step_size, progress.part(0, 1)))
        elif request != "begin":
            _say(pipe, ANSWER, found.info if request == "info" else found.device(*arguments))
    except Exception as error:
        # A model that fails to load in advance fails again when it is asked for.
        if request != "begin":
            _say(pipe, ERROR, portable(error))


def _say(pipe: Pipe, kind: int, content: object) -> None:
    try:
        pipe.send((kind, content))
    except OSError:
        # The other end is gone. Exit at once: interpreter shutdown with torch's modules takes long.
        os._exit(1)


def portable(error: Exception) -> Exception:
    """``error``, or a plain one with its message where another process might need torch to unpickle it."""
    is_known = type(error).__module__ in ("builtins", "CTADefaceLib.errors")
    if is_known and all(isinstance(part, PLAIN) for part in (*error.args, *vars(error).values())):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")

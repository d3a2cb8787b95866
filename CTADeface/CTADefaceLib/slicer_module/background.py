"""Long work of the engine in a thread, while the application goes on drawing its windows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from .scene.application import application
from .shared_worker import redraw

REDRAW_S = 0.02
Answer = TypeVar("Answer")
_at_work = 0


def in_background(work: Callable[[], Answer]) -> Answer:
    """What ``work()`` returns or raises, done in a thread. Meanwhile windows are drawn and timers fire; clicks and keys wait.

    ``work`` is pure numpy: scene, widgets and VTK belong to the main thread, which calls this function.
    """
    global _at_work
    if application() is None:
        return work()
    _at_work += 1
    try:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            # Slicer keeps Python to its main thread while it handles events: waiting here lets the other thread run.
            while not wait([future], REDRAW_S).done:
                redraw()
            return future.result()
    finally:
        _at_work -= 1


def at_work() -> bool:
    """Is ``in_background`` waiting? Then a timer should come again later, not begin something of its own."""
    return _at_work > 0

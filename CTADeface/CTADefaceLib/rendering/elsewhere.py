"""Pictures drawn in a process of their own: VTK draws in the main thread of a program only, where Slicer answers the user."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

import numpy as np

from .. import errors
from ..child_process.start import Child, start_child
from ..progress import Progress

if TYPE_CHECKING:
    # SciPy, which Slicer need not wait for when it starts.
    from .camera import Focus, View

POLL_S = 0.02


@contextmanager
def drawn_elsewhere(python: str, environment: Mapping[str, str] | None, progress: Progress) -> Iterator[None]:
    """Within it, ``render_views`` of this thread draws in a process of its own, started when first needed.

    Parameters: ``python`` the interpreter, ``environment`` its variables (None: ours); ``progress`` stops the drawing.
    """
    drawing = _Elsewhere(python, environment, progress)
    token = _elsewhere.set(drawing)
    try:
        yield
    finally:
        _elsewhere.reset(token)
        drawing.close()


def views_drawn_elsewhere(
    part: np.ndarray, matrix: np.ndarray, views: Sequence[View], size: int, focus: Focus, caption: str | None
) -> list[np.ndarray] | None:
    """As ``offscreen.draw_views`` where ``drawn_elsewhere`` holds, else None. Raises: also Cancelled."""
    drawing = _elsewhere.get()
    if drawing is None:
        return None
    return drawing.draw((np.ascontiguousarray(part), matrix, tuple(views), size, focus, caption))


class _Elsewhere:
    def __init__(self, python: str, environment: Mapping[str, str] | None, progress: Progress) -> None:
        self._python, self._environment, self._progress = python, environment, progress
        self._child: Child | None = None

    def draw(self, wanted: tuple) -> list[np.ndarray]:
        """Let the process draw what is wanted."""
        if self._child is None:
            with open(os.devnull, "wb") as log:
                self._child = start_child(
                    "CTADefaceLib.rendering.drawing:serve",
                    python=self._python,
                    environment=self._environment,
                    log=log,
                    own_session=True,
                )
        # A process that has died says why below.
        with suppress(OSError):
            self._child.pipe.send(wanted)
        return self._answer(self._child)

    def _answer(self, child: Child) -> list[np.ndarray]:
        while True:
            self._progress.check()
            answers, ended = child.pipe.received_now()
            for kind, answer in answers:
                if kind:
                    raise getattr(errors, kind)(answer)
                return list(answer)
            if ended:
                raise errors.DeviceError(
                    f"The process that draws pictures ended (exit code {child.exit_code()}); install OpenGL, or free memory."
                )
            time.sleep(POLL_S)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.end()
        self._child = None


_elsewhere: ContextVar[_Elsewhere | None] = ContextVar("drawn elsewhere", default=None)

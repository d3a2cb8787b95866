"""Long work of the engine in a thread, while the application goes on drawing its windows and offers to cancel it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Generic, TypeVar

import slicer

from ..errors import Cancelled
from ..progress import Progress
from ..rendering.elsewhere import drawn_elsewhere
from .cancel_window import CancelWindow
from .scene.application import application
from .shared_worker import child_environment, process_events, python_executable, redraw

if TYPE_CHECKING:
    from qt import QTimer

REDRAW_S = 0.02
# How long windows have to begin to draw.
DRAW_S = 0.04
# Work that takes longer is offered to be cancelled.
PATIENCE_S = 1.0
# How often a ``Later`` gives its thread the word, and for how long.
POLL_MS = 10
WORD_S = 0.01
Answer = TypeVar("Answer")
_at_work = 0


def in_background(work: Callable[[], Answer]) -> Answer:
    """What ``work()`` returns or raises, done in a thread. Meanwhile windows are drawn and timers fire; clicks and keys wait.

    ``work`` is pure numpy: scene, widgets and VTK belong to the main thread, which calls this function. When a person
    cancels it, it ends by itself and nobody hears of it. Raises: Cancelled.
    """
    return stoppable_in_background(lambda progress: work(), writes=False)


def stoppable_in_background(work: Callable[[Progress], Answer], writes: bool = True) -> Answer:
    """As ``in_background``, for ``work`` that gets a ``Progress``, which tells how far it is and stops it.

    ``writes``: it writes files, or does other things that must not go on after a cancel: its end is waited for.
    """
    global _at_work
    progress = _Watched()
    if application() is None:
        return work(progress)
    _at_work += 1
    pool, window, begun = ThreadPoolExecutor(1), CancelWindow(), time.monotonic()
    try:
        future = pool.submit(work, progress)
        # Slicer keeps Python to its main thread while it handles events: waiting here lets the other thread run.
        while not wait([future], REDRAW_S).done:
            if window.cancelled:
                progress.cancel()
                if not writes:
                    break
            elif time.monotonic() - begun > PATIENCE_S:
                window.show()
            window.tell(progress.fraction)
            # Clicks too while the window is open, as it takes all of them.
            (process_events if window.shown else redraw)()
        if window.cancelled and not writes:
            # Also when the work was quicker than the click: a person who cancels does not expect the next step.
            raise Cancelled()
        return future.result()
    finally:
        _at_work -= 1
        window.close()
        pool.shutdown(wait=False)


def at_work() -> bool:
    """Is ``in_background`` waiting? Then a timer should come again later, not begin something of its own."""
    return _at_work > 0


def drawing_in_background(work: Callable[[Progress], Answer], writes: bool = True) -> Answer:
    """As ``stoppable_in_background``; the pictures that ``work`` wants are drawn in a process of their own."""
    # Asked for here, because they belong to the application.
    python, environment = python_executable(), child_environment()

    def drawn(progress: Progress) -> Answer:
        with drawn_elsewhere(python, environment, progress):
            return work(progress)

    return stoppable_in_background(drawn, writes)


def draw_now() -> None:
    """Let the application draw what has changed so far, as ``in_background`` does while it waits."""
    global _at_work
    _at_work += 1
    end = time.monotonic() + DRAW_S
    try:
        # Views draw a moment after they were asked to, so as to draw several changes at once.
        while application() is not None and time.monotonic() < end:
            redraw()
            time.sleep(REDRAW_S / 4)
    finally:
        _at_work -= 1


def disturbing() -> bool:
    """Would something new disturb work that is waited for, or a person who is drawing with the mouse?"""
    import qt

    return at_work() or slicer.app.mouseButtons() != qt.Qt.NoButton


class Later(Generic[Answer]):
    """Work in a thread while the person goes on working; one at a time.

    Its answer goes to ``done``, after the end of a stroke, or is fetched by ``answer``. ``every_ms``: how often the thread
    gets the word; the more seldom, the smoother the application runs, and the longer the work takes.
    """

    def __init__(self, every_ms: int = POLL_MS) -> None:
        self._future: Future[Answer] | None = None
        self._done: Callable[[Answer], object] | None = None
        self._every_ms = every_ms
        self._timer: QTimer | None = None

    @property
    def busy(self) -> bool:
        """Is there work whose answer is still wanted?"""
        return self._future is not None

    def start(self, work: Callable[[], Answer], done: Callable[[Answer], object] | None = None) -> None:
        """Do ``work``, pure numpy, and call ``done`` with its answer in the main thread; earlier work is dropped. An error
        of ``work`` comes out of the timer, as errors of other slots do, or out of ``answer``."""
        self.drop()
        pool = ThreadPoolExecutor(1)
        self._future, self._done = pool.submit(work), done
        pool.shutdown(wait=False)
        # Without an application other threads run anyway.
        if application() is not None:
            import qt

            self._timer = qt.QTimer()
            self._timer.setInterval(self._every_ms)
            self._timer.connect("timeout()", self._poll)
            self._timer.start()

    def answer(self) -> Answer:
        """What the work returned or raised, waited for as in ``in_background``. Raises: also Cancelled."""
        future = self._future
        assert future is not None, "Nothing was started, or it was dropped."
        self.drop()
        return in_background(future.result)

    def drop(self) -> None:
        """Let work that is under way end by itself, unheeded."""
        self._future = self._done = None
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.disconnect("timeout()", self._poll)
            self._timer = None

    def _poll(self) -> None:
        # Waiting here lets the other thread run, as ``stoppable_in_background`` does by itself.
        if self._future is None or at_work() or not wait([self._future], WORD_S).done:
            return
        if self._done is None:
            self._stop_timer()
        elif not disturbing():
            future, done = self._future, self._done
            self.drop()
            done(future.result())


class _Watched(Progress):
    """A ``Progress`` that keeps what it was told last for another thread: ``fraction``, None while nothing is known."""

    def __init__(self) -> None:
        self.fraction: float | None = None
        super().__init__(lambda report: setattr(self, "fraction", report.fraction))

"""The next case of a batch, read while a person looks at the present one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..batch.correct import open_case
from ..batch.review_queue import Item
from ..voxels.images import mask_on_grid
from ..voxels.volume import Geometry
from .background import at_work, in_background
from .scene.application import application

if TYPE_CHECKING:
    from qt import QTimer

# Slicer keeps Python to its main thread while it handles events, so the reading thread runs only while that one waits.
GIVEN_MS, EVERY_MS = 15, 40


class ReadCase(NamedTuple):
    """The original of a case, ``hu`` (k, j, i) on its ``geometry``, and its face ``mask`` on the same grid, if it has one."""

    hu: np.ndarray
    geometry: Geometry
    mask: np.ndarray | None


def read_case(item: Item) -> ReadCase:
    """Raises: InputError, MaskError, MissingPackages."""
    source, given = open_case(item)
    hu = np.ascontiguousarray(source.to_hu(source.stored))
    return ReadCase(hu, source.geometry, None if given is None else mask_on_grid(given, source))


class ReadAhead:
    """Holds one case at most, which ``begin`` reads in a thread and ``take`` gives out."""

    def __init__(self) -> None:
        self._item: Item | None = None
        self._future: Future[ReadCase] | None = None
        self._timer: QTimer | None = None

    def begin(self, item: Item | None) -> None:
        """Read ``item`` in place of what was read ahead before; None: nothing."""
        if item is not None and item == self._item:
            return
        self.forget()
        if item is None:
            return
        pool = ThreadPoolExecutor(1)
        self._item, self._future = item, pool.submit(read_case, item)
        pool.shutdown(wait=False)
        if application() is not None:
            import qt

            timer = self._timer = qt.QTimer()
            timer.setInterval(EVERY_MS)
            timer.connect("timeout()", self._let_it_run)
            timer.start()

    def take(self, item: Item) -> ReadCase:
        """What was read ahead of ``item``, or, if that was not, the case read now. Raises: as ``read_case``."""
        future = self._future if item == self._item else None
        self.forget()
        return in_background(future.result if future is not None else lambda: read_case(item))

    def forget(self) -> None:
        """Let go of the voxels; a file that is being read is read to its end first."""
        self._item = self._future = None
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.disconnect("timeout()", self._let_it_run)
            self._timer = None

    def _let_it_run(self) -> None:
        if self._future is None or self._future.done():
            self._stop_timer()
        elif not at_work():
            wait([self._future], GIVEN_MS / 1000)

"""Blocks of a file made ahead on a thread of their own, before they are asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

MOST_BLOCKS = 8
Block = TypeVar("Block")


@dataclass(frozen=True)
class _End:
    """Follows the last block; ``error`` is what the iterable raised."""

    error: BaseException | None


@contextmanager
def ahead(blocks: Iterable[Block]) -> Iterator[Iterator[Block]]:
    """The items of the iterable ``blocks``, made from now on by another thread, up to 8 ahead of what was taken.

    For work that releases Python's lock, such as unpacking, while this thread is busy with Python. What ``blocks``
    raises is raised where the item would come. After the ``with`` the rest is not made.
    """
    made: queue.Queue[Block | _End] = queue.Queue(MOST_BLOCKS)
    left = threading.Event()
    thread = threading.Thread(target=_make, args=(blocks, made, left), daemon=True)
    thread.start()
    try:
        yield _taken(made)
    finally:
        left.set()
        _wait_for(thread, made)


def _make(blocks: Iterable[Block], made: queue.Queue[Block | _End], left: threading.Event) -> None:
    end = _End(None)
    try:
        for block in blocks:
            made.put(block)
            if left.is_set():
                return
    except BaseException as error:
        end = _End(error)
    made.put(end)


def _taken(made: queue.Queue[Block | _End]) -> Iterator[Block]:
    while not isinstance(item := made.get(), _End):
        yield item
    if item.error is not None:
        raise item.error


def _wait_for(thread: threading.Thread, made: queue.Queue[Block | _End]) -> None:
    while thread.is_alive():
        # The thread may wait for room in the queue.
        while not made.empty():
            made.get()
        thread.join(0.01)

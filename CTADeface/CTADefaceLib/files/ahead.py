"""Blocks of a file taken on a thread of their own, before anybody asks for them."""

import queue
import threading
from contextlib import contextmanager

MOST_BLOCKS = 8
_END = object()


@contextmanager
def ahead(blocks):
    """The items of the iterable ``blocks``, which are made from now on, up to 8 of them ahead of what was taken.

    For what computes without Python's lock, as unpacking does, while this thread is busy with Python. What ``blocks``
    raises is raised where the item would come. On leaving, the rest is not made.
    """
    made, left = queue.Queue(MOST_BLOCKS), threading.Event()

    def make():
        last = _END, None
        try:
            for block in blocks:
                made.put((block, None))
                if left.is_set():
                    return
        except BaseException as error:
            last = _END, error
        made.put(last)

    def taken():
        while True:
            block, error = made.get()
            if block is not _END:
                yield block
            elif error is None:
                return
            else:
                raise error

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        while thread.is_alive():
            # It may wait for room.
            while not made.empty():
                made.get()
            thread.join(0.01)

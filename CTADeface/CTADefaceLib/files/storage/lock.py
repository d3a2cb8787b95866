"""A lock on an open file; the system releases it when the process ends, however it ends."""

from __future__ import annotations

import sys
import time
from typing import IO

# Raised when another process holds the lock; any other OSError means that this file system has no locks.
BUSY = BlockingIOError, PermissionError
WAIT_S = 0.01


def lock(stream: IO[bytes]) -> None:
    """Lock an open file, without waiting. Raises: one of ``BUSY``; another OSError where files cannot be locked."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock_within(stream: IO[bytes], seconds: float) -> None:
    """As ``lock``; where another process holds it, wait for that one so many ``seconds``. Raises: as ``lock``."""
    end = time.monotonic() + seconds
    while True:
        try:
            lock(stream)
            return
        except BUSY:
            if time.monotonic() > end:
                raise
            time.sleep(WAIT_S)

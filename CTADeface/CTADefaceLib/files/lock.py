"""A lock on an open file; the system releases it when the process ends, however it ends."""

from __future__ import annotations

import sys
from typing import IO

# Raised when another process holds the lock; any other OSError means that this file system has no locks.
BUSY = BlockingIOError, PermissionError


def lock(stream: IO[bytes]) -> None:
    """Lock an open file, without waiting. Raises: one of ``BUSY``; another OSError where files cannot be locked."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)

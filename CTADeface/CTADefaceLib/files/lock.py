"""A lock on an open file, which the system takes away from a process that dies, however it dies."""

import sys

# What the systems raise where somebody else holds the lock; any other OSError: this file system has no locks.
BUSY = BlockingIOError, PermissionError


def lock(stream):
    """Lock an open file at once. Raises: one of ``BUSY``; another OSError where that cannot be done."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)

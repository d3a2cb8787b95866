"""One node at a time works in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import OutputError
from ..files.storage.lock import lock_within
from ..files.storage.private import open_private
from .config import Config

LOCK = "node.lock"
# A look at the status holds it for a moment.
WAIT_S = 1.0


@contextmanager
def only_one(config: Config, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the node's folder for one process; the system frees it when that one ends.

    ``wait_s``: so long another process may hold it. Raises: OutputError.
    """
    with open_private(config.folder / LOCK, "a+b") as stream:
        try:
            lock_within(stream, wait_s)
        except OSError:
            raise OutputError(f"{config.folder}: another node runs there; stop that one, or choose another folder.") from None
        yield

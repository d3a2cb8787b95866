"""One node at a time works in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import OutputError
from ..files.lock import lock
from ..files.private import open_private
from .config import Config

LOCK = "node.lock"


@contextmanager
def only_one(config: Config) -> Iterator[None]:
    """Hold the node's folder for one process; the system frees it when that one ends. Raises: OutputError."""
    with open_private(config.folder / LOCK, "a+b") as stream:
        try:
            lock(stream)
        except OSError:
            raise OutputError(f"{config.folder}: another node runs there; stop that one, or choose another folder.") from None
        yield

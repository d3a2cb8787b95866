"""New folders with unused names, in places where the user may lack permission to write.

There ``tempfile`` on Windows takes the refusal for a name in use and tries two billion others (python/cpython#66305).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def new_folder(place: str | Path, prefix: str) -> Path:
    """Path of a new folder in ``place``, for its owner only. Raises: OSError when nothing can be written there."""
    folder = Path(place) / f"{prefix}{uuid4().hex}"
    folder.mkdir(mode=0o700)
    return folder


@contextmanager
def temporary_folder(place: str | Path, prefix: str) -> Iterator[Path]:
    """A ``new_folder`` that is deleted with all that is in it at the end of the ``with``."""
    folder = new_folder(place, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

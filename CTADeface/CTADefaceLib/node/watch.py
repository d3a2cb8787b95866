"""A folder from which DICOM files are taken: each is deleted there once the node has it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..batch.find import folders_of
from ..errors import CTADefaceError, InputError
from .logs import NodeLog
from .spool import Spool

REST_S = 10.0


class Watch:
    """Takes files that have rested for ``REST_S`` and between two looks, so that none is taken half written."""

    def __init__(self, folder: Path, spool: Spool, log: NodeLog) -> None:
        self._folder, self._spool, self._log = folder, spool, log
        self._seen: dict[Path, tuple[int, int]] = {}
        # No DICOM, until it changes.
        self._refused: dict[Path, tuple[int, int]] = {}

    def look(self) -> None:
        """Take what there is; it stops at the first file for which there is no room."""
        before, self._seen = self._seen, {}
        for folder, names in folders_of(self._folder, ()):
            for name in names:
                path = folder / name
                try:
                    status = path.stat()
                    self._seen[path] = seen = status.st_size, status.st_mtime_ns
                    rested = time.time() - max(status.st_mtime, status.st_ctime) >= REST_S
                    if rested and before.get(path) == seen and self._refused.get(path) != seen:
                        self._take(path, seen)
                except OSError:
                    continue  # somebody has taken it away
                except CTADefaceError as error:
                    self._log("no room", reason=str(error))
                    return

    def _take(self, path: Path, seen: tuple[int, int]) -> None:
        try:
            self._spool.put(path.read_bytes())
        except InputError:
            self._refused[path] = seen
            self._log("no DICOM", reason="a file in the watched folder cannot be read as DICOM, and stays there")
            return
        os.unlink(path)
        del self._seen[path]

"""Asks, before hours of work, whether a folder can be written to."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def refusal(folder: str | Path) -> str | None:
    """Why nothing can be written to ``folder``, which need not exist, or None; nothing is left there."""
    folder = Path(folder).absolute()
    missing = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    there = missing[-1].parent if missing else folder
    if not there.is_dir():
        return "is a file, not a folder" if there == folder else f"{there} is a file, not a folder"
    try:
        if missing:
            _try(missing[-1])
        elif not os.access(folder, os.W_OK | os.X_OK):
            read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
            raise OSError(errno.EROFS if read_only else errno.EACCES, "")
    except OSError as error:
        return f"cannot be written ({os.strerror(error.errno or errno.EACCES)})"
    return None


def _try(folder: Path) -> None:
    """Make a folder and take it away again: no permission says as much, above all not for an administrator."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return  # another run has made it meanwhile
    try:
        folder.rmdir()
    except OSError:
        return  # another run uses it already

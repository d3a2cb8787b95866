"""Lines that are only ever added to a file of the hospital's; several processes may do so at once."""

from __future__ import annotations

import os
from pathlib import Path

from .private import FILE_MODE, private_folder


def append(path: str | Path, content: bytes) -> None:
    """Write ``content``, whole lines, to the end of a file in one piece, and wait until the disk has it.

    The file and its folder are made for the owner only; a last line that a power cut has torn is ended first.
    Raises: OSError.
    """
    path = Path(path)
    private_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), FILE_MODE)
    try:
        if _is_torn(handle):
            content = b"\n" + content
        if os.write(handle, content) != len(content):
            raise OSError(28, "No space left on device")
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_torn(handle: int) -> bool:
    size = os.lseek(handle, 0, os.SEEK_END)
    return size > 0 and _last_byte(handle, size) != b"\n"


def _last_byte(handle: int, size: int) -> bytes:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)

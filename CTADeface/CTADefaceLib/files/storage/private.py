"""Folders and files that only their owner may read, whatever the umask, for what shows a face or names a patient.

Where there are no modes (FAT, Windows), the permissions of the folder decide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, Literal, TextIO, overload

FOLDER_MODE, FILE_MODE = 0o700, 0o600


def private_folder(folder: str | Path, release: str | Path | None = None) -> Path:
    """Make ``folder`` and its missing parents for the owner only; returns it. Existing folders stay as they are.

    ``release``: the folder that is given away; parents that it shares with ``folder`` get the modes of the umask.
    Raises: OSError.
    """
    folder = Path(folder)
    public = {*Path(release).resolve().parents} if release is not None else set()
    for missing in reversed([path for path in (folder, *folder.parents) if not path.is_dir()]):
        if missing.resolve() in public:
            missing.mkdir(exist_ok=True)
        else:
            missing.mkdir(mode=FOLDER_MODE, exist_ok=True)
    return folder


def private_file(path: str | Path) -> Path:
    """Make an empty file for the owner only, or make an existing one private; returns the path. Raises: OSError."""
    path = Path(path)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        return path
    make_private(path)
    return path


def make_private(path: Path) -> None:
    """Take the permissions of all others away from a file, or from a folder and what is in it."""
    # Some file systems know no modes.
    with suppress(OSError):
        os.chmod(path, FOLDER_MODE if path.is_dir() else FILE_MODE)
    if path.is_dir():
        for inside in path.iterdir():
            make_private(inside)


@overload
def open_private(path: str | Path, mode: Literal["w"] = "w", encoding: str | None = None) -> TextIO: ...
@overload
def open_private(path: str | Path, mode: Literal["wb", "a+b"]) -> BinaryIO: ...


def open_private(path: str | Path, mode: str = "w", encoding: str | None = None) -> IO[str] | IO[bytes]:
    """As ``open``; the file is for the owner only from its first byte. Raises: OSError."""
    return open(private_file(path), mode, encoding=encoding)


@contextmanager
def private_umask() -> Iterator[None]:
    """A ``with`` in which all files that this process and its children make are for the owner only.

    For writers of other packages; the umask is that of all threads.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)

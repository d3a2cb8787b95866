"""Renames one file or folder to its final name, and undoes that."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

OLD, NEW, PART = "-old", "-new", "-part"
# FAT keeps times in steps of two seconds.
SAME_TIME_S = 2.0


@dataclass
class Move:
    """The file or folder ``temporary`` is renamed to ``path`` (None: ``path`` is deleted), the previous version to ``old``.

    ``near``: a hidden folder beside ``path``, for what cannot be renamed from ``temporary``, because that lies on another
    disk. ``made``: what ``seen`` says of ``temporary`` when it is complete, None before.
    """

    path: str
    temporary: str | None
    old: str
    near: str
    overwrite: bool = False
    public: bool = False
    made: tuple[int | None, float] | None = None


def is_one_step(move: Move, place: str | Path) -> bool:
    """Is the move a single rename within one folder, and therefore atomic?"""
    return (
        move.temporary is not None
        and os.path.dirname(move.path) == str(place)
        and not (os.path.isdir(move.temporary) and os.path.lexists(move.path))
    )


def carry_out(move: Move, keep: bool) -> None:
    """Make a move, by way of a copy where it goes from one disk to another; ``keep`` the previous version. Raises: OSError."""
    try:
        _rename(move.temporary, move.path, move.old if keep else None, move.overwrite)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = Path(move.near + PART)
        part.mkdir(mode=0o700)
        if move.temporary:
            (shutil.copytree if os.path.isdir(move.temporary) else shutil.copy2)(move.temporary, part / NEW)
            flush(part / NEW)
        # From here on, a file that is missing in ``near`` has been renamed already.
        os.rename(part, move.near)
        copied = None if move.temporary is None else os.path.join(move.near, NEW)
        _rename(copied, move.path, os.path.join(move.near, OLD), move.overwrite)


def _rename(temporary: str | None, path: str, old: str | None, overwrite: bool) -> None:
    """Rename ``temporary`` to ``path``; the previous version is renamed to ``old``, or replaced where ``old`` is None."""
    if temporary is None:
        # A deletion is never one step by itself, so that the previous version is kept.
        assert old is not None
        if os.path.lexists(path):
            os.rename(path, old)
    elif os.path.isdir(temporary):
        _rename_folder(temporary, path, old, overwrite)
    elif overwrite:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, "a folder has that name", path)
        if old and os.path.lexists(path):
            _keep(path, old)
        os.replace(temporary, path)
    else:
        _rename_new(temporary, path)


def _rename_folder(temporary: str, path: str, old: str | None, overwrite: bool) -> None:
    if os.path.lexists(path):
        # Without ``old`` there was nothing to replace a moment ago: another program has made it meanwhile.
        if not overwrite or old is None:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        os.rename(path, old)
    try:
        os.rename(temporary, path)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            # Another program has made it meanwhile.
            raise FileExistsError(errno.EEXIST, "File exists", path) from None
        raise


def _keep(path: str, old: str) -> None:
    """Give ``path`` the second name ``old``; where there are no hard links, only that name."""
    try:
        os.link(path, old)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise
        os.rename(path, old)


def _rename_new(temporary: str, path: str) -> None:
    """Rename a file by a hard link, which fails when another program has made ``path`` meanwhile."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if isinstance(error, FileExistsError) or error.errno == errno.EXDEV:
            raise
        # Without hard links (FAT, some network drives) the check and the rename are two steps.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", path) from None
        os.replace(temporary, path)


def put_back(moves: Sequence[Move], folder: Path) -> None:
    """Undo moves, whether or not they were made; ``folder`` takes what is discarded. Raises: OSError; can be repeated."""
    for move in reversed(moves):
        ours = _is_ours(move)
        old = next((old for old in _olds(move) if os.path.lexists(old)), None)
        if ours and (old is None or os.path.isdir(move.path)):
            _discard(move.path, folder)
        if old is not None and (ours or not os.path.lexists(move.path)):
            os.replace(old, move.path)
    for name in {os.path.dirname(move.path) for move in moves}:
        flush_folder(name)


def _olds(move: Move) -> tuple[str, str]:
    return move.old, os.path.join(move.near, OLD)


def _is_ours(move: Move) -> bool:
    """Is what lies at the path of a move what was staged for it?"""
    # What was never complete was never renamed.
    if not move.temporary or move.made is None or not os.path.lexists(move.path):
        return False
    source = os.path.join(move.near, NEW) if os.path.isdir(move.near) else move.temporary
    if os.path.lexists(source):
        return os.path.samefile(source, move.path)
    # It was renamed. Another program may have put another file there since, or a file into the folder.
    size, changed = seen(move.path)
    return size is None or (size == move.made[0] and abs(changed - move.made[1]) <= SAME_TIME_S)


def seen(path: str | Path) -> tuple[int | None, float]:
    """(size of a file, None for a folder; time of the last change): what a rename does not alter."""
    status = os.stat(path)
    return None if os.path.isdir(path) else status.st_size, status.st_mtime


def _discard(path: str, folder: Path) -> None:
    """Delete ``path``; a folder is moved into ``folder`` first, so that it is never seen with a part of its files."""
    if os.path.isdir(path):
        with suppress(OSError):
            os.rename(path, folder / uuid4().hex)
            return
    delete(path)


def delete(path: str | Path) -> None:
    """Delete a file, if it is there, or a folder with all that is in it."""
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


def flush(path: str | Path) -> None:
    """Write a file, or all files of a folder, through to the disk. Raises: OSError."""
    if os.path.isdir(path):
        for inside in os.listdir(path):
            flush(os.path.join(path, inside))
        flush_folder(path)
        return
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def flush_folder(folder: str | Path) -> None:
    """Write the names in a folder through to the disk, where that is possible, so that they outlast a power cut."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

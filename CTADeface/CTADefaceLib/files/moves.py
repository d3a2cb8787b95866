"""One file or folder on its way to its name: how it gets there, and how it goes back."""

import errno
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

OLD, NEW, PART = "-old", "-new", "-part"
# FAT keeps times in steps of two seconds.
SAME_TIME_S = 2.0


@dataclass
class Move:
    """What lies at ``temporary`` (None: nothing, ``path`` is deleted) goes to ``path``; what is there, to ``old``.

    ``made`` size and time of the new file; ``near`` a hidden folder beside ``path``, for
    what cannot be renamed from ``temporary`` to there, because they lie on different disks.
    """

    path: str
    temporary: str | None
    old: str
    near: str
    overwrite: bool = False
    public: bool = False
    made: tuple | None = None


def is_one_step(move, place):
    """Is the move one rename in one folder, and so all or nothing by itself?"""
    return (move.temporary is not None and os.path.dirname(move.path) == str(place)
            and not (os.path.isdir(move.temporary) and os.path.lexists(move.path)))


def carry_out(move, keep):
    """Make a move; ``keep`` what is replaced. May be far: from one disk to another, and by way of a copy then."""
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
        # From here on, what is missing there has its name already.
        os.rename(part, move.near)
        _rename(move.temporary and os.path.join(move.near, NEW), move.path, os.path.join(move.near, OLD), move.overwrite)


def _rename(temporary, path, old, overwrite):
    if temporary is None:
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


def _rename_folder(temporary, path, old, overwrite):
    if os.path.lexists(path):
        if not overwrite:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        os.rename(path, old)
    try:
        os.rename(temporary, path)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            # Somebody made it meanwhile.
            raise FileExistsError(errno.EEXIST, "File exists", path) from None
        raise


def _keep(path, old):
    """``path`` also under the name ``old``, or only, where there are no hard links."""
    try:
        os.link(path, old)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise
        os.rename(path, old)


def _rename_new(temporary, path):
    """Rename a file; a hard link fails when somebody made ``path`` meanwhile."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if isinstance(error, FileExistsError) or error.errno == errno.EXDEV:
            raise
        # No hard links here (FAT, some network drives): the check and the rename are then two steps.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", path) from None
        os.replace(temporary, path)


def put_back(moves, folder):
    """Undo moves, also those that were not made or are undone already. Raises: OSError; it can be done again."""
    for move in reversed(moves):
        ours = _is_ours(move)
        old = next((old for old in _olds(move) if os.path.lexists(old)), None)
        if ours and (old is None or os.path.isdir(move.path)):
            _discard(move.path, folder)
        if old is not None and (ours or not os.path.lexists(move.path)):
            os.replace(old, move.path)
    for name in {os.path.dirname(move.path) for move in moves}:
        flush_folder(name)


def _olds(move):
    return move.old, os.path.join(move.near, OLD)


def _is_ours(move):
    """Is what lies at the path of a move what was staged for it?"""
    source = os.path.join(move.near, NEW) if os.path.isdir(move.near) else move.temporary
    if not move.temporary or not os.path.lexists(move.path):
        return False
    if os.path.lexists(source):
        return os.path.samefile(source, move.path)
    # It was renamed. Somebody may have put another file there since; of a folder, put a file into it.
    size, changed = seen(move.path)
    return size is None or (size == move.made[0] and abs(changed - move.made[1]) <= SAME_TIME_S)


def seen(path):
    """(size of a file, None of a folder; time of the last change): what a rename leaves as it is."""
    status = os.stat(path)
    return None if os.path.isdir(path) else status.st_size, status.st_mtime


def _discard(path, folder):
    """Delete ``path``; a folder never shows with a part of its files: it goes into ``folder`` first."""
    if os.path.isdir(path):
        with suppress(OSError):
            os.rename(path, folder / uuid4().hex)
            return
    delete(path)


def delete(path):
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


def flush(path):
    if os.path.isdir(path):
        for inside in os.listdir(path):
            flush(os.path.join(path, inside))
        flush_folder(path)
        return
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def flush_folder(folder):
    """Make the new names outlast a power cut, where folders can be flushed."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

"""Several files and folders get their names all together or not at all, even when the run is killed in between.

A ``Publication`` keeps unfinished files in a hidden folder, and beside that a journal, a file that it holds locked. The
journal lists all renames before the first one is made; after the last one it is deleted, which completes the publication.
``recover`` finds the journals that no process has locked, those of dead runs, and puts everything back as it was before,
so that the same command can run again. Where something was replaced, or came from another disk, previous versions or
copies are still to be deleted after the last rename; the journal then says that the renames are done.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from .lock import BUSY, lock
from .moves import OLD, PART, Move, carry_out, delete, flush, flush_folder, is_one_step, put_back, seen
from .private import FILE_MODE, FOLDER_MODE, make_private, private_folder

STAGING = ".cta-deface-"
JOURNAL = ".journal"
# Where files cannot be locked, a journal of this age is stale.
STALE_S = 86_400.0


class Publication:
    """New files and folders on their way to their names, and old ones on their way out.

    ``place`` is the folder in which the hidden folder of unfinished files lies; it is made when needed. ``release`` is the
    folder that is given away, if there is one: missing parents that others share with it get the modes of the umask, as
    does what is staged as public; all else is for the owner only (see ``private``). For use in a ``with``, at whose end
    everything that was not committed is deleted. Raises: OSError.
    """

    def __init__(self, place: str | Path, release: str | Path | None = None) -> None:
        self._place, self._release = Path(place), release
        self._stream: BinaryIO | None = None
        self._moves: list[Move] = []
        self._count = 0
        recover(self._place)

    def __enter__(self) -> Publication:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    @property
    def folder(self) -> Path:
        """The hidden folder, for its owner only."""
        return _folder_of(self._journal.name)

    @property
    def _journal(self) -> BinaryIO:
        """The open journal; it and the hidden folder are made when first needed."""
        if self._stream is None:
            _make_folder(self._place, self._release)
            self._stream = _new_journal(self._place.resolve())
            _folder_of(self._stream.name).mkdir(mode=FOLDER_MODE)
        return self._stream

    def stage(self, path: str | Path, overwrite: bool = False, public: bool = False) -> Path:
        """A new name to write a file or a folder to, which becomes ``path``.

        ``public``: it is given away; what is public is renamed last, when the hospital's own files are in place.
        """
        path = Path(path)
        _make_folder(path.parent, self._release, public)
        own = self._next_place()
        own.mkdir(mode=FOLDER_MODE)
        temporary = own / path.name
        self._add(path, own, temporary, overwrite, public)
        return temporary

    def remove(self, path: str | Path) -> None:
        """Delete ``path``, a file or folder, together with everything else that is committed."""
        self._add(Path(path), self._next_place(), None, True, True)

    def _next_place(self) -> Path:
        """A new name in the hidden folder."""
        self._count += 1
        return self.folder / str(self._count)

    def _add(self, path: Path, own: Path, temporary: Path | None, overwrite: bool, public: bool) -> None:
        path = path.parent.resolve() / path.name
        near = path.with_name(f"{self.folder.name}-{own.name}")
        self._moves.append(
            Move(str(path), None if temporary is None else str(temporary), str(own) + OLD, str(near), overwrite, public)
        )

    @contextmanager
    def part(self) -> Iterator[Publication]:
        """A ``with`` in which all that is staged is dropped when it fails; what was staged before stays."""
        before = len(self._moves)
        try:
            yield self
        except BaseException:
            for move in self._moves[before:]:
                if move.temporary is not None:
                    delete(move.temporary)
            del self._moves[before:]
            raise

    def commit(self) -> None:
        """Rename everything. Raises: OSError, FileExistsError for a name that is taken; all is then as before."""
        moves = sorted(self._moves, key=lambda move: move.public)
        if not moves:
            return
        alone = len(moves) == 1 and is_one_step(moves[0], self._place.resolve())
        try:
            _complete(moves)
            if not alone:
                self._note({"moves": [asdict(move) for move in moves]})
            _carry_out_all(moves, keep=not alone)
        except BaseException:
            if not alone:
                self._take_back(moves)
            raise
        if not alone and (sys.platform == "win32" or _leave_something(moves)):
            # Once previous versions are being deleted, nothing can be put back. On Windows the lock ends before its file is
            # deleted.
            self._note({"done": True})
        self._end()

    def _take_back(self, moves: list[Move]) -> None:
        try:
            put_back(moves, self.folder)
        except BaseException:
            # The journal stays, so that the next run tries again.
            self._journal.close()
            self._stream = None
            raise

    def _note(self, line: dict[str, object]) -> None:
        """Add a line to the journal, and wait until the disk has it."""
        self._journal.write(json.dumps(line).encode() + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        flush_folder(self._place)

    def _end(self) -> None:
        if self._stream is not None:
            _clear(self._stream, self._moves)
            self._stream, self._moves = None, []


def _complete(moves: Iterable[Move]) -> None:
    """Give the new files and folders their modes and write them to the disk, before they are renamed."""
    for move in moves:
        if move.temporary:
            if not move.public:
                # Other packages write files with the modes of the umask.
                make_private(Path(move.temporary))
            flush(move.temporary)
            move.made = seen(move.temporary)


def _carry_out_all(moves: Iterable[Move], keep: bool) -> None:
    for move in moves:
        carry_out(move, keep=keep)
    for folder in {os.path.dirname(move.path) for move in moves}:
        flush_folder(folder)


def _leave_something(moves: Iterable[Move]) -> bool:
    """Are there previous versions, or copies from another disk, that are still to be deleted?"""
    return any(os.path.lexists(left) for move in moves for left in (move.old, move.near))


def recover(place: str | Path) -> None:
    """Undo in the folder ``place`` what dead runs began, and delete what they left; running ones are left alone."""
    try:
        names = [name for name in os.listdir(place) if name.startswith(STAGING) and name.endswith(JOURNAL)]
    except OSError:
        return
    for name in names:
        # It may be another user's, or another run may be deleting it now.
        with suppress(OSError):
            _settle(Path(place).resolve() / name)


def _settle(journal: Path) -> None:
    with open(journal, "r+b") as stream:
        if not _is_over(stream):
            return
        moves, done = _read(stream)
        if not done:
            put_back(moves, _folder_of(journal))
        _clear(stream, moves)


def _read(stream: BinaryIO) -> tuple[list[Move], bool]:
    """(moves, have all been made?) of a journal; a torn line is always the last one, and is skipped."""
    stream.seek(0)
    moves: list[Move] = []
    done = False
    for text in stream:
        with suppress(ValueError):
            line = json.loads(text)
            moves = [Move(**move) for move in line.get("moves", ())] or moves
            done = done or "done" in line
    return moves, done


def _is_over(stream: BinaryIO) -> bool:
    """Is the run of an open journal dead? If so, we hold the lock now."""
    try:
        lock(stream)
    except BUSY:
        return False
    except OSError:
        return time.time() - os.fstat(stream.fileno()).st_mtime > STALE_S
    return _is_there(stream)


def _is_there(stream: BinaryIO) -> bool:
    """Is the open file still the one of that name, or has it been deleted meanwhile?"""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(stream.name))
    except OSError:
        return False


def _new_journal(place: Path) -> BinaryIO:
    """A new journal, open and locked."""
    while True:
        stream = open(place / f"{STAGING}{uuid4().hex}{JOURNAL}", "x+b", opener=_private)  # noqa: SIM115  (open as long as the publication)
        try:
            lock(stream)
        except BUSY:
            # Another run has locked it first, because it takes it for a dead run's.
            stream.close()
            continue
        except OSError:
            return stream
        if _is_there(stream):
            return stream
        stream.close()


def _make_folder(folder: Path, release: str | Path | None, public: bool = False) -> None:
    try:
        if public:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            private_folder(folder, release)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "a file has that name", str(folder)) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)


def _folder_of(journal: str | Path) -> Path:
    return Path(journal).with_suffix("")


def _clear(stream: BinaryIO, moves: Sequence[Move]) -> None:
    """Delete what is left of a publication, its journal last."""
    journal = stream.name
    near = [move.near + end for move in moves for end in ("", PART)]
    for folder in (*map(Path, near), _folder_of(journal)):
        shutil.rmtree(folder, ignore_errors=True)
    if _folder_of(journal).exists():
        # Another program has a file in it open: the next run deletes it, and must not undo anything.
        stream.write(b'{"done": true}\n')
        stream.close()
        return
    if sys.platform == "win32":
        stream.close()
    with suppress(OSError):
        os.unlink(journal)
    stream.close()

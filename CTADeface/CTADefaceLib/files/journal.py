"""Several files and folders get their names all together or not at all, also when the run is killed in between.

A ``Publication`` keeps what is unfinished in a hidden folder, beside its journal, a file that it holds locked. Before
the first name changes, the journal tells which will; when the last has changed, the journal goes, and with that all is
done. ``recover`` finds the journals that nobody holds, those of dead runs, and puts everything back as it was before
them, so that the same command does it again. Only where something was replaced, or came from another disk, is there a
moment in which all has its name and the rest is still to go; the journal then says so.
"""

import errno
import json
import os
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from .lock import BUSY, lock
from .moves import OLD, PART, Move, carry_out, delete, flush, flush_folder, is_one_step, put_back, seen
from .private import FILE_MODE, FOLDER_MODE, make_private, private_folder

STAGING = ".cta-deface-"
JOURNAL = ".journal"
# Where files cannot be locked: certainly over after this.
STALE_S = 86_400.0


class Publication:
    """New files and folders on their way to their names, and old ones on their way out.

    ``place`` is the folder that holds what is unfinished, in hidden form; it is made when it is needed. ``release`` is the
    folder that is given away, if there is one: missing parents that others share with it get the modes of the umask, as
    does what is staged as public; all else is for the owner only (see ``private``). For use in a ``with``; what was not
    committed at its end is gone. Raises: OSError.
    """

    def __init__(self, place, release=None):
        self._place, self._release = Path(place), release
        self._stream, self._moves, self._count = None, [], 0
        recover(self._place)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._end()

    @property
    def folder(self):
        """The hidden folder, for its owner only."""
        if self._stream is None:
            _make_folder(self._place, self._release)
            self._stream = _new_journal(self._place.resolve())
            _folder_of(self._stream.name).mkdir(mode=FOLDER_MODE)
        return _folder_of(self._stream.name)

    def stage(self, path, overwrite=False, public=False):
        """A new name to write a file or a folder to, which becomes ``path``.

        ``public``: it is given away; these get their names last, when the hospital has what belongs to them.
        """
        path = Path(path)
        _make_folder(path.parent, self._release, public)
        return self._add(path, path.name, overwrite, public)

    def remove(self, path):
        """Delete ``path``, a file or folder, together with all else that happens."""
        self._add(Path(path), None, True, True)

    def _add(self, path, name, overwrite, public):
        self._count += 1
        own = self.folder / str(self._count)
        if name:
            own.mkdir(mode=FOLDER_MODE)
        path = path.parent.resolve() / path.name
        near = path.with_name(f"{self.folder.name}-{own.name}")
        self._moves.append(Move(str(path), str(own / name) if name else None, str(own) + OLD, str(near), overwrite, public))
        return own / name if name else None

    @contextmanager
    def part(self):
        """What is staged in this ``with`` is dropped when it fails, and what was staged before stays."""
        before = len(self._moves)
        try:
            yield self
        except BaseException:
            for move in self._moves[before:]:
                delete(move.temporary)
            del self._moves[before:]
            raise

    def commit(self):
        """Give everything its name. Raises: OSError, FileExistsError for a name that is taken; all is then as before."""
        moves = sorted(self._moves, key=lambda move: move.public)
        if not moves:
            return
        alone = len(moves) == 1 and is_one_step(moves[0], self._place.resolve())
        try:
            _completed(moves)
            if not alone:
                self._note({"moves": [asdict(move) for move in moves]})
            _carried_out(moves, keep=not alone)
        except BaseException:
            if not alone:
                self._take_back(moves)
            raise
        if not alone and (sys.platform == "win32" or _leave_something(moves)):
            # What was replaced cannot come back once it goes. On Windows, the lock ends before its file can go.
            self._note({"done": True})
        self._end()

    def _take_back(self, moves):
        try:
            put_back(moves, self.folder)
        except BaseException:
            # The journal stays, for another try by the next run.
            self._stream.close()
            self._stream = None
            raise

    def _note(self, line):
        """Add a line to the journal, and wait until the disk has it."""
        self._stream.write(json.dumps(line).encode() + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())
        flush_folder(self._place)

    def _end(self):
        if self._stream is not None:
            _clear(self._stream, self._moves)
            self._stream, self._moves = None, []


def _completed(moves):
    """Files and folders with their modes, and on the disk, before they get their names."""
    for move in moves:
        if move.temporary:
            if not move.public:
                # Other packages write as the umask says.
                make_private(Path(move.temporary))
            flush(move.temporary)
            move.made = seen(move.temporary)


def _carried_out(moves, keep):
    for move in moves:
        carry_out(move, keep=keep)
    for folder in {os.path.dirname(move.path) for move in moves}:
        flush_folder(folder)


def _leave_something(moves):
    """Is there anything replaced, or copied from another disk, that is still to go?"""
    return any(os.path.lexists(left) for move in moves for left in (move.old, move.near))


def recover(place):
    """Undo in the folder ``place`` what dead runs began, and remove what they left; one that works is left alone."""
    try:
        names = [name for name in os.listdir(place) if name.startswith(STAGING) and name.endswith(JOURNAL)]
    except OSError:
        return
    for name in names:
        # Of somebody else, or just being removed by another run.
        with suppress(OSError):
            _settle(Path(place).resolve() / name)


def _settle(journal):
    with open(journal, "r+b") as stream:
        if not _is_over(stream):
            return
        moves, done = _read(stream)
        if not done:
            put_back(moves, _folder_of(journal))
        _clear(stream, moves)


def _read(stream):
    """(moves, have all been made?) of a journal; a line that is torn was followed by nothing."""
    stream.seek(0)
    moves, done = [], False
    for text in stream:
        with suppress(ValueError):
            line = json.loads(text)
            moves = [Move(**move) for move in line.get("moves", ())] or moves
            done = done or "done" in line
    return moves, done


def _is_over(stream):
    """Is the run of an open journal dead? If so, the lock is ours now."""
    try:
        lock(stream)
    except BUSY:
        return False
    except OSError:
        return time.time() - os.fstat(stream.fileno()).st_mtime > STALE_S
    return _is_there(stream)


def _is_there(stream):
    """Has nobody removed the file meanwhile?"""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(stream.name))
    except OSError:
        return False


def _new_journal(place):
    """A new journal, open and locked."""
    while True:
        stream = open(place / f"{STAGING}{uuid4().hex}{JOURNAL}", "x+b", opener=_private)
        try:
            lock(stream)
        except BUSY:
            # Another run has come between, and takes it for a dead one's.
            stream.close()
            continue
        except OSError:
            return stream
        if _is_there(stream):
            return stream
        stream.close()


def _make_folder(folder, release, public=False):
    try:
        if public:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            private_folder(folder, release)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "a file has that name", str(folder)) from None


def _private(path, flags):
    return os.open(path, flags, FILE_MODE)


def _folder_of(journal):
    return Path(journal).with_suffix("")


def _clear(stream, moves):
    """Remove what is left of a publication, and its journal last."""
    journal = stream.name
    for folder in (*(move.near + end for move in moves for end in ("", PART)), _folder_of(journal)):
        shutil.rmtree(folder, ignore_errors=True)
    if _folder_of(journal).exists():
        # Somebody has a file in it open: to be removed by the next run, which must not undo anything.
        stream.write(b'{"done": true}\n')
        stream.close()
        return
    if sys.platform == "win32":
        stream.close()
    with suppress(OSError):
        os.unlink(journal)
    stream.close()

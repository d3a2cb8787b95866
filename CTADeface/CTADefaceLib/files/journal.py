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
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from .lock import BUSY, lock

STAGING = ".cta-deface-"
JOURNAL = ".journal"
OLD, NEW, PART = "-old", "-new", "-part"
# Where files cannot be locked: certainly over after this.
STALE_S = 86_400.0
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


class Publication:
    """New files and folders on their way to their names, and old ones on their way out.

    ``place`` is the folder that holds what is unfinished, in hidden form; it is made when it is needed. For use in a
    ``with``; what was not committed at its end is gone. Raises: OSError.
    """

    def __init__(self, place):
        self._place = Path(place)
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
            _make_folder(self._place)
            self._stream = _new_journal(self._place.resolve())
            _folder_of(self._stream.name).mkdir(mode=0o700)
        return _folder_of(self._stream.name)

    def stage(self, path, overwrite=False, public=False):
        """A new name to write a file or a folder to, which becomes ``path``.

        ``public``: it is given away; these get their names last, when the hospital has what belongs to them.
        """
        path = Path(path)
        _make_folder(path.parent)
        return self._add(path, path.name, overwrite, public)

    def remove(self, path):
        """Delete ``path``, a file or folder, together with all else that happens."""
        self._add(Path(path), None, True, True)

    def _add(self, path, name, overwrite, public):
        self._count += 1
        own = self.folder / str(self._count)
        if name:
            own.mkdir()
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
                _delete(move.temporary)
            del self._moves[before:]
            raise

    def commit(self):
        """Give everything its name. Raises: OSError, FileExistsError for a name that is taken; all is then as before."""
        moves = sorted(self._moves, key=lambda move: move.public)
        if not moves:
            return
        alone = len(moves) == 1 and _is_one_step(moves[0], self._place.resolve())
        try:
            for move in moves:
                if move.temporary:
                    _flush(move.temporary)
                    move.made = _seen(move.temporary)
            if not alone:
                self._note({"moves": [asdict(move) for move in moves]})
            for move in moves:
                _carry_out(move, keep=not alone)
            for folder in {os.path.dirname(move.path) for move in moves}:
                _flush_folder(folder)
        except BaseException:
            if not alone:
                self._take_back(moves)
            raise
        if not alone and (sys.platform == "win32" or any(
                os.path.lexists(left) for move in moves for left in (move.old, move.near))):
            # What was replaced cannot come back once it goes. On Windows, the lock ends before its file can go.
            self._note({"done": True})
        self._end()

    def _take_back(self, moves):
        try:
            _put_back(moves, self.folder)
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
        _flush_folder(self._place)

    def _end(self):
        if self._stream is not None:
            _clear(self._stream, self._moves)
            self._stream, self._moves = None, []


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
            _put_back(moves, _folder_of(journal))
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


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "a file has that name", str(folder)) from None


def _private(path, flags):
    return os.open(path, flags, 0o600)


def _folder_of(journal):
    return Path(journal).with_suffix("")


def _is_one_step(move, place):
    """Is the move one rename in one folder, and so all or nothing by itself?"""
    return (move.temporary is not None and os.path.dirname(move.path) == str(place)
            and not (os.path.isdir(move.temporary) and os.path.lexists(move.path)))


def _carry_out(move, keep):
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
            _flush(part / NEW)
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


def _put_back(moves, folder):
    """Undo moves, also those that were not made or are undone already. Raises: OSError; it can be done again."""
    for move in reversed(moves):
        ours = _is_ours(move)
        old = next((old for old in _olds(move) if os.path.lexists(old)), None)
        if ours and (old is None or os.path.isdir(move.path)):
            _discard(move.path, folder)
        if old is not None and (ours or not os.path.lexists(move.path)):
            os.replace(old, move.path)
    for name in {os.path.dirname(move.path) for move in moves}:
        _flush_folder(name)


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
    size, changed = _seen(move.path)
    return size is None or (size == move.made[0] and abs(changed - move.made[1]) <= SAME_TIME_S)


def _seen(path):
    """(size of a file, None of a folder; time of the last change): what a rename leaves as it is."""
    status = os.stat(path)
    return None if os.path.isdir(path) else status.st_size, status.st_mtime


def _discard(path, folder):
    """Delete ``path``; a folder never shows with a part of its files: it goes into ``folder`` first."""
    if os.path.isdir(path):
        with suppress(OSError):
            os.rename(path, folder / uuid4().hex)
            return
    _delete(path)


def _delete(path):
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


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


def _flush(path):
    if os.path.isdir(path):
        for inside in os.listdir(path):
            _flush(os.path.join(path, inside))
        _flush_folder(path)
        return
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _flush_folder(folder):
    """Make the new names outlast a power cut, where folders can be flushed."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

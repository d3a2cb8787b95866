"""What the node must not forget: its studies, what was released of them, and what was sent to whom.

A database (SQLite) in the node's folder; each change is on the disk when its method returns. Files are the truth about what
arrived: what the database does not know of them is found again at the start.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..dicom.transfer.released_files import ReleasedFile
from ..errors import OutputError
from ..files.storage.private import private_file, private_folder

NAME = "node.db"
# States of a study: complete and not sent everywhere yet; sent everywhere, or rejected; its files deleted since.
HERE, FINISHED, GONE = "here", "finished", "gone"
# States of a sending.
WAITING, SENT, WITHDRAWN = "waiting", "sent", "withdrawn"
SCHEMA = """
CREATE TABLE IF NOT EXISTS study (name TEXT PRIMARY KEY, state TEXT, came REAL, finished REAL, again INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS had (study TEXT, file TEXT, sha256 TEXT, PRIMARY KEY (study, file)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version (
  id INTEGER PRIMARY KEY, study TEXT, release TEXT, stamp TEXT, digest TEXT, made REAL, last INTEGER DEFAULT 1);
CREATE TABLE IF NOT EXISTS file (version INTEGER, path TEXT, uid TEXT, class TEXT, syntax TEXT, sha256 TEXT);
CREATE TABLE IF NOT EXISTS sending (
  id INTEGER PRIMARY KEY, version INTEGER, destination TEXT, state TEXT, begun INTEGER DEFAULT 0, attempts INTEGER DEFAULT 0,
  due REAL, error TEXT, sent REAL);
CREATE TABLE IF NOT EXISTS delivered (sending INTEGER, uid TEXT, PRIMARY KEY (sending, uid));
CREATE TABLE IF NOT EXISTS held (study TEXT, release TEXT, kind TEXT, reason TEXT, since REAL, PRIMARY KEY (study, release));
CREATE TABLE IF NOT EXISTS retry (study TEXT, release TEXT, tries INTEGER, due REAL, PRIMARY KEY (study, release));
CREATE INDEX IF NOT EXISTS of_study ON version (study, release);
CREATE INDEX IF NOT EXISTS of_version ON sending (version);
CREATE INDEX IF NOT EXISTS in_version ON file (version);
CREATE INDEX IF NOT EXISTS by_state ON sending (destination, state, due);
"""


@dataclass(frozen=True)
class Sending:
    """A study on its way to one destination, after so many failed ``attempts``."""

    id: int
    study: str
    version: int
    attempts: int


class Ledger:
    """The database in ``folder``; several threads share it, and other processes may read it meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.path = private_file(private_folder(folder) / NAME)
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise OutputError(f"{self.path}: cannot be used ({error}); free space, or put back a copy.") from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """All statements of the ``with`` together, or none. Raises: OutputError."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise OutputError(f"{self.path}: cannot be written ({error}); free space.") from None

    def rows(self, query: str, *values: object) -> list[tuple]:
        """What a SELECT finds. Raises: OutputError."""
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise OutputError(f"{self.path}: cannot be read ({error}); put back a copy.") from None

    # Studies

    def laid(self, study: str) -> None:
        """A study is complete, or has got more files."""
        with self._change() as db:
            db.execute(
                "INSERT INTO study (name, state, came) VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET state = excluded.state, again = 0",
                (study, HERE, time.time()),
            )

    def reopen(self, study: str) -> None:
        """There is something to do for a study again."""
        with self._change() as db:
            db.execute("UPDATE study SET state = ? WHERE name = ?", (HERE, study))

    def studies(self, *states: str) -> list[str]:
        """The names of the studies in these states, in the order in which they came."""
        marks = ", ".join("?" * len(states))
        return [name for (name,) in self.rows(f"SELECT name FROM study WHERE state IN ({marks}) ORDER BY came", *states)]

    def state(self, study: str) -> str | None:
        found = self.rows("SELECT state FROM study WHERE name = ?", study)
        return found[0][0] if found else None

    def ask_again(self, study: str) -> bool:
        """A person wants a study defaced and sent again; False when the node does not know it."""
        with self._change() as db:
            return db.execute("UPDATE study SET again = 1 WHERE name = ?", (study,)).rowcount > 0

    def asked_again(self) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM study WHERE again ORDER BY name")]

    def finish(self, study: str) -> None:
        """Nothing more is to be done for a study."""
        with self._change() as db:
            db.execute(
                "UPDATE study SET state = ?, finished = ? WHERE name = ? AND state = ?", (FINISHED, time.time(), study, HERE)
            )

    def finished_before(self, when: float) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM study WHERE state = ? AND finished < ?", FINISHED, when)]

    def gone(self, study: str, had: Iterable[tuple[str, str]]) -> None:
        """The files of a study, (name, SHA-256) each, are about to be deleted; they are known when they come again."""
        with self._change() as db:
            db.executemany("INSERT OR REPLACE INTO had VALUES (?, ?, ?)", [(study, *one) for one in had])
            db.execute("UPDATE study SET state = ? WHERE name = ?", (GONE, study))
            versions = "(SELECT id FROM version WHERE study = ?)"
            db.execute(f"DELETE FROM file WHERE version IN {versions}", (study,))
            sendings = f"(SELECT id FROM sending WHERE version IN {versions})"
            db.execute(f"DELETE FROM delivered WHERE sending IN {sendings}", (study,))

    def known(self, study: str, file: str) -> str | None:
        """The SHA-256 of a file that was deleted, or None."""
        found = self.rows("SELECT sha256 FROM had WHERE study = ? AND file = ?", study, file)
        return found[0][0] if found else None

    def forget(self, study: str, whole: bool) -> None:
        """Which files of a study were deleted; ``whole``: what comes of it is a new study."""
        with self._change() as db:
            db.execute("DELETE FROM had WHERE study = ?", (study,))
            if whole:
                db.execute("DELETE FROM study WHERE name = ?", (study,))

    def forget_before(self, when: float) -> None:
        """What comes of a study that was finished before that time, and deleted since, is a new study."""
        with self._change() as db:
            old = "(SELECT name FROM study WHERE state = ? AND finished < ?)"
            db.execute(f"DELETE FROM had WHERE study IN {old}", (GONE, when))
            db.execute("DELETE FROM study WHERE state = ? AND finished < ?", (GONE, when))

    # What was released

    def stamp(self, study: str, release: str) -> str | None:
        """The stamp of the version that is on its way, or was sent."""
        found = self.rows("SELECT stamp FROM version WHERE study = ? AND release = ? AND last", study, release)
        return found[0][0] if found else None

    def released(self, study: str, release: str, stamp: str, files: list[ReleasedFile], destinations: Iterable[str]) -> None:
        """A version of a study may leave; one before that is not sent is withdrawn. The same files are the same version, and
        are not sent again."""
        digest = hashlib.sha256("\n".join(sorted(one.sha256 for one in files)).encode()).hexdigest()
        with self._change() as db:
            _withdraw(db, study, release)
            db.execute("DELETE FROM held WHERE study = ? AND release = ?", (study, release))
            same = "SELECT id FROM version WHERE study = ? AND release = ? AND digest = ?"
            before = db.execute(same, (study, release, digest)).fetchone()
            if before:
                db.execute("UPDATE version SET last = 1, stamp = ? WHERE id = ?", (stamp, *before))
                db.execute("UPDATE sending SET state = ? WHERE version = ? AND state = ?", (WAITING, *before, WITHDRAWN))
                return
            version = db.execute(
                "INSERT INTO version (study, release, stamp, digest, made) VALUES (?, ?, ?, ?, ?)",
                (study, release, stamp, digest, time.time()),
            ).lastrowid
            db.executemany(
                "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?)",
                [(version, one.path, one.uid, one.sop_class, one.syntax, one.sha256) for one in files],
            )
            db.executemany(
                "INSERT INTO sending (version, destination, state, due) VALUES (?, ?, ?, 0)",
                [(version, f"{release}/{name}", WAITING) for name in destinations],
            )

    def hold(self, study: str, release: str, kind: str, reason: str) -> bool:
        """A study stays; what was released of it is not sent any more. True when that is news.

        ``kind`` says why in words that hold nothing of a header, ``reason`` more, for those who may see the node's folder.
        """
        with self._change() as db:
            _withdraw(db, study, release)
            before = db.execute("SELECT reason FROM held WHERE study = ? AND release = ?", (study, release)).fetchone()
            if before == (reason,):
                return False
            db.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?)", (study, release, kind, reason, time.time()))
            return True

    def unhold(self, study: str, release: str) -> None:
        with self._change() as db:
            db.execute("DELETE FROM held WHERE study = ? AND release = ?", (study, release))

    def try_later(self, study: str, release: str, pause_s: float) -> None:
        """A study failed for a reason that may pass; when it is tried again already, that stays."""
        with self._change() as db:
            db.execute("INSERT OR IGNORE INTO retry VALUES (?, ?, 0, ?)", (study, release, time.time() + pause_s))

    def tried(self, study: str, release: str, pause_s: float, longest_s: float) -> None:
        """A study is tried again now; the next time after twice the pause of before, ``pause_s`` at first."""
        with self._change() as db:
            due = "? + MIN(? * (2 << MIN(tries, 30)), ?)"
            query = f"UPDATE retry SET tries = tries + 1, due = {due} WHERE study = ? AND release = ?"
            db.execute(query, (time.time(), pause_s, longest_s, study, release))

    def try_no_more(self, study: str, release: str) -> None:
        """A study did not fail, or not for a reason that passes."""
        with self._change() as db:
            db.execute("DELETE FROM retry WHERE study = ? AND release = ?", (study, release))

    def to_try_again(self, release: str) -> list[str]:
        """The studies that are due."""
        query = "SELECT study FROM retry JOIN study ON name = study WHERE release = ? AND state = ? AND due <= ? ORDER BY due"
        return [study for (study,) in self.rows(query, release, HERE, time.time())]

    def withdraw_unsent(self, study: str) -> bool:
        """Withdraw all of a study, unless a destination has got a part of it already: then nothing is changed, and False."""
        with self._change() as db:
            begun = db.execute(
                "SELECT 1 FROM sending JOIN version ON version.id = sending.version WHERE study = ? AND begun LIMIT 1",
                (study,),
            ).fetchone()
            if begun:
                return False
            _withdraw(db, study)
            return True

    def withdraw(self, study: str) -> None:
        """Withdraw all of a study that is not sent yet."""
        with self._change() as db:
            _withdraw(db, study)

    def withdraw_others(self, destinations: Iterable[str]) -> None:
        """Withdraw what waits for other destinations than these, which the configuration names no more."""
        names = list(destinations)
        marks = ", ".join("?" * len(names))
        with self._change() as db:
            query = f"UPDATE sending SET state = ? WHERE state = ? AND destination NOT IN ({marks})"
            db.execute(query, (WITHDRAWN, WAITING, *names))

    # What is sent

    def next(self, destination: str) -> Sending | None:
        """The sending that waits longest of those that are due."""
        found = self.rows(
            "SELECT sending.id, study, version, attempts FROM sending JOIN version ON version.id = sending.version "
            "WHERE destination = ? AND state = ? AND due <= ? ORDER BY due, sending.id LIMIT 1",
            destination,
            WAITING,
            time.time(),
        )
        return Sending(*found[0]) if found else None

    def files(self, sending: Sending) -> list[ReleasedFile]:
        """What is left to be sent."""
        return [
            ReleasedFile(*row)
            for row in self.rows(
                "SELECT path, uid, class, syntax, sha256 FROM file WHERE version = ? AND uid NOT IN "
                "(SELECT uid FROM delivered WHERE sending = ?) ORDER BY path",
                sending.version,
                sending.id,
            )
        ]

    def begin(self, sending: Sending) -> bool:
        """Note, before the first file leaves, that the destination gets it; False when it was withdrawn meanwhile."""
        with self._change() as db:
            query = "UPDATE sending SET begun = 1 WHERE id = ? AND state = ?"
            return db.execute(query, (sending.id, WAITING)).rowcount > 0

    def is_waiting(self, sending: Sending) -> bool:
        return self.rows("SELECT state FROM sending WHERE id = ?", sending.id) == [(WAITING,)]

    def delivered(self, sending: Sending, uids: Iterable[str]) -> None:
        with self._change() as db:
            db.executemany("INSERT OR IGNORE INTO delivered VALUES (?, ?)", [(sending.id, uid) for uid in uids])

    def sent(self, sending: Sending) -> None:
        """The destination has taken all of it."""
        with self._change() as db:
            db.execute(
                "UPDATE sending SET state = ?, sent = ?, error = NULL WHERE id = ? AND state = ?",
                (SENT, time.time(), sending.id, WAITING),
            )

    def failed(self, sending: Sending, error: str, pause_s: float) -> None:
        """It is tried again after ``pause_s``."""
        with self._change() as db:
            db.execute(
                "UPDATE sending SET attempts = attempts + 1, error = ?, due = ? WHERE id = ?",
                (error, time.time() + pause_s, sending.id),
            )

    def unsent(self, study: str) -> int:
        """To how many destinations a study is still on its way."""
        return self.rows(
            "SELECT COUNT(*) FROM sending JOIN version ON version.id = sending.version WHERE study = ? AND state = ?",
            study,
            WAITING,
        )[0][0]


def _withdraw(db: sqlite3.Connection, study: str, release: str | None = None) -> None:
    which, values = ("study = ?", (study,)) if release is None else ("study = ? AND release = ?", (study, release))
    db.execute(
        f"UPDATE sending SET state = ? WHERE state = ? AND version IN (SELECT id FROM version WHERE {which})",
        (WITHDRAWN, WAITING, *values),
    )
    db.execute(f"UPDATE version SET last = 0 WHERE {which}", values)

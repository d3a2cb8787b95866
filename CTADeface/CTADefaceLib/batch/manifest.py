"""What became of each case, as JSON lines that are only ever added to.

The first line tells what the batch is; every other one names a ``case``. Of one case, a line with ``status`` replaces
all that was known, a line without (a review) adds to it. Paths are relative to the manifest's folder, which is the
hospital's, because file names may tell who a patient is.
"""

import json
import os
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from ..errors import InputError, OutputError
from ..files.lock import lock
from ..files.private import open_private, private_folder

NAME = "batch.jsonl"
VERSION = 1
STARTED, STOPPED, FAILED, BLOCKED = "started", "stopped", "failed", "blocked"
DEFACED, MASK_ONLY = "defaced", "mask only"
DONE = (DEFACED, MASK_ONLY)


def now():
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class Manifest:
    """The file at ``path``; it need not exist. Several processes may add lines to it at once."""

    def __init__(self, path):
        self.path = Path(path)

    def read(self):
        """(first line or None, entries by case, number of damaged lines). Raises: InputError."""
        header, entries, damaged = None, {}, 0
        for text in self._lines():
            line = _parsed(text)
            if line is None:
                damaged += bool(text.strip())
            elif "case" in line:
                entries[line["case"]] = merged(entries.get(line["case"]), line)
            elif header is None:
                header = self._checked(line)
        return header, entries, damaged

    def header(self):
        """The first line alone, however long the batch, or None. Raises: InputError."""
        for text in self._lines():
            line = _parsed(text)
            if line is not None and "case" not in line:
                return self._checked(line)
        return None

    def _lines(self):
        try:
            with open(self.path, "rb") as lines:
                yield from lines
        except FileNotFoundError:
            pass
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror}); give the manifest of a batch.") from None

    def _checked(self, header):
        if header.get("manifest") != VERSION:
            raise InputError(f"{self.path}: is not a manifest of version {VERSION}; use the CTADeface that wrote it.")
        return header

    def add(self, *lines):
        """Write ``lines`` (dicts) in one piece and wait until the disk has them. Raises: OutputError."""
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        try:
            private_folder(self.path.parent)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            try:
                if _is_torn(handle):
                    content = b"\n" + content
                if os.write(handle, content) != len(content):
                    raise OSError(28, "No space left on device")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror}); free space or choose another "
                              "folder for records.") from None

    def relative(self, path):
        """``path`` as it is noted: relative to the manifest's folder where that can be; None stays None."""
        if path is None:
            return None
        with suppress(ValueError):  # another drive of Windows
            return Path(os.path.relpath(path, self.path.parent)).as_posix()
        return str(path)

    def resolved(self, noted):
        """The path of what was noted."""
        return None if noted is None else Path(os.path.normpath(self.path.parent / noted))

    @contextmanager
    def locked(self):
        """For one batch at a time; the system opens the lock of a killed one. Raises: OutputError."""
        private_folder(self.path.parent)
        with open_private(self.path.with_suffix(".lock"), "a+b") as stream:
            try:
                lock(stream)
            except OSError:
                raise OutputError(f"{self.path}: another batch writes there; wait for it or stop it.") from None
            yield self


def merged(entry, line):
    """The entry of a case after one more ``line``."""
    if "status" not in line:
        return {**(entry or {}), **line}
    attempts = (entry or {}).get("attempts", 0)
    if line["status"] == STARTED:
        attempts = attempts + 1 if entry and entry.get("status") == STARTED else 1
    return {**line, "attempts": attempts}


def facts_of(results, relative):
    """What a line tells of a case that ended with these ``Result``s; of several (series), the gravest status counts, and
    mask, record and report are those of the gravest that has a mask, for the person who looks at it.
    """
    gravest = sorted(results, key=lambda result: (FAILED, BLOCKED, DEFACED, MASK_ONLY, result.status).index(result.status))
    shown = next((result for result in gravest if result.mask), gravest[0])
    made = [result for result in results if result.defaced]
    return {"status": gravest[0].status, "outputs": [relative(result.defaced) for result in made],
            "mask": relative(shown.mask), "record": relative(shown.record), "report": relative(shown.report),
            "error": "; ".join(result.error for result in results if result.error) or None, "mask_ml": shown.mask_ml,
            "failed_checks": list(dict.fromkeys(check["name"] for result in results for check in result.checks
                                                if check["verdict"] == "fail")),
            "not_defaced": [f"{result.input}: {result.reason}" for result in results if result.reason],
            "seconds": round(sum(result.seconds for result in results), 3), "stages": shown.stages}


def _parsed(text):
    """The JSON object of a line, or None for a torn one: its closing brace comes last."""
    with suppress(ValueError):
        line = json.loads(text)
        return line if isinstance(line, dict) else None


def _is_torn(handle):
    size = os.lseek(handle, 0, os.SEEK_END)
    return size > 0 and _last_byte(handle, size) != b"\n"


def _last_byte(handle, size):
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)

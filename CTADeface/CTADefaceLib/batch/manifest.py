"""What became of each case, as JSON lines that are only ever added to.

The first line tells what the batch is; every other one names a ``case``. A line with ``status`` replaces all that was
known of its case, a line without (a review) adds to it. Paths are relative to the manifest's folder, which is the
hospital's, because file names may tell who a patient is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

from ..cases.result import LEFT_OUT, Result
from ..errors import InputError, OutputError
from ..files.storage.append import append
from ..files.storage.lock import lock
from ..files.storage.private import open_private, private_folder
from ..release.known_folders import MANIFEST

NAME = MANIFEST
VERSION = 1
STARTED, STOPPED, FAILED, BLOCKED = "started", "stopped", "failed", "blocked"
DEFACED, MASK_ONLY, NOT_DEFACED = "defaced", "mask only", "not defaced"
DONE = (DEFACED, MASK_ONLY)
GRAVEST_FIRST = (FAILED, BLOCKED, DEFACED, MASK_ONLY, LEFT_OUT)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Manifest:
    """The file at ``path``; it need not exist. Several processes may add lines to it at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def read(self) -> tuple[dict | None, dict[str, dict], int]:
        """(first line or None, entries by case, number of damaged lines). Raises: InputError."""
        header: dict | None = None
        entries: dict[str, dict] = {}
        damaged = 0
        for text in self._lines():
            line = _parsed(text)
            if line is None:
                damaged += bool(text.strip())
            elif "case" in line:
                entries[line["case"]] = merged(entries.get(line["case"]), line)
            elif header is None:
                header = self._checked(line)
        return header, entries, damaged

    def header(self) -> dict | None:
        """The first line alone, however long the batch, or None. Raises: InputError."""
        for text in self._lines():
            line = _parsed(text)
            if line is not None and "case" not in line:
                return self._checked(line)
        return None

    def _lines(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as lines:
                yield from lines
        except FileNotFoundError:
            pass
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror}); give the manifest of a batch.") from None

    def _checked(self, header: dict) -> dict:
        if header.get("manifest") != VERSION:
            raise InputError(f"{self.path}: is not a manifest of version {VERSION}; use the CTADeface that wrote it.")
        return header

    def add(self, *lines: dict) -> None:
        """Write ``lines`` (dicts) in one piece and wait until the disk has them. Raises: OutputError."""
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        try:
            append(self.path, content)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error.strerror}); free space or choose another folder for records."
            ) from None

    @overload
    def relative(self, path: str | Path) -> str: ...

    @overload
    def relative(self, path: None) -> None: ...

    def relative(self, path: str | Path | None) -> str | None:
        """``path`` as it is noted: relative to the manifest's folder where that is possible; None stays None."""
        if path is None:
            return None
        with suppress(ValueError):  # another drive of Windows
            return Path(os.path.relpath(path, self.path.parent)).as_posix()
        return str(path)

    @overload
    def resolved(self, noted: str) -> Path: ...

    @overload
    def resolved(self, noted: None) -> None: ...

    def resolved(self, noted: str | None) -> Path | None:
        """The path that was noted; None stays None."""
        return None if noted is None else Path(os.path.normpath(self.path.parent / noted))

    @contextmanager
    def locked(self) -> Iterator[Manifest]:
        """Lock the manifest for one batch at a time; the system frees the lock of a killed one. Raises: OutputError."""
        private_folder(self.path.parent)
        with open_private(self.path.with_suffix(".lock"), "a+b") as stream:
            try:
                lock(stream)
            except OSError:
                raise OutputError(f"{self.path}: another batch writes to it; wait for that one, or stop it.") from None
            yield self


def merged(entry: dict | None, line: dict) -> dict:
    """The entry of a case after one more ``line``."""
    if "status" not in line:
        return {**(entry or {}), **line}
    attempts = (entry or {}).get("attempts", 0)
    if line["status"] == STARTED:
        attempts = attempts + 1 if entry and entry.get("status") == STARTED else 1
    return {**line, "attempts": attempts}


def ended(entries: dict[str, dict]) -> list[dict]:
    """Those of the entries by case that tell what became of it."""
    return [entry for entry in entries.values() if entry.get("status") not in (None, STARTED, STOPPED)]


def why_left_out(entry: dict) -> str:
    """The reason in the entry of a case that was left out."""
    return "; ".join(text.removeprefix(f"{entry['case']}: ") for text in entry.get("not_defaced", ()))


def facts_of(results: list[Result], relative: Callable[[str | Path | None], str | None]) -> dict:
    """The facts in a manifest's line about a case that ended with these ``Result``s.

    Where there are several (series), the gravest status counts, and mask, record and report are those of the gravest
    result that has a mask, for the person who reviews it.
    """
    gravest = sorted(results, key=lambda result: (*GRAVEST_FIRST, result.status).index(result.status))
    shown = next((result for result in gravest if result.mask), gravest[0])
    made = [result for result in results if result.defaced]
    return {
        "status": gravest[0].status,
        "outputs": [relative(result.defaced) for result in made],
        "mask": relative(shown.mask),
        "record": relative(shown.record),
        "report": relative(shown.report),
        "picture": relative(shown.picture),
        "error": "; ".join(result.error for result in results if result.error) or None,
        "fault": next((result.fault for result in gravest if result.fault), None),
        "mask_ml": shown.mask_ml,
        "failed_checks": list(
            dict.fromkeys(
                check["name"]
                for result in results
                for check in result.checks
                if check["verdict"] == "fail" or check["name"] in result.stopped_by
            )
        ),
        "warned_checks": list(dict.fromkeys(name for result in results for name in result.warned_checks)),
        "not_defaced": [f"{result.input}: {result.reason}" for result in results if result.reason],
        "seconds": round(sum(result.seconds for result in results), 3),
        "stages": shown.stages,
    }


def _parsed(text: bytes) -> dict | None:
    """The JSON object of a line, or None for a torn one: its closing brace comes last."""
    with suppress(ValueError):
        line = json.loads(text)
        if isinstance(line, dict):
            return line
    return None

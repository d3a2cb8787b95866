"""What a node has, holds and sends, read from its folder: no names of patients, no UIDs, no pictures."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from ..errors import OutputError
from .config import Config
from .ledger import FINISHED, GONE, HERE, SENT, WAITING, Ledger
from .only_one import only_one
from .spool import arriving


@dataclass(frozen=True)
class HeldStudy:
    """A study that waits for a person: ``kind`` says why in words that hold nothing of a header, ``reason`` in full."""

    study: str
    release: str
    kind: str
    reason: str
    since: str


@dataclass(frozen=True)
class ToDestination:
    """How many studies wait for a destination, and went there; ``error`` of the last try that failed, ``next_try`` of it."""

    name: str
    waiting: int
    sent: int
    error: str | None = None
    attempts: int = 0
    next_try: str | None = None


@dataclass(frozen=True)
class Recall:
    """A destination has got a study, or a part of it, that must not stay there: a person has rejected or corrected it since,
    or it was defaced again."""

    study: str
    destination: str
    sent: str | None


@dataclass(frozen=True)
class Status:
    """Numbers of studies: ``arriving``, ``to_deface``, sent everywhere and kept (``finished``), ``deleted`` since."""

    arriving: int
    arriving_files: int
    to_deface: int
    finished: int
    deleted: int
    free_gb: float
    keep_free_gb: float
    held: list[HeldStudy] = field(default_factory=list)
    destinations: list[ToDestination] = field(default_factory=list)
    recalls: list[Recall] = field(default_factory=list)
    running: bool = True

    def as_dict(self, reasons: bool = True) -> dict:
        """Ready for JSON; without ``reasons``, nothing in it comes from a header or names a path."""
        found = asdict(self)
        if not reasons:
            for held in found["held"]:
                del held["reason"]
            for to in found["destinations"]:
                to["error"] = to["error"] and "the last try failed"
        return found


def status_of(config: Config) -> Status:
    """``Status`` of a node that may be running in another process, or not. Raises: OutputError."""
    if not config.folder.is_dir():
        raise OutputError(f"{config.folder}: there is no node yet; start it with cta-deface node CONFIG.")
    ledger = Ledger(config.folder)
    try:
        return look(config, ledger, _is_running(config))
    finally:
        ledger.close()


def look(config: Config, ledger: Ledger, running: bool = True) -> Status:
    """``Status`` of the node whose ``ledger`` it is. Raises: OutputError."""
    came = arriving(config)
    numbers = dict(ledger.rows("SELECT state, COUNT(*) FROM study GROUP BY state"))
    settled = ledger.rows(
        "SELECT COUNT(*) FROM study WHERE state = ? AND (SELECT COUNT(*) FROM held WHERE study = name AND release != '') + "
        "(SELECT COUNT(*) FROM version WHERE study = name AND last) >= ?",
        HERE,
        len(config.releases),
    )[0][0]
    return Status(
        arriving=len(came),
        arriving_files=sum(_files_in(config, study) for study in came),
        to_deface=numbers.get(HERE, 0) - settled,
        finished=numbers.get(FINISHED, 0),
        deleted=numbers.get(GONE, 0),
        free_gb=round(shutil.disk_usage(config.folder).free / 1e9, 1),
        keep_free_gb=config.keep_free_bytes / 1e9,
        held=[
            HeldStudy(study, release, kind, reason, _text(since))
            for study, release, kind, reason, since in ledger.rows(
                "SELECT study, release, kind, reason, since FROM held ORDER BY since"
            )
        ],
        destinations=[
            _to(ledger, f"{release.name}/{one.name}") for release in config.releases for one in release.destinations
        ],
        recalls=[
            Recall(study, destination, sent and _text(sent))
            for study, destination, sent in ledger.rows(
                "SELECT study, destination, sent FROM sending JOIN version ON version.id = sending.version "
                "WHERE begun AND NOT last ORDER BY sent"
            )
        ],
        running=running,
    )


def _files_in(config: Config, study: str) -> int:
    try:
        return len(os.listdir(config.incoming / study))
    except FileNotFoundError:
        return 0


def _to(ledger: Ledger, name: str) -> ToDestination:
    numbers = dict(ledger.rows("SELECT state, COUNT(*) FROM sending WHERE destination = ? GROUP BY state", name))
    last = ledger.rows(
        "SELECT error, attempts, due FROM sending WHERE destination = ? AND state = ? AND error IS NOT NULL "
        "ORDER BY attempts DESC LIMIT 1",
        name,
        WAITING,
    )
    error, attempts, due = last[0] if last else (None, 0, None)
    return ToDestination(
        name, numbers.get(WAITING, 0), numbers.get(SENT, 0), error, attempts, due and _text(max(due, time.time()))
    )


def _text(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")


def _is_running(config: Config) -> bool:
    try:
        with only_one(config, wait_s=0):
            return False
    except OutputError:
        return True


def lines_of(status: Status) -> list[str]:
    """What a person reads."""
    lines = [
        "running" if status.running else "NOT RUNNING",
        f"arriving: {status.arriving} studies, {status.arriving_files} files",
        f"to be defaced: {status.to_deface}",
        f"held: {len(status.held)}",
        *(
            f"  {' '.join(filter(None, [one.study or 'ALL', one.release]))} since {one.since}: {one.reason}"
            for one in status.held
        ),
    ]
    for to in status.destinations:
        lines.append(f"{to.name}: {to.waiting} waiting, {to.sent} sent")
        if to.error:
            lines.append(f"  {to.attempts} tries failed, next at {to.next_try}: {to.error}")
    for recall in status.recalls:
        lines.append(f"HAVE DELETED at {recall.destination}: an earlier version of study {recall.study}, sent {recall.sent}")
    lines.append(f"sent everywhere: {status.finished} kept, {status.deleted} deleted")
    lines.append(f"disk: {status.free_gb} GB free, {status.keep_free_gb:g} GB stay free")
    return lines

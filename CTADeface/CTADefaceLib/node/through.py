"""Defaces what has been laid ready: one batch for each release, exactly as ``cta-deface batch`` runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..batch.choice import Choice
from ..batch.manifest import FAILED, Manifest
from ..batch.manifest import NAME as MANIFEST
from ..batch.run_batch import Engine, Here, run_batch
from ..batch.todo import MOST_DEATHS
from ..errors import CTADefaceError
from ..network.host import NetworksHere
from .config import Config, Release
from .ledger import HERE, Ledger
from .logs import NodeLog
from .spool import folders_in

# What may be better later without anybody's doing: space, memory, a network drive.
PASSING_FAULTS = ("output", "hospital", "machine", "stopped")
# In place of a study's name: what concerns all of a release.
ALL, UNRUN = "", "no study can be defaced"
MOST_WARNINGS = 100
FIRST_RETRY_S, LONGEST_RETRY_S = 60.0, 6 * 3600.0

# Called with the release, the name of the study, and the manifest's entry of what ended.
Told = Callable[[Release, dict], None]


@dataclass
class _Retry:
    """A study that failed for a reason that may pass: when it is tried again, and the pause before that."""

    due: float
    pause: float


class Through:
    """Runs the batches; only one thread may. Raises nothing but what stops the node."""

    def __init__(self, config: Config, ledger: Ledger, log: NodeLog, told: Told) -> None:
        self._config, self._ledger, self._log, self._told = config, ledger, log, told
        self._networks = NetworksHere()
        self._retries: dict[tuple[str, str], _Retry] = {}
        # A release whose batch could not run at all is tried again.
        self._unrun: dict[str, _Retry] = {}
        self._warned: set[str] = set()

    def run(self) -> None:
        """Deface all studies that are still to be defaced."""
        for release in self._config.releases:
            self._run(release)

    def run_again(self) -> None:
        """Try again what is due after a failure that may have passed."""
        now = time.monotonic()
        for release in self._config.releases:
            if (unrun := self._unrun.get(release.name)) and unrun.due <= now:
                self._run(release)
            due = [study for (name, study), retry in self._retries.items() if name == release.name and retry.due <= now]
            if due:
                self._run(release, tuple(due))

    def _run(self, release: Release, only: tuple[str, ...] = ()) -> None:
        """One batch; ``only`` these studies, also those that failed before."""
        here = self._ledger.studies(HERE)
        for where in [(release.name, study) for study in only]:
            if where[1] in here:
                self._retries[where] = _later(self._retries[where])
            else:
                del self._retries[where]
        if not here or (only and not set(only) & set(here)):
            return
        others = tuple(self._config.studies / name for name in set(folders_in(self._config.studies)) - set(here))
        try:
            run_batch(
                self._config.studies,
                self._config.output(release),
                release.options_in(self._config.hospital(release)),
                retry_failed=bool(only),
                engine=self._engine(),
                told=lambda entry: self._ended(release, entry),
                warn=self._warn,
                choice=Choice(include=tuple(f"/{study}" for study in only), unsearched=others),
            )
            self._unrun.pop(release.name, None)
            self._ledger.unhold(ALL, release.name)
        except CTADefaceError as error:
            self._unrun[release.name] = _later(self._unrun.get(release.name))
            self._ledger.hold(ALL, release.name, UNRUN, str(error))
            self._log("batch failed", release=release.name, fault=error.fault)

    def _warn(self, text: str) -> None:
        """Say each warning once; none of them holds a value of a header."""
        if text not in self._warned and len(self._warned) < MOST_WARNINGS:
            self._warned.add(text)
            self._log("warning", reason=text)

    def _engine(self) -> Engine:
        if self._config.scheduler is None:
            return Here(self._networks)
        from ..batch.cluster import Cluster

        return Cluster(self._config.scheduler)

    def _ended(self, release: Release, entry: dict) -> None:
        study = entry["case"]
        where = release.name, study
        self._log(
            entry["status"],
            release=release.name,
            study=study,
            number=entry.get("folder"),
            checks=entry["failed_checks"] or None,
            fault=entry["fault"],
            seconds=entry["seconds"],
        )
        if entry["status"] != FAILED or entry["fault"] not in PASSING_FAULTS or self._killed(release, study):
            self._retries.pop(where, None)
        elif where not in self._retries:
            self._retries[where] = _later(None)
        self._told(release, entry)

    def _killed(self, release: Release, study: str) -> bool:
        """Did the program die so often during a study that it is a person's matter?"""
        entry = Manifest(self._config.hospital(release) / MANIFEST).read()[1].get(study) or {}
        return entry.get("attempts", 0) >= MOST_DEATHS


def _later(before: _Retry | None) -> _Retry:
    pause = FIRST_RETRY_S if before is None else min(2 * before.pause, LONGEST_RETRY_S)
    return _Retry(time.monotonic() + pause, pause)

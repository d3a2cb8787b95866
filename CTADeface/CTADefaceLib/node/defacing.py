"""Defaces what has been laid ready: one batch for each release, exactly as ``cta-deface batch`` runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..batch.choice import Choice
from ..batch.manifest import FAILED
from ..batch.run_batch import Engine, Here, run_batch
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
    """When a batch that could not run is tried again, and the pause before that."""

    due: float
    pause: float


class Defacing:
    """Runs the batches; only one thread may. Raises nothing but what stops the node."""

    def __init__(self, config: Config, ledger: Ledger, log: NodeLog, told: Told) -> None:
        self._config, self._ledger, self._log, self._told = config, ledger, log, told
        self._networks = NetworksHere()
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
            if due := self._ledger.to_try_again(release.name):
                self._run(release, tuple(due))

    def _run(self, release: Release, only: tuple[str, ...] = ()) -> None:
        """One batch; ``only`` these studies, also those that failed before."""
        here = self._ledger.studies(HERE)
        if not here:
            return
        for study in only:
            # Before it runs, because the program may die during it, again and again.
            self._ledger.tried(study, release.name, FIRST_RETRY_S, LONGEST_RETRY_S)
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
        self._log(
            entry["status"],
            release=release.name,
            study=study,
            number=entry.get("folder"),
            checks=entry["failed_checks"] or None,
            fault=entry["fault"],
            seconds=entry["seconds"],
        )
        # Also one that was set aside because the program died during it: it may not have been to blame.
        if entry["status"] == FAILED and entry["fault"] in PASSING_FAULTS:
            self._ledger.try_later(study, release.name, FIRST_RETRY_S)
        else:
            self._ledger.try_no_more(study, release.name)
        self._told(release, entry)


def _later(before: _Retry | None) -> _Retry:
    pause = FIRST_RETRY_S if before is None else min(2 * before.pause, LONGEST_RETRY_S)
    return _Retry(time.monotonic() + pause, pause)

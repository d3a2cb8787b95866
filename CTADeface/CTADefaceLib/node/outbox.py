"""Decides which studies may leave: what the gate has released, and no person has rejected, in the very files of then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..batch.input_stamp import stamp_of
from ..batch.manifest import BLOCKED, DEFACED, FAILED, Manifest
from ..batch.manifest import NAME as MANIFEST
from ..batch.review_queue import ACCEPTED, CORRECTED, REJECTED
from ..cases.result import BUG
from ..dicom.transfer.released_files import NotReleased, ReleasedFile, released_files
from ..errors import CTADefaceError
from .config import EVERY, Config, Release
from .ledger import FINISHED, HERE, Ledger
from .logs import NodeLog

BY_PERSON, BY_CHECKS, BY_FAILURE = "rejected by a person", "stopped by checks", "failed"
UNSEEN, UNLIKE, EMPTY = "waits for a person", "not what the gate released", "nothing was released"


@dataclass(frozen=True)
class Held:
    """Why a study stays: ``kind`` in words that hold nothing of a header, ``reason`` with all that is known."""

    kind: str
    reason: str


def why_held(entry: dict, review: str) -> Held | None:
    """Why the study of a manifest's ``entry`` may not leave, None when it may; ``review`` as in ``config.Release``."""
    decided, status = entry.get("review"), entry["status"]
    if decided == REJECTED:
        return Held(BY_PERSON, f"{BY_PERSON} ({entry.get('by')})")
    if status not in (DEFACED, BLOCKED, FAILED):
        return Held(EMPTY, f"{EMPTY}: {status}")
    if decided not in (ACCEPTED, CORRECTED):
        if status == BLOCKED:
            return Held(BY_CHECKS, f"{BY_CHECKS}: {', '.join(entry['failed_checks'])}")
        if status == FAILED:
            what = "an unexpected error; the manifest has it" if entry.get("fault") == BUG else entry.get("error")
            return Held(BY_FAILURE, f"{BY_FAILURE}: {what}")
        if review == EVERY:
            return Held(UNSEEN, f"{UNSEEN} to look at it, as all studies do")
    return None if entry.get("outputs") else Held(EMPTY, EMPTY)


class Outbox:
    """Looks at the manifests of all releases, and hands over to the ledger what may leave."""

    def __init__(self, config: Config, ledger: Ledger, log: NodeLog) -> None:
        self._config, self._ledger, self._log = config, ledger, log
        self._read: dict[str, tuple[object, dict[str, dict]]] = {}
        self._looked_at: dict[tuple[str, str], dict] = {}

    def look(self) -> None:
        """Consider every study whose entry is another one than at the last look, as after a person's decision."""
        studies = self._ledger.studies(HERE, FINISHED)
        known = set(studies)
        self._looked_at = {where: seen for where, seen in self._looked_at.items() if where[1] in known}
        for release in self._config.releases:
            entries = self._entries(release, studies)
            for study in studies:
                if study in entries:
                    self.consider(release, entries[study])
        for study in self._ledger.studies(HERE):
            if all(self._is_done(release, study, studies) for release in self._config.releases):
                self._ledger.finish(study)
                self._log("finished", study=study)

    def consider(self, release: Release, entry: dict) -> None:
        """Let the study of an ``entry`` leave, or hold it, unless it is still under way."""
        study, where = entry["case"], (release.name, entry["case"])
        if "failed_checks" not in entry or self._looked_at.get(where) == entry:
            return
        self._looked_at[where] = entry
        held = why_held(entry, release.review)
        if held is None:
            try:
                self._let_go(release, study, entry)
                return
            except CTADefaceError as error:
                held = Held(UNLIKE, str(error))
        if self._ledger.hold(study, release.name, held.kind, held.reason):
            self._log("held", study=study, release=release.name, reason=held.kind, number=entry.get("folder"))

    def _let_go(self, release: Release, study: str, entry: dict) -> None:
        manifest = Manifest(self._config.hospital(release) / MANIFEST)
        outputs = [manifest.resolved(path) for path in entry["outputs"]]
        stamp = json.dumps([stamp_of(path) for path in outputs])
        if self._ledger.stamp(study, release.name) == stamp:
            return
        place = self._config.output(release) / entry["folder"]
        files = [one for path in outputs for one in _files_in(place, path, manifest.path.parent / entry["folder"])]
        self._ledger.released(study, release.name, stamp, files, [one.name for one in release.destinations])
        self._log("released", study=study, release=release.name, number=entry["folder"], files=len(files))

    def _entries(self, release: Release, studies: list[str]) -> dict[str, dict]:
        """The manifest's entries of ``studies``, read again when it has changed."""
        manifest = Manifest(self._config.hospital(release) / MANIFEST)
        try:
            status = manifest.path.stat()
        except FileNotFoundError:
            return {}
        seen = status.st_size, status.st_mtime_ns
        if self._read.get(release.name, (None,))[0] != seen:
            entries = manifest.read()[1]
            self._read[release.name] = seen, {study: entries[study] for study in studies if study in entries}
        return self._read[release.name][1]

    def _is_done(self, release: Release, study: str, studies: list[str]) -> bool:
        """Was a study sent to all destinations of a release, or rejected?"""
        entry = self._entries(release, studies).get(study) or {}
        if entry.get("review") == REJECTED:
            return True
        return self._ledger.stamp(study, release.name) is not None and not self._ledger.unsent(study)


def _files_in(place: Path, series: Path, records: Path) -> list[ReleasedFile]:
    """The ``released_files`` of a ``series``, which must lie in the study's ``place``. Raises: NotReleased."""
    if series.parent != place:
        raise NotReleased(f"{series}: lies outside of {place}; run the study again.")
    return released_files(series, records)

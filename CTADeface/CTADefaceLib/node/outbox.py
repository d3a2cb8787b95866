"""Decides which studies may leave: what the gate has released, and no person has rejected, in the very files of then."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ..batch.manifest import BLOCKED, DEFACED, FAILED, Manifest
from ..batch.manifest import NAME as MANIFEST
from ..batch.review_queue import ACCEPTED, CORRECTED, REJECTED
from ..batch.stamp import stamp_of
from ..cases.result import BUG
from ..dicom.dicom_packages import need_pydicom
from ..dicom.read_series import read_stack
from ..dicom.series import find_series
from ..dicom.stack import stack_of
from ..errors import CTADefaceError
from ..release.hospital_folder import last_record_path
from ..release.record import RELEASED, voxels_sha256
from .config import EVERY, Config, Release
from .ledger import FINISHED, HERE, Ledger, Outgoing
from .logs import NodeLog

BY_PERSON, BY_CHECKS, BY_FAILURE = "rejected by a person", "stopped by checks", "failed"
UNSEEN, UNLIKE, EMPTY = "waits for a person", "not what the gate released", "nothing was released"


class NotReleased(CTADefaceError):
    """Files that lie in the output folder are not those that the gate released."""


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
        files = [one for path in outputs for one in released_files(path, place, manifest.path.parent / entry["folder"])]
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


def released_files(folder: Path, place: Path, hospital: Path) -> list[Outgoing]:
    """The files of a released series, each with its digest.

    Parameters: ``folder`` of the series, ``place`` where the study's series lie, ``hospital`` the folder of its records.
    Raises: NotReleased when the voxels in the files are not those of the gate's last record, which says that it released
    them; InputError.
    """
    if folder.parent != place:
        raise NotReleased(f"{folder}: lies outside of {place}; run the study again.")
    record = last_record_path(hospital, folder.name)
    said = {} if record is None else json.loads(record.read_text(encoding="utf-8"))
    if said.get("status") != RELEASED:
        raise NotReleased(f"{folder}: no record says that the gate released it; run the study again.")
    before = _digests(folder)
    found = find_series(folder).series
    if len(found) != 1 or voxels_sha256(read_stack(stack_of(found[0]), folder.name).stored) != said["output"]["voxels_sha256"]:
        raise NotReleased(f"{folder}: its voxels are not those that the gate released ({record}); run the study again.")
    if _digests(folder) != before:
        raise NotReleased(f"{folder}: its files changed while they were checked.")
    return before


def _digests(folder: Path) -> list[Outgoing]:
    pydicom = need_pydicom()
    files = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        header = pydicom.dcmread(BytesIO(content), specific_tags=["SOPInstanceUID", "SOPClassUID"], stop_before_pixels=True)
        uids = str(header.SOPInstanceUID), str(header.SOPClassUID), str(header.file_meta.TransferSyntaxUID)
        files.append(Outgoing(str(path), *uids, hashlib.sha256(content).hexdigest()))
    return files

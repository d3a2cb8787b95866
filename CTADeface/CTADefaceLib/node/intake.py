"""Lays complete studies into the input folder of the batches, and what came late to them.

As long as nothing of a study was sent, late files reopen it: it is defaced again, as a whole, and sent once. Afterwards they
wait for a person: what is defaced again gets new UIDs, so that an archive would hold the study twice.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from ..batch.correct import take_out
from ..batch.manifest import NAME as MANIFEST
from ..batch.manifest import Manifest
from ..dicom.reading.dicom_packages import need_pydicom, no_values_in_warnings
from ..dicom.reading.series_kinds import CT_CLASSES
from ..files.storage.moves import flush_folder
from ..files.storage.private import private_folder
from .arrivals import Arrivals
from .config import Config
from .ledger import GONE, Ledger
from .logs import NodeLog
from .spool import Spool, folders_in

# Under this name, in place of a release's, stands what is held before any release.
ARRIVAL = ""
# The folder of late files without CT.
ASIDE = "aside"
LATE = "came after the study was sent"


class Intake:
    """Moves studies; only one thread may, and no batch may run meanwhile."""

    def __init__(self, config: Config, ledger: Ledger, spool: Spool, arrivals: Arrivals, log: NodeLog) -> None:
        self._config, self._ledger, self._spool, self._arrivals, self._log = config, ledger, spool, arrivals, log
        # When a study that is held came last, so that it is looked at once.
        self._looked_at: dict[str, int] = {}

    def recover(self) -> None:
        """Finish what a killed node had begun."""
        private_folder(self._config.studies)
        for study in folders_in(self._config.studies):
            state = self._ledger.state(study)
            if state is None:
                self._ledger.laid(study)
            elif state == GONE:
                self._delete(study)

    def take(self) -> list[str]:
        """The studies that are to be defaced now because of what came, or because a person asked for it."""
        laid = [study for study in self._arrivals.complete() if self._lay(study)]
        for study in self._ledger.asked_again():
            if self._again(study):
                laid.append(study)
        return laid

    def _lay(self, study: str) -> bool:
        came = self._config.incoming / study
        if not came.is_dir():
            self._arrivals.taken(study)
            return False
        if self._ledger.state(study) is None:
            self._ledger.laid(study)
            self._take_in(study)
            self._log("complete", study=study, files=len(os.listdir(self._config.studies / study)))
            return True
        changed = came.stat().st_mtime_ns
        if self._looked_at.get(study) == changed:
            return False
        self._looked_at[study] = changed
        if self._ledger.state(study) != GONE and self._ledger.withdraw_unsent(study):
            self._reopen(study)
            self._log("reopened", study=study)
            return True
        if _no_ct_in(came):
            self._put_aside(study)
        else:
            files = len(os.listdir(came))
            reason = f"{files} files {LATE}; 'cta-deface node CONFIG --again {study}' defaces and sends the whole study again."
            self._ledger.hold(study, ARRIVAL, LATE, reason)
            self._log("late", study=study, files=files)
        return False

    def _again(self, study: str) -> bool:
        """Is there something to deface again? Of a study whose files were deleted, what comes will be new."""
        self._ledger.withdraw(study)
        self._ledger.unhold(study, ARRIVAL)
        there = any((root / study).is_dir() for root in (self._config.studies, self._config.incoming))
        if there:
            self._reopen(study)
        self._ledger.forget(study, whole=not there)
        self._log("again", study=study)
        return there

    def _reopen(self, study: str) -> None:
        """Let a study be defaced again, with what came since; each step may be repeated after a kill."""
        self._ledger.reopen(study)
        self._take_out_results(study)
        self._take_in(study)
        folder = self._config.studies / study
        if folder.is_dir():
            for path in folder.iterdir():
                # The batch runs it again, because its stamp is another one, also where a person has decided before.
                os.utime(path)
        self._ledger.laid(study)

    def _take_out_results(self, study: str) -> None:
        """Delete what was released of a study, because a later run may not replace all of it."""
        for release in self._config.releases:
            manifest = Manifest(self._config.hospital(release) / MANIFEST)
            entry = manifest.read()[1].get(study) or {}
            if "folder" in entry:
                folder = self._config.output(release) / entry["folder"]
                take_out(manifest, sorted(folder.iterdir()) if folder.is_dir() else [])

    def _take_in(self, study: str) -> None:
        """Move a study's files from where they arrive; together, when it is new."""
        came, folder = self._config.incoming / study, self._config.studies / study
        with self._spool.lock:
            if came.is_dir():
                if folder.exists():
                    for path in sorted(came.iterdir()):
                        os.replace(path, folder / path.name)
                    flush_folder(folder)
                    came.rmdir()
                else:
                    os.rename(came, folder)
                flush_folder(self._config.studies)
                flush_folder(self._config.incoming)
            self._arrivals.taken(study)
            self._looked_at.pop(study, None)

    def _put_aside(self, study: str) -> None:
        """Keep late files that hold no CT, and would not leave anyway, beside the study."""
        came, aside = self._config.incoming / study, private_folder(self._config.folder / ASIDE / study)
        with self._spool.lock:
            files = sorted(came.iterdir())
            for path in files:
                os.replace(path, aside / path.name)
            came.rmdir()
            self._arrivals.taken(study)
        self._log("aside", study=study, files=len(files))
        if self._ledger.state(study) == GONE:
            self._forget_files(study)

    def tidy(self, before: float) -> None:
        """Delete the files of studies that were finished before that time; what comes of them again is known."""
        for study in self._ledger.finished_before(before):
            if self._ledger.unsent(study):
                continue
            self._forget_files(study)
            self._log("deleted", study=study)

    def _forget_files(self, study: str) -> None:
        """Delete a study's files; what comes of them again is known."""
        files = [path for place in self._places(study) if place.is_dir() for path in sorted(place.iterdir())]
        self._ledger.gone(study, [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files])
        self._delete(study)

    def _delete(self, study: str) -> None:
        # Last of all the folder by which ``recover`` sees that it is not done.
        self._take_out_results(study)
        for place in reversed(self._places(study)):
            shutil.rmtree(place, ignore_errors=True)

    def _places(self, study: str) -> list[Path]:
        return [self._config.studies / study, self._config.folder / ASIDE / study]


@no_values_in_warnings()
def _no_ct_in(folder: Path) -> bool:
    """Is there no file in ``folder`` that a batch would deface?"""
    pydicom = need_pydicom()
    for path in folder.iterdir():
        try:
            header = pydicom.dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
        except Exception:  # pydicom raises many kinds for damaged files
            return False
        if str(header.get("SOPClassUID")) in CT_CLASSES:
            return False
    return True

"""A batch: finds the cases that are still to be done, hands them out, and notes what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ..cases.options import Options
from ..cases.result import Result, failure
from ..errors import Cancelled, CTADefaceError, HospitalFolderError, InputError
from ..files.bids import is_bids
from ..files.journal import recover
from ..files.private import private_folder
from ..files.publish import refuse_existing
from ..files.read import EXTENSIONS
from ..models.store import find_model
from ..network.host import NetworksHere
from ..progress import Report
from ..release.hospital_folder import require_hospital_writable, require_writable
from .batch_progress import BatchProgress
from .case_kinds import run_case, wanted_of_case
from .correct import reject
from .find import Case, Places, describe_bids, excluded_folders, find_cases, places
from .manifest import BLOCKED, DONE, MASK_ONLY, NAME, STARTED, STOPPED, VERSION, Manifest, facts_of, merged, now
from .overlap import LANES, Lane
from .review_queue import REJECTED, item_of
from .stamp import Stamp, has_changed, stamp_of
from .studies import find_studies, study_cases
from .summary import Summary

# Cases during which the program died run last; after two deaths such a case runs alone, after three not at all. A case
# that kills the program again and again must neither stop every later run nor end the cases beside it.
DEATHS_UNTIL_ALONE, MOST_DEATHS = 2, 3


class Engine(Protocol):
    """What runs the cases of a ``Batch``: ``Here``, or ``cluster.Cluster``.

    ``shared``: other machines work too, and what they had begun may be there already when a case is tried again.
    """

    shared: bool

    @property
    def width(self) -> int:
        """How many cases to hand out at a time."""

    def submit(
        self, case: Case, where: Places, options: Options, callback: Callable[[Report], None], warn: Callable[[str], None]
    ) -> Future[list[Result]]:
        """Begin a case, as ``run_case``; ``callback`` is told its progress, where the engine can do so."""

    def stop(self) -> None:
        """Ask all cases to stop."""

    def close(self) -> None:
        """Wait for the cases under way, and end."""


class Here:
    """Runs cases in threads of this process, overlapping (see ``overlap``)."""

    width = LANES
    shared = False

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(LANES)
        self._lanes: set[Lane] = set()
        # Held for all cases, so that each model is loaded once.
        self._networks = NetworksHere()

    def submit(
        self, case: Case, where: Places, options: Options, callback: Callable[[Report], None], warn: Callable[[str], None]
    ) -> Future[list[Result]]:
        lane = Lane(callback)
        self._lanes.add(lane)
        future = self._pool.submit(run_case, case, where, options, self._networks, lane, warn)
        future.add_done_callback(lambda _future: self._lanes.discard(lane))
        return future

    def stop(self) -> None:
        """Ask all cases to stop; each does so within about a second."""
        for lane in list(self._lanes):
            lane.cancel()

    def close(self) -> None:
        self._pool.shutdown()


class Batch:
    """All cases of a folder.

    Parameters: ``source``, ``target`` the folders of the cases and of the results; ``retry_failed`` also runs what failed
    or was blocked; ``engine`` runs the cases (None: ``Here``); ``show`` is called with each ``Report``; ``told`` with the
    manifest's entry of each case that ended; ``warn`` with each one-sentence warning.
    Raises: InputError, OutputError when the batch cannot begin.
    """

    def __init__(
        self,
        source: str | Path,
        target: str | Path,
        options: Options,
        retry_failed: bool = False,
        engine: Engine | None = None,
        show: Callable[[Report], None] | None = None,
        told: Callable[[dict], None] = lambda entry: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        options.require_sound()
        self._where = places(source, target, options.records, options.masks)
        self._options, self._retry = options, retry_failed
        self._engine: Engine = engine or Here()
        self._show, self._told, self._warn = show, told, warn
        self._manifest = Manifest(self._where.hospital / NAME)
        self._entries: dict[str, dict] = {}
        self._running: dict[Future[list[Result]], tuple[Case, Stamp | None]] = {}
        self._stopping = False

    def run(self) -> Summary:
        """Run the cases that are still to be done; returns the ``Summary`` of the whole batch.

        Raises: KeyboardInterrupt when it was stopped; the cases under way are then noted as stopped.
        """
        if not self._options.mask_only:
            require_writable(self._where.target)
        hospital = [self._where.hospital, *([Path(self._options.masks)] if self._options.masks else [])]
        require_hospital_writable(hospital)
        for folder in hospital:
            _make_private(folder, self._where.target)
        with self._manifest.locked():
            header, entries, damaged = self._manifest.read()
            cases, left_out = self._find(entries)
            self._begin(header)
            if damaged:
                self._warn(f"{self._manifest.path}: {damaged} damaged lines were left out; their cases run again.")
            self._clean_up(entries)
            self._entries = entries
            self._progress = BatchProgress(self._show)
            todo = sorted((case for case in cases if self._is_open(case)), key=self._deaths)
            for case in todo:
                self._progress.expect(case.id, self._size(case))
            self._progress.already(len(cases) - len(todo))
            try:
                self._work(iter(todo))
            finally:
                self._engine.close()
            describe_bids(self._where)
            return Summary.of([self._entries[case.id] for case in cases], len(left_out), self._manifest.path)

    def _find(self, entries: dict[str, dict]) -> tuple[list[Case], list[Path]]:
        """(cases, files left out). Raises: InputError when there is no case at all."""
        where, others = self._where, [self._options.masks] if self._options.masks else []
        cases, left_out = find_cases(where, others)
        if not is_bids(where.source):
            studies = find_studies(where.source, excluded_folders(where, others))
            cases += study_cases(where.source, studies, entries, self._warn)
        if not cases:
            raise InputError(
                f"{where.source}: holds no volume file ({', '.join(EXTENSIONS)}; in a BIDS dataset only *_ct) "
                "and no DICOM; give the folder of the cases."
            )
        return cases, left_out

    def _clean_up(self, entries: dict[str, dict]) -> None:
        """Undo what a killed run had begun, also for cases that will not run again, and finish a rejection that was killed."""
        for entry in entries.values():
            if entry.get("review") == REJECTED and entry.get("outputs"):
                reject(self._manifest.path, item_of(self._manifest, entry), entry.get("by"))
            if entry.get("status") == STARTED:
                name = Path(entry["case"])
                for folder in {name.parent, name, Path(entry.get("folder", "."))}:
                    recover(self._where.hospital / folder)

    def _begin(self, header: dict | None) -> None:
        """Write the first line of the manifest, or refuse to mix two batches in one folder."""
        batch = self._what_it_is()
        if header is None:
            self._manifest.add(
                {"manifest": VERSION, "time": now(), **batch, "output": self._manifest.relative(self._where.target)}
            )
            return
        for key, value in batch.items():
            # Manifests of earlier versions lack some of these.
            before = header.get(key, value)
            if before != value and not (key == "model" and self._retry):
                retry = ", or give --retry-failed to run the failed and blocked cases with it" if key == "model" else ""
                raise InputError(
                    f"{self._where.target}: holds a batch with {_said(key, before)}, not with "
                    f"{_said(key, value)}; choose another output folder{retry}."
                )

    def _what_it_is(self) -> dict[str, object]:
        """What all results of one batch must have in common, as it stands in the first line of its manifest."""
        options = self._options
        what: dict[str, object] = {"input": self._manifest.relative(self._where.source), "fill": options.fill}
        what |= {"deidentify_headers": options.deidentify_headers, "keep_private": options.keep_private, "ears": options.ears}
        what["strict"] = options.strict
        return what if options.mask else {**what, "model": find_model(options.model).name}

    def _is_open(self, case: Case) -> bool:
        """Is the case still to be run?"""
        entry = self._entries.get(case.id)
        if entry is None or entry["status"] in (STARTED, STOPPED):
            return True
        if has_changed(entry.get("stamp"), self._stamp(case)):
            # The person decided about another input; but a rejected case comes back only on demand.
            return entry.get("review") != REJECTED or self._retry
        if entry.get("review"):
            return False
        if entry["status"] == MASK_ONLY and not self._options.mask_only:
            # The masks were made first, now the volumes are wanted.
            return True
        if entry["status"] in DONE:
            return not self._has_results(entry)
        return self._retry

    def _deaths(self, case: Case) -> int:
        """How often this program died while it ran the case; on a cluster, the scheduler counts that."""
        entry = self._entries.get(case.id) or {}
        return entry["attempts"] if entry.get("status") == STARTED and not self._engine.shared else 0

    def _has_results(self, entry: dict) -> bool:
        kept = entry["outputs"] or [entry["mask"]]
        return all(self._manifest.resolved(path).exists() for path in kept)

    def _stamp(self, case: Case) -> Stamp | None:
        return stamp_of(self._where.source / case.id)

    def _size(self, case: Case) -> int:
        return int((self._stamp(case) or [0])[0]) + 1

    def _work(self, todo: Iterator[Case]) -> None:
        """Keep the engine busy, with few cases at a time, until all are done."""
        try:
            more = True
            while more or self._running:
                while more and len(self._running) < self._engine.width:
                    case = next(todo, None)
                    if case is None:
                        more = False
                    else:
                        self._start(case)
                self._collect()
        except BaseException:
            self._stopping = True
            self._engine.stop()
            self._collect_all()
            raise

    def _start(self, case: Case) -> None:
        """Hand a case to the engine, or note why it is not run."""
        entry = self._entries.get(case.id) or {}
        # Before the run, so that a change of the input during the run counts as one.
        stamp = self._stamp(case)
        deaths = self._deaths(case)
        if deaths >= MOST_DEATHS and not self._retry:
            self._set_aside(case, deaths, stamp)
            return
        options = replace(self._options, overwrite=self._options.overwrite or _wrote_before(entry, stamp))
        try:
            self._make_room(case, entry, options)
        except CTADefaceError as error:
            # The results that lie there are still those of the input as it was before.
            self._note(case, [failure(case.id, error)], entry.get("stamp") or stamp)
            return
        if deaths >= DEATHS_UNTIL_ALONE:
            self._collect_all()
        self._hand_out(case, options, stamp)

    def _set_aside(self, case: Case, deaths: int, stamp: Stamp | None) -> None:
        """Note a case as failed during which the program died too often."""
        self._note(
            case,
            [
                failure(
                    case.id,
                    CTADefaceError(
                        f"{case.id}: the program died {deaths} times while it was under way, so that it is set aside; give "
                        "--retry-failed to try it again, or try it by itself with cta-deface run."
                    ),
                )
            ],
            stamp,
        )

    def _hand_out(self, case: Case, options: Options, stamp: Stamp | None) -> None:
        """Note a case as started, and give it to the engine."""
        self._entries[case.id] = merged(self._entries.get(case.id), self._add(case, STARTED))
        # A worker that was killed may have published a part; all else that lay there was refused or removed before.
        options = replace(options, overwrite=options.overwrite or self._engine.shared)
        future = self._engine.submit(case, self._where, options, self._progress.of(case.id), self._warn)
        self._running[future] = case, stamp

    def _make_room(self, case: Case, entry: dict, options: Options) -> None:
        """Remove the mask that was kept for a blocked case; refuse what others have written. Raises: OutputError."""
        wanted = wanted_of_case(case, self._where, options)
        mask: Path | None = self._manifest.resolved(entry.get("mask"))
        if entry.get("status") == BLOCKED and mask is not None and mask in wanted:
            mask.unlink(missing_ok=True)
        if entry.get("status") == MASK_ONLY:
            # The earlier run has written nothing but the mask.
            refuse_existing([path for path in wanted if path != mask], self._options.overwrite)
        refuse_existing(wanted, options.overwrite)

    def _add(self, case: Case, status: str, **facts: object) -> dict:
        line = {
            "case": case.id,
            "kind": case.kind,
            "input": self._manifest.relative(self._where.source / case.id),
            "status": status,
            "time": now(),
            "outputs": self._released(case),
            **facts,
        }
        if case.kind == "dicom":
            line["folder"] = case.folder
        self._manifest.add(line)
        return line

    def _released(self, case: Case) -> list[str]:
        """What earlier runs released of a case and still lies there: it stays known, so that a person can take it out."""
        entry = self._entries.get(case.id) or {}
        return [path for path in entry.get("outputs", ()) if self._manifest.resolved(path).exists()]

    def _collect_all(self) -> None:
        """Wait for all cases under way, and note them."""
        while self._running:
            self._collect()

    def _collect(self) -> None:
        """Wait until a case has ended, and note all that have."""
        if not self._running:
            return
        for future in wait(self._running, return_when=FIRST_COMPLETED).done:
            case, stamp = self._running.pop(future)
            error = Cancelled() if future.cancelled() else future.exception()
            if isinstance(error, Cancelled):
                self._entries[case.id] = self._add(case, STOPPED)
                if not self._stopping:
                    raise CTADefaceError("The scheduler gave up its cases, or is gone; the same command continues.")
            else:
                self._note(case, [failure(case.id, error)] if error else future.result(), stamp)

    def _note(self, case: Case, results: list[Result], stamp: Stamp | None) -> None:
        """Note what became of a case that ended."""
        facts = facts_of(results, self._manifest.relative)
        facts["outputs"] += [path for path in self._released(case) if path not in facts["outputs"]]
        line = self._add(case, **facts, stamp=stamp)
        self._entries[case.id] = merged(self._entries.get(case.id), line)
        self._progress.ended(case.id, line["error"] is not None)
        self._told(line)


def _wrote_before(entry: dict, stamp: Stamp | None) -> bool:
    """Did an earlier run write what lies where the results of a case go?

    After a killed or stopped run, yes; after a finished one, as long as its input is still the same.
    """
    if entry.get("status") in (STARTED, STOPPED):
        return True
    has_written = entry.get("status") in DONE or bool(entry.get("outputs"))
    return has_written and not has_changed(entry.get("stamp"), stamp)


def _make_private(folder: str | Path, target: Path) -> None:
    try:
        private_folder(folder, target)
    except OSError as error:
        raise HospitalFolderError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder for records and masks."
        ) from None


def _said(key: str, value: object) -> str:
    if key == "deidentify_headers":
        return "headers cleaned" if value else "headers kept"
    if key == "keep_private":
        return "private elements kept" if value else "private elements removed"
    if key == "strict":
        return "cases stopped by warnings too" if value else "cases that may leave with a warning"
    if key == "ears":
        return "ears removed" if value else "ears kept"
    return f"{key} {value}"


def run_batch(
    source: str | Path,
    target: str | Path,
    options: Options,
    retry_failed: bool = False,
    engine: Engine | None = None,
    show: Callable[[Report], None] | None = None,
    told: Callable[[dict], None] = lambda entry: None,
    warn: Callable[[str], None] = lambda text: None,
) -> Summary:
    """Run a ``Batch``; its ``Summary``, with the seconds that it took. Raises: as ``Batch`` and its ``run``."""
    started = time.monotonic()
    summary = Batch(source, target, options, retry_failed, engine, show, told, warn).run()
    return replace(summary, seconds=round(time.monotonic() - started, 1))

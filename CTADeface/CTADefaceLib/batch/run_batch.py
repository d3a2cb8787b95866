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
from ..errors import Cancelled, CTADefaceError, HospitalFolderError
from ..files.storage.journal import recover
from ..files.storage.private import private_folder
from ..network.host import Networks, NetworksHere
from ..progress import Report
from ..release.hospital_folder import require_hospital_writable, require_writable
from .batch_progress import BatchProgress
from .case_kinds import run_case
from .choice import EVERYTHING, Choice
from .correct import reject
from .find import Case, Places, describe_bids, places
from .input_stamp import Stamp
from .manifest import NAME, STARTED, STOPPED, VERSION, Manifest, ended, facts_of, merged, now
from .numbering import RELEASED_AS
from .one_kind import names_of, require_same, what_it_is
from .overlap import LANES, Lane
from .overview import write_overview
from .pseudonym_key import of_batch
from .review_queue import REJECTED, item_of
from .summary import Summary
from .todo import DEATHS_UNTIL_ALONE, Found, Todo


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

    def __init__(self, networks: Networks | None = None) -> None:
        self._pool = ThreadPoolExecutor(LANES)
        self._lanes: set[Lane] = set()
        # Held for all cases, or by the caller for all batches, so that each model is loaded once.
        self._networks = networks or NetworksHere()

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
    manifest's entry of each case that ended; ``warn`` with each one-sentence warning; ``choice`` says which cases are taken,
    and what their results are called.
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
        choice: Choice = EVERYTHING,
    ) -> None:
        options.require_sound()
        self._where = places(source, target, options.records, options.masks)
        if options.pseudonym_key:
            # Workers may run elsewhere.
            options = replace(options, pseudonym_key=str(Path(options.pseudonym_key).resolve()))
        self._options, self._retry, self._choice = options, retry_failed, choice
        self._engine: Engine = engine or Here()
        self._show, self._told, self._warn = show, told, warn
        self._manifest = Manifest(self._where.hospital / NAME)
        self._todo = Todo(self._where, options, self._manifest, retry_failed, self._engine.shared)
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
            self._todo.entries = entries
            names = names_of(self._where, header, self._choice.names)
            found = self._todo.find(self._choice, names, self._warn)
            self._begin(header, names)
            if damaged:
                self._warn(f"{self._manifest.path}: {damaged} damaged lines were left out; their cases run again.")
            self._clean_up()
            self._run(found.cases)
            describe_bids(self._where)
            return self._told_in_full(found)

    @property
    def _entries(self) -> dict[str, dict]:
        return self._todo.entries

    def _run(self, cases: list[Case]) -> None:
        """Run those of ``cases`` that are open."""
        self._progress = BatchProgress(self._show)
        todo = sorted((case for case in cases if self._todo.why_not(case) is None), key=self._todo.deaths)
        for case in todo:
            self._progress.expect(case.id, self._todo.size(case))
        self._progress.already(len(cases) - len(todo))
        try:
            self._work(iter(todo))
        finally:
            self._engine.close()

    def _told_in_full(self, found: Found) -> Summary:
        """The ``Summary`` of the cases that were ``found``; the pages are about all that lies in the folder of results."""
        # People may have reviewed cases meanwhile.
        entries = self._manifest.read()[1]
        left_out, excluded = len(found.left_out), len(found.excluded)
        everything = ended(entries)
        self._write_overview(Summary.of(everything, left_out, self._manifest.path, excluded), everything)
        return Summary.of((entries[case.id] for case in found.cases), left_out, self._manifest.path, excluded)

    def _write_overview(self, summary: Summary, entries: list[dict]) -> None:
        """Write the pages; when they cannot be written, the cases are done all the same."""
        try:
            write_overview(summary, entries, self._manifest)
        except CTADefaceError as error:
            self._warn(str(error))

    def _clean_up(self) -> None:
        """Undo what a killed run had begun, also for cases that will not run again, and finish a rejection that was killed."""
        for entry in self._entries.values():
            if entry.get("review") == REJECTED and entry.get("outputs"):
                reject(self._manifest.path, item_of(self._manifest, entry), entry.get("by"))
            if entry.get("status") == STARTED:
                name = Path(entry["case"])
                for folder in {name.parent, name, Path(entry.get("folder", "."))}:
                    recover(self._where.hospital / folder)

    def _begin(self, header: dict | None, names: str) -> None:
        """Write the first line of the manifest, or refuse to mix two batches in one folder."""
        what = what_it_is(self._where, self._options, self._manifest, names)
        what |= of_batch(self._options, self._where, self._manifest, header)
        if header is not None:
            require_same(self._where, header, what, self._retry)
            return
        output = self._manifest.relative(self._where.target)
        self._manifest.add({"manifest": VERSION, "time": now(), **what, "output": output})

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
        stamp = self._todo.stamp(case)
        deaths = self._todo.deaths(case)
        try:
            self._todo.require_alive(case)
        except CTADefaceError as error:
            self._note(case, [failure(case.id, error)], stamp)
            return
        try:
            options, old_mask = self._todo.require_room(case)
        except CTADefaceError as error:
            # The results that lie there are still those of the input as it was before.
            self._note(case, [failure(case.id, error)], entry.get("stamp") or stamp)
            return
        if old_mask is not None:
            old_mask.unlink(missing_ok=True)
        if deaths >= DEATHS_UNTIL_ALONE:
            self._collect_all()
        self._hand_out(case, options, stamp)

    def _hand_out(self, case: Case, options: Options, stamp: Stamp | None) -> None:
        """Note a case as started, and give it to the engine."""
        self._entries[case.id] = merged(self._entries.get(case.id), self._add(case, STARTED))
        # A worker that was killed may have published a part; all else that lay there was refused or removed before.
        options = replace(options, overwrite=options.overwrite or self._engine.shared)
        future = self._engine.submit(case, self._where, options, self._progress.of(case.id), self._warn)
        self._running[future] = case, stamp

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
        if case.called is not None:
            line[RELEASED_AS] = case.called
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


def _make_private(folder: str | Path, target: Path) -> None:
    try:
        private_folder(folder, target)
    except OSError as error:
        raise HospitalFolderError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder for records and masks."
        ) from None


def run_batch(
    source: str | Path,
    target: str | Path,
    options: Options,
    retry_failed: bool = False,
    engine: Engine | None = None,
    show: Callable[[Report], None] | None = None,
    told: Callable[[dict], None] = lambda entry: None,
    warn: Callable[[str], None] = lambda text: None,
    choice: Choice = EVERYTHING,
) -> Summary:
    """Run a ``Batch``; its ``Summary``, with the seconds that it took. Raises: as ``Batch`` and its ``run``."""
    started = time.monotonic()
    summary = Batch(source, target, options, retry_failed, engine, show, told, warn, choice).run()
    return replace(summary, seconds=round(time.monotonic() - started, 1))

"""A batch: which cases are still to be done, handing them out, noting what came back."""

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from ..cases.result import failure
from ..errors import Cancelled, CTADefaceError, InputError, OutputError
from ..files.journal import recover
from ..files.private import private_folder
from ..files.publish import refuse_existing
from ..files.read import EXTENSIONS
from ..models.store import find_model
from .batch_progress import BatchProgress
from .case_kinds import run_case, wanted_of_case
from .correct import reject
from .find import describe_bids, excluded_folders, find_cases, is_bids, places
from .manifest import BLOCKED, DONE, MASK_ONLY, NAME, STARTED, STOPPED, VERSION, Manifest, facts_of, merged, now
from .overlap import LANES, Lane
from .review_queue import REJECTED, item_of
from .stamp import has_changed, stamp_of
from .studies import find_studies, study_cases
from .summary import Summary

# Cases during which the program died come last, after two deaths alone, and after three not at all: one that kills it
# again and again must neither stop every later run nor take its neighbours with it.
DEATHS_UNTIL_ALONE, MOST_DEATHS = 2, 3


class Here:
    """Runs cases in threads of this process, overlapping (see ``overlap``)."""

    width = LANES
    shared = False

    def __init__(self):
        self._pool = ThreadPoolExecutor(LANES)
        self._lanes = set()

    def submit(self, case, where, options, callback, warn):
        lane = Lane(callback)
        self._lanes.add(lane)
        future = self._pool.submit(run_case, case, where, options, lane, warn)
        future.add_done_callback(lambda _future: self._lanes.discard(lane))
        return future

    def stop(self):
        """Ask all cases to stop; each does so within about a second."""
        for lane in list(self._lanes):
            lane.cancel()

    def close(self):
        self._pool.shutdown()


class Batch:
    """All cases of a folder. ``engine`` runs them (``Here``, ``cluster.Cluster``); ``told(entry)`` hears of each
    that ended.

    Raises: InputError, OutputError when the batch cannot begin.
    """

    def __init__(self, source, target, options, retry_failed=False, engine=None, show=None, told=lambda entry: None,
                 warn=lambda text: None):
        options.require_sound()
        self._where = places(source, target, options.records, options.masks)
        self._options, self._retry, self._engine = options, retry_failed, engine or Here()
        self._show, self._told, self._warn = show, told, warn
        self._manifest = Manifest(self._where.hospital / NAME)
        self._running, self._stopping = {}, False

    def run(self):
        """Run what is still to be done; returns the ``Summary`` of the whole batch.

        Raises: KeyboardInterrupt when it was stopped; what was under way is then noted as such.
        """
        for folder in (self._where.hospital, self._options.masks):
            if folder is not None:
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

    def _find(self, entries):
        """(cases, files left out). Raises: InputError when there is no case at all."""
        where, others = self._where, [self._options.masks] if self._options.masks else []
        cases, left_out = find_cases(where, others)
        if not is_bids(where.source):
            studies = find_studies(where.source, excluded_folders(where, others))
            cases += study_cases(where.source, studies, entries, self._warn)
        if not cases:
            raise InputError(f"{where.source}: holds no volume file ({', '.join(EXTENSIONS)}; of a BIDS dataset only *_ct) "
                             "and no DICOM; give the folder of the cases.")
        return cases, left_out

    def _clean_up(self, entries):
        """Undo what a killed run has begun, also of cases that will not run again, and end a rejection that was killed."""
        for entry in entries.values():
            if entry.get("review") == REJECTED and entry.get("outputs"):
                reject(self._manifest.path, item_of(self._manifest, entry), entry.get("by"))
            if entry.get("status") == STARTED:
                name = Path(entry["case"])
                for folder in {name.parent, name, Path(entry.get("folder", "."))}:
                    recover(self._where.hospital / folder)

    def _begin(self, header):
        """Write the first line, or refuse to mix two batches in one folder."""
        batch = self._what_it_is()
        if header is None:
            self._manifest.add({"manifest": VERSION, "time": now(), **batch,
                                "output": self._manifest.relative(self._where.target)})
            return
        for key, value in batch.items():
            # Manifests of before do not tell everything.
            before = header.get(key, value)
            if before != value and not (key == "model" and self._retry):
                retry = ", or give --retry-failed to run with it what failed or was blocked" if key == "model" else ""
                raise InputError(f"{self._where.target}: holds a batch with {_said(key, before)}, not with "
                                 f"{_said(key, value)}; choose another output folder{retry}.")

    def _what_it_is(self):
        """What all results of one batch must have in common, as the first line of its manifest tells it."""
        options = self._options
        what = {"input": self._manifest.relative(self._where.source), "fill": options.fill,
                "deidentify_headers": options.deidentify_headers, "keep_private": options.keep_private,
                "ears": options.ears}
        return what if options.mask else {**what, "model": find_model(options.model).name}

    def _is_open(self, case):
        """Is the case still to be run?"""
        entry = self._entries.get(case.id)
        if entry is None or entry["status"] in (STARTED, STOPPED):
            return True
        if has_changed(entry.get("stamp"), self._stamp(case)):
            # What a person decided was about another input; but what was taken out comes back only on demand.
            return entry.get("review") != REJECTED or self._retry
        if entry.get("review"):
            return False
        if entry["status"] == MASK_ONLY and not self._options.mask_only:
            # The masks were made first, now the volumes are wanted.
            return True
        if entry["status"] in DONE:
            return not self._has_results(entry)
        return self._retry

    def _deaths(self, case):
        """How often this program died while it ran the case; of a cluster, the scheduler counts that."""
        entry = self._entries.get(case.id) or {}
        return entry["attempts"] if entry.get("status") == STARTED and not self._engine.shared else 0

    def _has_results(self, entry):
        kept = entry["outputs"] or [entry["mask"]]
        return all(self._manifest.resolved(path).exists() for path in kept)

    def _stamp(self, case):
        return stamp_of(self._where.source / case.id)

    def _size(self, case):
        return (self._stamp(case) or [0])[0] + 1

    def _work(self, todo):
        """Keep the engine busy, with few cases at a time, until all are done."""
        try:
            more = True
            while more or self._running:
                while more and len(self._running) < self._engine.width:
                    case = next(todo, None)
                    more = case is not None
                    if more:
                        self._start(case)
                self._collect()
        except BaseException:
            self._stopping = True
            self._engine.stop()
            while self._running:
                self._collect()
            raise

    def _start(self, case):
        entry = self._entries.get(case.id) or {}
        # Of before the run: what changes while it lasts is a change.
        stamp = self._stamp(case)
        # What there is after a killed or stopped run was written by it, and what is left of a finished one too.
        ours = entry.get("status") in (STARTED, STOPPED) or (
            (entry.get("status") in DONE or bool(entry.get("outputs")))
            and not has_changed(entry.get("stamp"), stamp))
        deaths = self._deaths(case)
        if deaths >= MOST_DEATHS and not self._retry:
            self._note(case, [failure(case.id, CTADefaceError(
                f"{case.id}: the program died {deaths} times while it was under way, so that it is set aside; give "
                "--retry-failed to try it again, or try it by itself with cta-deface run."))], stamp)
            return
        options = replace(self._options, overwrite=self._options.overwrite or ours)
        try:
            self._make_room(case, entry, options)
        except CTADefaceError as error:
            # What lies there is still that of the input as it was.
            self._note(case, [failure(case.id, error)], entry.get("stamp") or stamp)
            return
        while self._running and deaths >= DEATHS_UNTIL_ALONE:
            self._collect()
        self._entries[case.id] = merged(self._entries.get(case.id), self._add(case, STARTED))
        # A worker that was killed may have published a part: what is there now is known to be ours.
        options = replace(options, overwrite=options.overwrite or self._engine.shared)
        future = self._engine.submit(case, self._where, options, self._progress.of(case.id), self._warn)
        self._running[future] = case, stamp

    def _make_room(self, case, entry, options):
        """Remove the mask that was kept of a blocked case; refuse what others have written."""
        wanted = wanted_of_case(case, self._where, options)
        mask = self._manifest.resolved(entry.get("mask"))
        if entry.get("status") == BLOCKED and mask in wanted:
            mask.unlink(missing_ok=True)
        if entry.get("status") == MASK_ONLY:
            # That run has written nothing else.
            refuse_existing([path for path in wanted if path != mask], self._options.overwrite)
        refuse_existing(wanted, options.overwrite)

    def _add(self, case, status, **facts):
        line = {"case": case.id, "kind": case.kind, "input": self._manifest.relative(self._where.source / case.id),
                "status": status, "time": now(), "outputs": self._released(case), **facts}
        if case.kind == "dicom":
            line["folder"] = case.folder
        self._manifest.add(line)
        return line

    def _released(self, case):
        """What earlier runs released of a case and still lies there: however this one ends, a person can take it out."""
        entry = self._entries.get(case.id) or {}
        return [path for path in entry.get("outputs", ()) if self._manifest.resolved(path).exists()]

    def _collect(self):
        """Note those that have ended; waits for one."""
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

    def _note(self, case, results, stamp):
        facts = facts_of(results, self._manifest.relative)
        facts["outputs"] += [path for path in self._released(case) if path not in facts["outputs"]]
        line = self._add(case, **facts, stamp=stamp)
        self._entries[case.id] = merged(self._entries.get(case.id), line)
        self._progress.ended(case.id, line["error"] is not None)
        self._told(line)


def _make_private(folder, target):
    try:
        private_folder(folder, target)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); choose another folder for records and "
                          "masks.") from None


def _said(key, value):
    if key == "deidentify_headers":
        return "headers cleaned" if value else "headers kept"
    if key == "keep_private":
        return "private elements kept" if value else "private elements removed"
    if key == "ears":
        return "ears removed" if value else "ears kept"
    return f"{key} {value}"


def run_batch(source, target, options, **how):
    """``Batch(source, target, options, **how).run()``, with the seconds that it took."""
    started = time.monotonic()
    summary = Batch(source, target, options, **how).run()
    return replace(summary, seconds=round(time.monotonic() - started, 1))

"""What there is to do in a batch: its cases, which of them are still open, and why the others are not. It only reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..cases.options import Options
from ..errors import CTADefaceError, InputError
from ..files.bids import is_bids
from ..files.publish import refuse_existing
from ..files.read import EXTENSIONS
from .case_kinds import wanted_of_case
from .choice import Choice, chosen
from .find import Case, Places, excluded_folders, find_cases
from .input_stamp import Stamp, has_changed, stamp_of
from .manifest import BLOCKED, DONE, LEFT_OUT, MASK_ONLY, STARTED, STOPPED, Manifest, why_left_out
from .numbering import NUMBERED, numbered_cases
from .review_queue import REJECTED
from .studies import find_studies, study_cases

# Cases during which the program died run last; after two deaths such a case runs alone, after three not at all. A case
# that kills the program again and again must neither stop every later run nor end the cases beside it.
DEATHS_UNTIL_ALONE, MOST_DEATHS = 2, 3


@dataclass(frozen=True)
class Found:
    """What lies in the input folder: ``cases``, those that were ``excluded`` by the shell's globs, and files ``left_out``
    because of their names."""

    cases: list[Case]
    excluded: list[Case]
    left_out: list[Path]


@dataclass
class Todo:
    """The cases of a batch and what its manifest knows of them.

    ``retry``: what failed or was blocked runs again; ``shared``: other machines work too, so that a case that was begun
    and not ended tells nothing about this program; ``entries`` of the manifest, by case, to be kept up to date.
    """

    where: Places
    options: Options
    manifest: Manifest
    retry: bool = False
    shared: bool = False
    entries: dict[str, dict] = field(default_factory=dict)

    def find(self, choice: Choice, names: str, warn: Callable[[str], None]) -> Found:
        """The cases that there are, numbered where ``names`` says so; ``warn`` is told what looks like a mistake.

        Raises: InputError when there is no case at all, or ``choice`` takes none.
        """
        where = self.where
        others: list[str | Path] = [*choice.unsearched, *filter(None, [self.options.masks])]
        files, left_out = find_cases(where, others)
        studies = [] if is_bids(where.source) else find_studies(where.source, excluded_folders(where, others))
        everything = files + study_cases(where.source, studies, self.entries, warn)
        if not everything:
            raise InputError(
                f"{where.source}: holds no volume file ({', '.join(EXTENSIONS)}; in a BIDS dataset only *_ct) "
                "and no DICOM; give the folder of the cases."
            )
        for sentence in choice.idle(everything):
            warn(sentence)
        taken, excluded = chosen(choice, everything)
        if not taken:
            raise InputError(
                f"{where.source}: --include and --exclude leave none of its {len(everything)} cases; change them."
            )
        if names == NUMBERED:
            numbered = {case.id: case for case in numbered_cases([c for c in taken if c.kind == "file"], self.entries)}
            taken = [numbered.get(case.id, case) for case in taken]
        return Found(taken, excluded, left_out)

    def why_not(self, case: Case) -> str | None:
        """Why a case is not to be run, in words; None when it is."""
        entry = self.entries.get(case.id)
        if entry is None or entry["status"] in (STARTED, STOPPED):
            return None
        if has_changed(entry.get("stamp"), self.stamp(case)):
            # The person decided about another input; but a rejected case comes back only on demand.
            if entry.get("review") != REJECTED or self.retry:
                return None
            return f"{REJECTED} by {entry.get('by')}; its input has changed since, --retry-failed runs it"
        if entry.get("review"):
            return f"{entry['review']} by {entry.get('by')}"
        if entry["status"] in DONE:
            # The masks may have been made first, and now the volumes are wanted.
            wanted = entry["status"] != MASK_ONLY or self.options.mask_only
            return f"done already: {entry['status']}" if wanted and self._has_results(entry) else None
        return None if self.retry else f"{why_not_done(entry).rstrip('.;')}; --retry-failed runs it again"

    def deaths(self, case: Case) -> int:
        """How often this program died while it ran the case; on a cluster, the scheduler counts that."""
        entry = self.entries.get(case.id) or {}
        return entry["attempts"] if entry.get("status") == STARTED and not self.shared else 0

    def require_alive(self, case: Case) -> None:
        """Raise ``CTADefaceError`` for a case during which the program died too often."""
        deaths = self.deaths(case)
        if deaths >= MOST_DEATHS and not self.retry:
            raise CTADefaceError(
                f"{case.id}: the program died {deaths} times while it was under way, so that it is set aside; give "
                "--retry-failed to try it again, or try it by itself with cta-deface run."
            )

    def require_room(self, case: Case) -> tuple[Options, Path | None]:
        """(options of a case, the mask of a blocked one that is to make room); refuses what others have written.

        Raises: OutputError.
        """
        entry = self.entries.get(case.id) or {}
        options = replace(self.options, overwrite=self.options.overwrite or _wrote_before(entry, self.stamp(case)))
        wanted = wanted_of_case(case, self.where, options)
        mask: Path | None = self.manifest.resolved(entry.get("mask"))
        if entry.get("status") == MASK_ONLY:
            # The earlier run has written nothing but the mask.
            refuse_existing([path for path in wanted if path != mask], self.options.overwrite)
        old = mask if entry.get("status") == BLOCKED and mask in wanted else None
        refuse_existing([path for path in wanted if path != old], options.overwrite)
        return options, old

    def stamp(self, case: Case) -> Stamp | None:
        return stamp_of(self.where.source / case.id)

    def size(self, case: Case) -> int:
        return int((self.stamp(case) or [0])[0]) + 1

    def _has_results(self, entry: dict) -> bool:
        kept = entry["outputs"] or [entry["mask"]]
        return all(self.manifest.resolved(path).exists() for path in kept)


def why_not_done(entry: dict) -> str:
    """Why a case that ended has no result, in words."""
    if entry["status"] == LEFT_OUT:
        return f"{LEFT_OUT}: {why_left_out(entry)}"
    return f"{'blocked by its checks' if entry['status'] == BLOCKED else entry['status']} before: {entry.get('error')}"


def _wrote_before(entry: dict, stamp: Stamp | None) -> bool:
    """Did an earlier run write what lies where the results of a case go?

    After a killed or stopped run, yes; after a finished one, as long as its input is still the same.
    """
    if entry.get("status") in (STARTED, STOPPED):
        return True
    has_written = entry.get("status") in DONE or bool(entry.get("outputs"))
    return has_written and not has_changed(entry.get("stamp"), stamp)

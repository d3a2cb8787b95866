"""What became of a batch, in numbers and in words: for the terminal, the overview page and the table alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import ChecksFailed, CTADefaceError, InputError
from .manifest import BLOCKED, DEFACED, DONE, FAILED, LEFT_OUT, MASK_ONLY, NOT_DEFACED, why_left_out
from .numbering import RELEASED_AS

MOST_NAMED = 20
STATUSES = (DEFACED, MASK_ONLY, BLOCKED, NOT_DEFACED, FAILED, LEFT_OUT)


def fault_of(entry: dict) -> str:
    """What was at fault in an entry of the manifest that is not done; earlier versions did not note it."""
    known: dict[str, type[CTADefaceError]] = {BLOCKED: ChecksFailed, NOT_DEFACED: InputError}
    return entry.get("fault") or known.get(entry["status"], CTADefaceError).fault


@dataclass(frozen=True)
class Row:
    """One case, from its entry in the manifest.

    ``blocking`` checks stopped it, ``overridden`` ones failed and a person let it through, ``warned`` ones only warn; all
    three are empty once a person has reviewed it. ``released_as`` its number, if it has one; ``outputs``, ``record`` and
    ``report`` paths relative to the manifest's folder; ``problem`` what went wrong, or why it was left out;
    ``fault`` what was at fault, as for ``CTADefaceError``.
    """

    case: str
    kind: str
    status: str
    released_as: str
    blocking: tuple[str, ...]
    overridden: tuple[str, ...]
    warned: tuple[str, ...]
    problem: str
    fault: str
    review: str
    by: str
    mask_ml: float | None
    seconds: float | None
    outputs: tuple[str, ...]
    record: str | None
    report: str | None
    time: str

    @classmethod
    def of(cls, entry: dict) -> Row:
        failed = () if entry.get("review") else tuple(entry.get("failed_checks", ()))
        is_done = entry["status"] in DONE
        return cls(
            case=entry["case"],
            kind=entry.get("kind", ""),
            status=entry["status"],
            released_as=entry.get(RELEASED_AS) or entry.get("folder") or "",
            blocking=() if is_done else failed,
            overridden=failed if is_done else (),
            warned=tuple(entry.get("warned_checks", ())) if is_done and not entry.get("review") else (),
            problem=entry.get("error") or (why_left_out(entry) if entry["status"] == LEFT_OUT else ""),
            fault="" if is_done or entry["status"] == LEFT_OUT else fault_of(entry),
            review=entry.get("review") or "",
            by=entry.get("by") or "",
            mask_ml=entry.get("mask_ml"),
            seconds=entry.get("seconds"),
            outputs=tuple(entry.get("outputs", ())),
            record=entry.get("record"),
            report=entry.get("report"),
            time=entry.get("time", ""),
        )

    @property
    def is_open(self) -> bool:
        """Has it no result, and has nobody decided about it?"""
        return self.status not in (*DONE, LEFT_OUT) and not self.review

    @property
    def badness(self) -> tuple:
        """A sort key: what has no result comes first, then what was let through, then what warns; what was left out last."""
        return (
            not self.is_open,
            self.status == LEFT_OUT,
            -len(self.blocking),
            -len(self.overridden),
            -len(self.warned),
            self.case,
        )


@dataclass(frozen=True)
class Summary:
    """``left_out``: files left out because of their names; ``excluded``: cases that --include and --exclude did not take;
    ``failed_checks``: blocked cases by check; ``overridden_checks``: cases that a reason let through, by check;
    ``warned_checks``: cases that left with a warning, by check; ``problems``: (case, error) of those that failed or were
    blocked, and that nobody has reviewed; ``labelmaps``: (case, why it is taken for one); ``faults``
    the number of problems by what was at fault (see ``errors.CTADefaceError``).
    """

    cases: int
    by_status: dict[str, int]
    failed_checks: dict[str, int]
    overridden_checks: dict[str, int]
    warned_checks: dict[str, int]
    problems: tuple[tuple[str, str], ...]
    labelmaps: tuple[tuple[str, str], ...]
    left_out: int
    excluded: int
    manifest: Path
    faults: dict[str, int]
    seconds: float = 0.0

    @classmethod
    def of(cls, entries: Iterable[dict], left_out: int, manifest: Path, excluded: int = 0) -> Summary:
        rows = [Row.of(entry) for entry in entries]
        return cls(
            len(rows),
            dict(Counter(row.status for row in rows)),
            _counted(row.blocking for row in rows),
            _counted(row.overridden for row in rows),
            _counted(row.warned for row in rows if row.status == DEFACED),
            tuple((row.case, row.problem or row.status) for row in rows if row.is_open),
            tuple((row.case, row.problem) for row in rows if row.status == LEFT_OUT),
            left_out,
            excluded,
            manifest,
            dict(Counter(row.fault for row in rows if row.is_open).most_common()),
        )

    @property
    def complete(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict:
        return asdict(self) | {"manifest": str(self.manifest), "complete": self.complete}

    def lines(self) -> Iterator[str]:
        """The summary as a person reads it."""
        yield self.in_short
        yield from self.checks_in_words
        for case, error in self.problems[:MOST_NAMED]:
            yield f"  {case}: {error}"
        if len(self.problems) > MOST_NAMED:
            yield f"  and {len(self.problems) - MOST_NAMED} more"
        yield from self.not_taken
        yield f"Manifest: {self.manifest}"

    @property
    def in_short(self) -> str:
        """The number of cases, in all and by status."""
        statuses = sorted(self.by_status, key=lambda status: (*STATUSES, status).index(status))
        return f"{_number(self.cases, 'case')}: " + ", ".join(f"{self.by_status[status]} {status}" for status in statuses)

    @property
    def checks_in_words(self) -> list[str]:
        """One line for each kind of answer that a person should look at."""
        kinds = {
            "Blocked by": self.failed_checks,
            "Let through by a reason, not reviewed": self.overridden_checks,
            "Left with a warning, not reviewed": self.warned_checks,
        }
        return [
            f"{what}: " + ", ".join(f"{name} {number}" for name, number in checks.items())
            for what, checks in kinds.items()
            if checks
        ]

    @property
    def not_taken(self) -> list[str]:
        """One line for each kind of file that no case was made of."""
        lines = []
        if self.labelmaps:
            names = ", ".join(case for case, _why in self.labelmaps[:MOST_NAMED])
            more = f" and {len(self.labelmaps) - MOST_NAMED} more" if len(self.labelmaps) > MOST_NAMED else ""
            lines.append(f"Left out, because their voxels are those of a labelmap: {names}{more}")
        if self.left_out:
            lines.append(f"{_number(self.left_out, 'file')} left out: results of CTADeface, or no CT of a BIDS dataset")
        if self.excluded:
            lines.append(f"{_number(self.excluded, 'case')} not taken: --include, --exclude or labels")
        return lines


def _number(count: int, of_what: str) -> str:
    return f"{count} {of_what}" + ("" if count == 1 else "s")


def _counted(checks: Iterable[Iterable[str]]) -> dict[str, int]:
    """Check -> number of cases, the most frequent first."""
    return dict(Counter(name for names in checks for name in names).most_common())

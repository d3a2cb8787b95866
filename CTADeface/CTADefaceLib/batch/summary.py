"""What became of a batch, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import ChecksFailed, CTADefaceError, InputError
from .manifest import BLOCKED, DEFACED, DONE, MASK_ONLY, NOT_DEFACED

MOST_NAMED = 20


def fault_of(entry: dict) -> str:
    """What was at fault in an entry of the manifest that is not done; earlier versions did not note it."""
    known: dict[str, type[CTADefaceError]] = {BLOCKED: ChecksFailed, NOT_DEFACED: InputError}
    return entry.get("fault") or known.get(entry["status"], CTADefaceError).fault


@dataclass(frozen=True)
class Summary:
    """``left_out``: files left out because of their names; ``failed_checks``: blocked cases by check; ``warned_checks``:
    cases that left with a warning, by check; ``problems``:
    (case, error) of those that failed or were blocked, and that nobody has reviewed; ``faults`` their number by what was at
    fault (see ``errors.CTADefaceError``).
    """

    cases: int
    by_status: dict[str, int]
    failed_checks: dict[str, int]
    warned_checks: dict[str, int]
    problems: tuple[tuple[str, str], ...]
    left_out: int
    manifest: Path
    faults: dict[str, int]
    seconds: float = 0.0

    @classmethod
    def of(cls, entries: list[dict], left_out: int, manifest: Path) -> Summary:
        open_ones = [entry for entry in entries if entry["status"] not in DONE and not entry.get("review")]
        checks = Counter(name for entry in open_ones for name in entry.get("failed_checks", ()))
        warned = Counter(
            name
            for entry in entries
            if entry["status"] == DEFACED and not entry.get("review")
            for name in entry.get("warned_checks", ())
        )
        problems = tuple((entry["case"], entry.get("error") or entry["status"]) for entry in open_ones)
        return cls(
            len(entries),
            dict(Counter(entry["status"] for entry in entries)),
            dict(checks.most_common()),
            dict(warned.most_common()),
            problems,
            left_out,
            manifest,
            dict(Counter(map(fault_of, open_ones)).most_common()),
        )

    @property
    def complete(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict:
        return asdict(self) | {"manifest": str(self.manifest), "complete": self.complete}

    def lines(self) -> Iterator[str]:
        """The summary as a person reads it."""
        order = (DEFACED, MASK_ONLY, BLOCKED)
        statuses = sorted(self.by_status, key=lambda status: (*order, status).index(status))
        yield f"{self.cases} cases: " + ", ".join(f"{self.by_status[status]} {status}" for status in statuses)
        if self.failed_checks:
            yield "Blocked by: " + ", ".join(f"{name} {number}" for name, number in self.failed_checks.items())
        if self.warned_checks:
            yield "Left with a warning, not reviewed: " + ", ".join(
                f"{name} {number}" for name, number in self.warned_checks.items()
            )
        for case, error in self.problems[:MOST_NAMED]:
            yield f"  {case}: {error}"
        if len(self.problems) > MOST_NAMED:
            yield f"  and {len(self.problems) - MOST_NAMED} more"
        if self.left_out:
            yield f"{self.left_out} files left out: results of CTADeface, or no CT of a BIDS dataset"
        yield f"Manifest: {self.manifest}"

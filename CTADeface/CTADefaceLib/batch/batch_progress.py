"""One fraction and one time left over all cases of a batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..progress import Report


class BatchProgress:
    """``show(Report)`` is called from any thread, by one at a time; cases count by the size of their files."""

    def __init__(self, show: Callable[[Report], None] | None = None) -> None:
        self._show = show
        self._weights: dict[str, int] = {}
        self._parts: dict[str, float] = {}
        self._all = self._done = 0
        self._cases = self._ended = self._failed = 0
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def expect(self, case: str, weight: int) -> None:
        self._weights[case] = weight
        self._all += weight
        self._cases += 1

    def already(self, cases: int) -> None:
        """Count ``cases`` that an earlier run has done: as cases, not as work."""
        self._cases += cases
        self._ended += cases

    def of(self, case: str) -> Callable[[Report], None]:
        """The callback for the ``Progress`` of one case."""

        def report(told: Report) -> None:
            with self._lock:
                if case in self._weights:
                    self._parts[case] = told.fraction
                self._tell()

        return report

    def ended(self, case: str, failed: bool) -> None:
        with self._lock:
            self._parts.pop(case, None)
            self._done += self._weights.pop(case)
            self._ended += 1
            self._failed += failed
            self._tell()

    def _tell(self) -> None:
        if self._show is None:
            return
        under_way = sum(self._weights[case] * fraction for case, fraction in self._parts.items())
        fraction = min((self._done + under_way) / self._all, 1.0) if self._all else 1.0
        elapsed = time.monotonic() - self._started
        left = elapsed * (1 - fraction) / fraction if fraction > 0.001 else None
        failed = f", {self._failed} failed" if self._failed else ""
        self._show(Report(f"{self._ended}/{self._cases} cases{failed}", fraction, left))

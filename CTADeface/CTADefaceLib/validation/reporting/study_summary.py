"""From the results of all heads to the numbers of the tables: arrays by head, in one order of heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..faces import RECOGNISERS, ViewFaces, surest
from ..identification import WHO, Identification, Identified
from ..methods import ORIGINAL
from ..protocol import Protocol
from ..results_store import Result, Results

DIMENSIONS = {"facenet": 512, "dlib": 128}


@dataclass(frozen=True)
class Summary:
    """``results`` {head: {method: result}} as ``run_study.run_study`` gives, and the ``Protocol``. NaN: no result."""

    results: Results
    protocol: Protocol

    @cached_property
    def heads(self) -> list[str]:
        return list(self.results)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The original and all methods: a head is shown in each of these states."""
        return (ORIGINAL, *self.protocol.methods)

    @cached_property
    def failures(self) -> list[tuple[str, str, str]]:
        """(head, method, reason) of every result that is not there."""
        return [
            (head, method, result["error"])
            for head, found in self.results.items()
            for method, result in found.items()
            if result.get("error")
        ]

    def result(self, head: str, state: str) -> Result | None:
        """The result, or None where the method failed."""
        found = self.results[head][state]
        return None if found.get("error") else found

    def complete(self, states: Sequence[str]) -> np.ndarray:
        """Bool by head: every one of ``states`` has a result."""
        return np.array([all(self.result(head, state) for state in states) for head in self.heads], bool)

    def _each(self, state: str, function: Callable[[Result], float | None]) -> np.ndarray:
        found = [self.result(head, state) for head in self.heads]
        return np.array([np.nan if r is None or (v := function(r)) is None else v for r in found], float)

    def measure(self, state: str, key: str) -> np.ndarray:
        """(heads,) one of ``measures``' figures."""
        return self._each(state, lambda result: result["measures"][key])

    def seconds(self, state: str, key: str = "mask_seconds") -> np.ndarray:
        """(heads,) one of the run times."""
        return self._each(state, lambda result: result[key])

    def found(self, state: str, detector: str, filtered: bool = True) -> np.ndarray:
        """(heads, views) 1.0 where the detector has a box, else 0.0; rows of heads that failed are NaN.

        ``filtered``: only boxes of the face's size and at its place count.
        """

        def seen(view: ViewFaces) -> float:
            boxes = view["boxes"][detector]
            return float(surest(boxes) is not None if filtered else bool(boxes))

        return self._by_view(state, seen)

    def probability(self, state: str) -> np.ndarray:
        """(heads, views) MTCNN's confidence of the surest counted box, 0 without one."""
        return self._by_view(state, lambda view: (surest(view["boxes"]["mtcnn"]) or {"confidence": 0.0})["confidence"])

    def _by_view(self, state: str, function: Callable[[ViewFaces], float]) -> np.ndarray:
        rows = [self.result(head, state) for head in self.heads]
        blank = [np.nan] * len(self.protocol.views)
        return np.array([blank if row is None else [function(view) for view in row["views"]] for row in rows], float)

    def points(self, state: str, recogniser: str, kind: str) -> np.ndarray:
        """(heads, views, numbers) of the recogniser; ``kind`` 'face' or 'crop'; NaN without a face or result."""
        blank = [np.nan] * DIMENSIONS[recogniser]
        rows = []
        for head in self.heads:
            found = self.result(head, state)
            rows.append(
                [view[kind][recogniser] if view[kind] else blank for view in found["views"]]
                if found
                else [blank] * len(self.protocol.views)
            )
        return np.array(rows, float)

    def distance(self, state: str, recogniser: str, kind: str) -> np.ndarray:
        """(heads,) median over views of the distance of a head to its own original in the same view."""
        apart = np.linalg.norm(self.points(state, recogniser, kind) - self.points(ORIGINAL, recogniser, kind), axis=2)
        return np.array([np.nan if np.isnan(row).all() else np.nanmedian(row) for row in apart])

    def gallery(self, state: str, who: str, across: bool) -> Identified:
        """``identification.identified`` of all originals as gallery, by one of ``WHO``.

        ``across``: the gallery shows another view of the same pitch.
        """
        return self._identified[state, bool(across)][who]

    @cached_property
    def _identified(self) -> dict[tuple[str, bool], dict[str, Identified]]:
        views = range(len(self.protocol.views))
        points = {state: {r: self.points(state, r, "crop") for r in RECOGNISERS} for state in self.states}
        result = {}
        for state in self.states:
            for across, pairs in ((False, [(v, v) for v in views]), (True, self.protocol.neighbours)):
                probes = Identification(points[state], points[ORIGINAL], tuple(pairs))
                # An original is its own gallery in the same view: there is nothing to learn.
                result[state, across] = {who: probes.found(who) for who in WHO} if state != ORIGINAL or across else {}
        return result

"""One object that carries progress outwards and cancellation inwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

# Share of the wall time that each stage takes on a CPU, for one fraction over all.
STAGES = {"read": 0.10, "load model": 0.10, "segment": 0.30, "refine": 0.20, "fill": 0.05, "check": 0.10, "write": 0.15}
# How long stages that only some runs have take, as a multiple of a run without them.
OPTIONAL = {"identity": 4.0, "send": 1.0}
# The stages of ``face.mask`` after reading.
MODEL_STAGES = ("load model", "segment", "refine")
# The most that is told before the end: 1 means that the result is there, and a run can still fail in its last step.
ALMOST = 0.999


@dataclass(frozen=True)
class Report:
    """``fraction`` (0 to 1) of the whole run, and ``seconds_left``, None while no estimate is possible.

    The fraction is 1, and ``stage`` "done", only at the end of a run that succeeded. ``stage`` is empty outside of any stage.

    Examples:
        >>> from CTADefaceLib import Report
        >>> Report("segment", 0.25, 12.0)
        Report(stage='segment', fraction=0.25, seconds_left=12.0)
    """

    stage: str
    fraction: float
    seconds_left: float | None


class StageProgress(Protocol):
    """How a step of a run tells how far it is within the current stage of the run: a ``Progress`` or a part of one."""

    def enter(self, stage: str) -> None:
        """Begin ``stage``; a part stays in the stage of the whole. Raises: Cancelled."""

    def update(self, fraction: float) -> None:
        """Report ``fraction`` (0 to 1) of the step. Raises: Cancelled."""

    def part(self, low: float, high: float) -> StageProgress:
        """A view that maps its own 0 to 1 onto ``low`` to ``high`` of this one."""


class Progress:
    """Pass one to a run; ``callback(Report)`` is called from the thread that works.

    ``stages``: the share of the wall time of each stage, by default ``STAGES``. The fraction never falls, even when a
    stage is entered again. ``cancel()`` may be called from any thread: the run raises ``Cancelled`` at its next step.

    Examples:
        >>> from CTADefaceLib import Progress, fill_face
        >>> told = []
        >>> filled = fill_face("head.nii.gz", "head_facemask.nii.gz", progress=Progress(told.append))
        >>> [(report.stage, report.fraction) for report in told]
        [('fill', 0.0), ('done', 1.0)]
    """

    def __init__(self, callback: Callable[[Report], object] | None = None, stages: Mapping[str, float] | None = None) -> None:
        self._callback = callback
        self._shares = STAGES if stages is None else stages
        self._cancelled = threading.Event()
        self.begin()

    def begin(self, *stages: str) -> None:
        """Begin a run that goes through ``stages`` (none named: all that were given): their shares then sum to 1."""
        known = {**OPTIONAL, **self._shares}
        chosen = {stage: known.get(stage, 0.0) for stage in stages or self._shares}
        whole = sum(chosen.values()) or 1.0
        self._stages = {stage: share / whole for stage, share in chosen.items()}
        self._stage, self._told = "", 0.0
        self._closed: set[str] = set()
        self.seconds: dict[str, float] = {}
        self._started = self._entered = time.monotonic()

    def cancel(self) -> None:
        """Ask the run to stop; it raises ``Cancelled`` at its next step."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise ``Cancelled`` if the run is to stop."""
        if self._cancelled.is_set():
            from .errors import Cancelled

            raise Cancelled()

    def enter(self, stage: str) -> None:
        """Begin ``stage``, one of those given; this ends the stage before and notes its wall time. Raises: Cancelled."""
        self._close_stage()
        self._stage = stage
        self.update(0.0)

    def update(self, fraction: float) -> None:
        """Report ``fraction`` (0 to 1) of the current stage. Raises: Cancelled."""
        self.check()
        if self._callback is None:
            return
        done = sum(self._stages.get(stage, 0.0) for stage in self._closed - {self._stage})
        overall = self._told = min(max(done + self._stages.get(self._stage, 0.0) * fraction, self._told), ALMOST)
        elapsed = time.monotonic() - self._started
        left = elapsed * (1 - overall) / overall if overall > 0.02 else None
        self._callback(Report(self._stage, overall, left))

    def part(self, low: float, high: float) -> StageProgress:
        """A view that maps its own 0 to 1 onto ``low`` to ``high`` of the current stage."""
        return _Part(self, low, high)

    def finish(self) -> None:
        """Close the last stage; ``seconds`` then holds the wall time of each, in s."""
        self._close_stage()
        if self._callback is not None:
            self._callback(Report("done", 1.0, 0.0))

    def _close_stage(self) -> None:
        now = time.monotonic()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._entered
            self._closed.add(self._stage)
        self._stage = ""
        self._entered = now


class _Part:
    def __init__(self, whole: Progress, low: float, high: float) -> None:
        self._whole, self._low, self._high = whole, low, high

    def enter(self, stage: str) -> None:
        """Begin work that has stages of its own: a part stays in the stage of the whole."""
        self.update(0.0)

    def update(self, fraction: float) -> None:
        self._whole.update(self._low + (self._high - self._low) * fraction)

    def part(self, low: float, high: float) -> _Part:
        width = self._high - self._low
        return _Part(self._whole, self._low + width * low, self._low + width * high)

"""Progress on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..progress import Report


def name_of(path: str | Path) -> str:
    """The last name of a path, also of "." and of a drive, which have none as they are written."""
    return Path(path).resolve().name or str(path)


class ProgressBar:
    """tqdm on a terminal, fed by a ``Progress``; one line for each stage where stderr is none; nothing where ``quiet``.

    While tqdm's bar stands, all that is written to stderr (warnings, log messages) gets lines of its own.
    """

    def __init__(self, name: str, quiet: bool, stages: dict[str, float] | None = None) -> None:
        from tqdm import tqdm

        from ..progress import Progress

        self._name, self._lines, self._told = name, not quiet, ""
        # None: only on a terminal.
        self._bar = tqdm(
            total=100,
            disable=quiet or None,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar}| {desc}",
        )
        self._restore = ExitStack()
        if not self._bar.disable:
            # Which imports asyncio, and is not needed for a log.
            from tqdm.contrib import DummyTqdmFile

            self._lines = False
            if min(self._bar.ncols or 0, self._bar.nrows or 0) < 1:
                # A terminal that does not tell its size, as in some containers: tqdm's plain bar.
                self._bar.ncols = self._bar.nrows = self._bar.dynamic_ncols = None
            self._restore.enter_context(redirect_stderr(DummyTqdmFile(sys.stderr)))
        self.progress = Progress(self.show, stages)

    def show(self, report: Report) -> None:
        left = "" if not report.seconds_left else f", {report.seconds_left:.0f} s left"
        is_new, self._told = report.stage not in ("", self._told), report.stage
        if is_new and self._lines:
            # As with tqdm, a log that nobody reads any more stops no case.
            with suppress(OSError):
                print(f"{self._name}: {report.stage} ({100 * report.fraction:.0f} %{left})", file=sys.stderr, flush=True)
        self._bar.set_description_str(f"{self._name}: {report.stage}{left}", refresh=False)
        if not self._bar.update(report.fraction * 100 - self._bar.n) and is_new:
            self._bar.refresh()

    def apart(self, write: Callable[..., None]) -> Callable[..., None]:
        """``write``, which prints to stdout, so that its lines are never glued to the bar on the same terminal."""

        def written(*arguments: object) -> None:
            with self._bar.external_write_mode():
                write(*arguments)

        return written

    def close(self) -> None:
        self._restore.close()
        self._bar.close()

"""Which of the studies that arrive are complete: none of its senders is still there, and nothing has come for a while.

What lay there when the node started counts as broken off, because the node's end has cut its sender's association.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable


class Arrivals:
    """Studies by name; ``pause_s`` as ``config.Receiving.complete_after_s``, ``broken_s`` as ``broken_after_s``."""

    def __init__(self, pause_s: float, broken_s: float, there: Iterable[str] = ()) -> None:
        self._pause, self._longer = pause_s, broken_s
        self._lock = threading.Lock()
        self._broken = set(there)
        self._last = dict.fromkeys(self._broken, time.monotonic())
        self._from: dict[object, set[str]] = {}

    def came(self, study: str, sender: object = None) -> None:
        """A file of a study came, in the association ``sender``, or by itself."""
        with self._lock:
            self._last[study] = time.monotonic()
            if sender is None:
                self._broken.discard(study)
            else:
                self._from.setdefault(sender, set()).add(study)

    def ended(self, sender: object, well: bool) -> set[str]:
        """An association ended: ``well``, when it was released, or broken off. Returns: the studies that came in it."""
        with self._lock:
            studies = self._from.pop(sender, set())
            if well:
                self._broken -= studies
            else:
                self._broken |= studies
            return studies

    def complete(self) -> list[str]:
        """The studies that are complete, the longest waiting first."""
        now = time.monotonic()
        # One whose thread has died without a word holds up nothing.
        for sender in [one for one in list(self._from) if isinstance(one, threading.Thread) and not one.is_alive()]:
            self.ended(sender, well=False)
        with self._lock:
            busy = set().union(*self._from.values())
            ready = [study for study, last in self._last.items() if study not in busy and now - last >= self._wait(study)]
            return sorted(ready, key=self._last.__getitem__)

    def taken(self, study: str) -> None:
        """A study was laid out of the way."""
        with self._lock:
            self._last.pop(study, None)
            self._broken.discard(study)

    def broken(self) -> list[str]:
        """Studies whose sender broke off, and which are not taken yet."""
        with self._lock:
            return sorted(self._broken)

    def _wait(self, study: str) -> float:
        return self._longer if study in self._broken else self._pause

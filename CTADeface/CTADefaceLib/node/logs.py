"""The node's log: JSON lines about what happened to which study, without anything that says who a patient is.

Studies are called by the node's own names (see ``names``); a line holds only facts of ``FACTS``, so that no text of a header
gets into it by mistake.
"""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime

# What a line may hold, and of which type it must be.
FACTS: dict[str, type | tuple[type, ...]] = {
    "study": str,
    "number": str,
    "release": str,
    "destination": str,
    "sender": str,
    "address": str,
    "status": str,
    "fault": str,
    "checks": list,
    "reason": str,
    "error": str,
    "files": int,
    "bytes": int,
    "attempts": int,
    "seconds": (int, float),
    "port": int,
}


class NodeLog:
    """Writes to stderr; ``quiet``: nothing. Several threads may write at once."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet, self._lock = quiet, threading.Lock()

    def __call__(self, event: str, **facts: object) -> None:
        """Write that ``event`` happened; a fact that is None is left out. Raises: TypeError for a fact that is not known."""
        for name, value in facts.items():
            if value is not None and not isinstance(value, FACTS.get(name, ())):
                raise TypeError(f"{name}={type(value).__name__}: is no fact of the log")
        line: dict[str, object] = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        line |= {name: value for name, value in facts.items() if value is not None}
        if not self._quiet:
            with self._lock:
                print(json.dumps(line), file=sys.stderr, flush=True)

"""Cases overlap: while one computes, the next is read and the last is written.

Each of the three gates holds one case at a time, and a case keeps its gate until the next one is free, so that at most
three volumes are in memory, however fast the disk is. A case that goes back, as to read the next series of a study, gives
up its gate before it waits: two cases that wait for each other's gates would never go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..progress import Progress, Report

READ, COMPUTE, WRITE = "read", "compute", "write"
ORDER = (READ, COMPUTE, WRITE)
GATE_OF_STAGE = {"read": READ, "write": WRITE}
LANES = 3
LOOK_EVERY_S = 0.2

# One set for each process: the threads of a cluster's worker share it, as those of a batch on this machine do.
_gates = {name: threading.Lock() for name in ORDER}


class Lane(Progress):
    """The progress of one case, which waits at each gate; call ``leave()`` at the end, also when the case failed."""

    def __init__(self, callback: Callable[[Report], None] | None = None) -> None:
        super().__init__(callback)
        self._gate: str | None = None

    def enter(self, stage: str) -> None:
        gate = GATE_OF_STAGE.get(stage, COMPUTE)
        if gate != self._gate:
            # The time of waiting belongs to no stage.
            self._close_stage()
            if self._gate is not None and ORDER.index(gate) < ORDER.index(self._gate):
                self.leave()
            while not _gates[gate].acquire(timeout=LOOK_EVERY_S):
                self.check()
            self.leave()
            self._gate = gate
        super().enter(stage)

    def leave(self) -> None:
        if self._gate is not None:
            _gates[self._gate].release()
            self._gate = None

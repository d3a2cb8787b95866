"""Cases overlap: while one computes, the next is read and the last is written.

One case at a time is in each of the three gates, and a case keeps its gate until the next one is free, so that at most
three volumes are in memory, however fast the disk is. A case that goes back, as to read the next series of a study, gives
up its gate before it waits: of two that wait for each other's, neither would ever go on.
"""

import threading

from ..progress import Progress

READ, COMPUTE, WRITE = "read", "compute", "write"
ORDER = (READ, COMPUTE, WRITE)
GATE_OF_STAGE = {"read": READ, "write": WRITE}
LANES = 3
LOOK_EVERY_S = 0.2

# Of this process: threads of a cluster's worker share them as those of a batch on this machine do.
_gates = {name: threading.Lock() for name in ORDER}


class Lane(Progress):
    """The progress of one case, which waits at each gate; ``leave()`` whatever becomes of the case."""

    def __init__(self, callback=None):
        super().__init__(callback)
        self._gate = None

    def enter(self, stage):
        gate = GATE_OF_STAGE.get(stage, COMPUTE)
        if gate != self._gate:
            # Waiting belongs to no stage.
            self._close_stage()
            if self._gate is not None and ORDER.index(gate) < ORDER.index(self._gate):
                self.leave()
            while not _gates[gate].acquire(timeout=LOOK_EVERY_S):
                self.check()
            self.leave()
            self._gate = gate
        super().enter(stage)

    def leave(self):
        if self._gate is not None:
            _gates[self._gate].release()
            self._gate = None

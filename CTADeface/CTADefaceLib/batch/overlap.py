"""Cases overlap: while one computes, the next is read and the last is written.

One case at a time is in each of the three gates, and a case keeps its gate until the next one is free, so that at most
three volumes are in memory, however fast the disk is.
"""

import threading

from ..progress import Progress

READ, COMPUTE, WRITE = "read", "compute", "write"
GATE_OF_STAGE = {"read": READ, "write": WRITE}
LANES = 3
LOOK_EVERY_S = 0.2

# Of this process: threads of a cluster's worker share them as those of a batch on this machine do.
_gates = {name: threading.Lock() for name in (READ, COMPUTE, WRITE)}


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
            while not _gates[gate].acquire(timeout=LOOK_EVERY_S):
                self.check()
            self.leave()
            self._gate = gate
        super().enter(stage)

    def leave(self):
        if self._gate is not None:
            _gates[self._gate].release()
            self._gate = None

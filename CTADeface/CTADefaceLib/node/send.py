"""Sends released studies to one destination, and tries again until it has taken all of each.

DICOM has no transaction: a study goes out in one association, counts as sent when every file was taken, and what an
interruption has left goes out with the next try. Files keep their UIDs, so that an archive that gets one twice has it once.
"""

from __future__ import annotations

import threading
import time

from ..dicom.transfer.association import NotReached, NotSent, Peer, associated, contexts_of, store
from .config import Destination, Release
from .ledger import Ledger, Sending
from .logs import NodeLog

NOTE_EVERY = 32
LOOK_EVERY_S = 0.5


class Stopped(Exception):
    """The node ends, or the study was withdrawn."""


class SendingTo(threading.Thread):
    """The thread for one ``destination`` of a ``release``; ``stop`` ends it within about a second."""

    def __init__(self, release: Release, destination: Destination, ae_title: str, ledger: Ledger, log: NodeLog) -> None:
        super().__init__(name=f"to {release.name}/{destination.name}", daemon=True)
        self._to, self._ledger, self._log = destination, ledger, log
        self._name = self.called = f"{release.name}/{destination.name}"
        to = destination
        self._peer = Peer(to.address, to.port, to.ae_title, ae_title, to.timeout_s, to.tls, self._name)
        self._stopping = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            pause = LOOK_EVERY_S
            try:
                sending = self._ledger.next(self._name)
                if sending is not None:
                    pause = self._try(sending)
            except Exception as error:
                # A full disk, or a fault: the thread goes on, and what it knows is on the disk.
                self._log("sending failed", destination=self._name, error=type(error).__name__)
                pause = self._to.retry_s
            self._stopping.wait(pause)

    def _try(self, sending: Sending) -> float:
        """Try to send one study; returns for how many seconds nothing is to be sent."""
        started = time.monotonic()
        try:
            files = self._send(sending)
        except Stopped:
            return 0.0
        except NotSent as error:
            if isinstance(error, NotReached):
                self._failures += 1
            pause = self._pause(sending.attempts)
            self._ledger.failed(sending, str(error), pause)
            facts = {"study": sending.study, "destination": self._name, "attempts": sending.attempts + 1, "error": str(error)}
            self._log("not sent", **facts)
            return self._pause(self._failures - 1) if isinstance(error, NotReached) else 0.0
        self._failures = 0
        self._ledger.sent(sending)
        seconds = round(time.monotonic() - started, 3)
        self._log("sent", study=sending.study, destination=self._name, files=files, seconds=seconds)
        return 0.0

    def _pause(self, failures: int) -> float:
        """Seconds until the next try after so many failures before."""
        return min(self._to.retry_s * 2 ** min(failures, 32), self._to.longest_retry_s)

    def _send(self, sending: Sending) -> int:
        """Send what is left of a study; returns how many files. Raises: NotSent, Stopped."""
        files = self._ledger.files(sending)
        if not files:
            return 0
        taken: list[str] = []
        with associated(self._peer, contexts_of(files)) as association:
            if not self._ledger.begin(sending):
                raise Stopped
            try:
                for file in files:
                    if self._stopping.is_set() or not self._ledger.is_waiting(sending):
                        raise Stopped
                    store(association, file, self._peer)
                    taken.append(file.uid)
                    if len(taken) % NOTE_EVERY == 0:
                        self._ledger.delivered(sending, taken)
            finally:
                self._ledger.delivered(sending, taken)
        return len(files)

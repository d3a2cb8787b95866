"""Sends released studies to one destination, and tries again until it has taken all of each.

DICOM has no transaction: a study goes out in one association, counts as sent when every file was taken, and what an
interruption has left goes out with the next try. Files keep their UIDs, so that an archive that gets one twice has it once.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..dicom.dicom_packages import need_pydicom, no_values_in_warnings
from ..errors import CTADefaceError, first_line
from .config import Destination, Release
from .ledger import Ledger, Outgoing, Sending
from .logs import NodeLog
from .node_packages import need_pynetdicom
from .prompt import prompt_handlers
from .tls import client_context

if TYPE_CHECKING:
    from pynetdicom.association import Association

# The file was taken: Success, and warnings that the archive has changed or not read all of it.
TAKEN = (0x0000, 0xB000, 0xB006, 0xB007)
IMPLICIT = "1.2.840.10008.1.2"
NOTE_EVERY = 32
LOOK_EVERY_S = 0.5


class NotSent(CTADefaceError):
    """A destination has not taken a study; it will be tried again."""


class NotReached(NotSent):
    """No association came about: all studies for this destination wait."""


class Stopped(Exception):
    """The node ends, or the study was withdrawn."""


class SendingTo(threading.Thread):
    """The thread for one ``destination`` of a ``release``; ``stop`` ends it within about a second."""

    def __init__(self, release: Release, destination: Destination, ae_title: str, ledger: Ledger, log: NodeLog) -> None:
        super().__init__(name=f"to {release.name}/{destination.name}", daemon=True)
        self._to, self._ae_title, self._ledger, self._log = destination, ae_title, ledger, log
        self._name = self.called = f"{release.name}/{destination.name}"
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

    @no_values_in_warnings()
    def _send(self, sending: Sending) -> int:
        """Send what is left of a study; returns how many files. Raises: NotSent, Stopped."""
        files = self._ledger.files(sending)
        if not files:
            return 0
        taken: list[str] = []
        with self._association(files) as association:
            if not self._ledger.begin(sending):
                raise Stopped
            try:
                for file in files:
                    if self._stopping.is_set() or not self._ledger.is_waiting(sending):
                        raise Stopped
                    self._store(association, file)
                    taken.append(file.uid)
                    if len(taken) % NOTE_EVERY == 0:
                        self._ledger.delivered(sending, taken)
            finally:
                self._ledger.delivered(sending, taken)
        return len(files)

    def _store(self, association: Association, file: Outgoing) -> None:
        try:
            content = Path(file.path).read_bytes()
        except OSError as error:
            raise NotSent(f"{file.path}: cannot be read ({error.strerror}); run the study again.") from None
        # What is sent is what was checked, whatever has happened to the file since.
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise NotSent(f"{file.path}: is not the file that was released any more; run the study again.")
        try:
            status = association.send_c_store(need_pydicom().dcmread(BytesIO(content)))
        except (RuntimeError, ValueError) as error:
            # The association is gone, or the destination takes no such files.
            raise NotSent(f"{self._name}: broke off, or takes no such files ({first_line(error)[:80]}).") from None
        code = status.get("Status")
        if code is None:
            raise NotSent(f"{self._name}: gave no answer within {self._to.timeout_s:g} s, or broke off.")
        if code not in TAKEN:
            raise NotSent(f"{self._name}: has refused a file (status 0x{code:04X}).")

    @contextmanager
    def _association(self, files: list[Outgoing]) -> Iterator[Association]:
        """An association for these files, which is released at the end. Raises: NotReached."""
        ae = need_pynetdicom().AE(self._ae_title)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = self._to.timeout_s
        for sop_class in sorted({file.sop_class for file in files}):
            # Each syntax in a context of its own, so that the one of the files is accepted where it is known; the last resort
            # is the one that everybody knows.
            for syntax in sorted({file.syntax for file in files if file.sop_class == sop_class} | {IMPLICIT}):
                ae.add_requested_context(sop_class, syntax)
        to = self._to
        tls = None if to.tls is None else (client_context(to.tls), to.address)
        association = ae.associate(to.address, to.port, ae_title=to.ae_title, tls_args=tls, evt_handlers=prompt_handlers())
        if not association.is_established:
            why = "has refused the association" if association.is_rejected else "cannot be reached"
            raise NotReached(f"{self._name}: {why} ({to.address}, port {to.port}); it is tried again.")
        try:
            yield association
        except BaseException:
            association.abort()
            raise
        association.release()

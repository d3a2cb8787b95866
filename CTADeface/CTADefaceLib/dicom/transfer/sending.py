"""Sends released files to one DICOM node at once, while somebody waits, and tells what became of each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import Cancelled
from ...progress import Progress
from .association import NotSent, Peer, Refused, associated, contexts_of, store
from .released_files import ReleasedFile

if TYPE_CHECKING:
    from pynetdicom.association import Association

LOOK_EVERY_S = 0.1
# How long a file on its way may take to come back after a cancel.
LAST_WORD_S = 0.5
SEND = "send"


@dataclass(frozen=True)
class Sent:
    """What became of the files: those that were ``taken``, and (file, why not) for those that are ``left``."""

    taken: tuple[ReleasedFile, ...]
    left: tuple[tuple[ReleasedFile, str], ...] = ()
    cancelled: bool = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why files are left, each reason once."""
        return tuple(dict.fromkeys(why for _file, why in self.left))


def send_released(peer: Peer, files: Sequence[ReleasedFile], progress: Progress | None = None) -> Sent:
    """Send ``files`` (see ``find_released``) to ``peer``; a cancel of ``progress`` ends it within a second.

    A file that the node refuses does not stop the others; an association that breaks does. DICOM knows no transaction:
    what was taken stays there. Raises: UsageError, NotReached when nothing was sent at all, InputError for a certificate
    that cannot be used, MissingPackages.
    """
    peer.require_sound()
    progress, work = progress or Progress(), _Work(peer, files)
    progress.begin(SEND)
    progress.enter(SEND)
    # The network lets nobody cancel who waits for it; nor does a thread keep the program from its end then.
    threading.Thread(target=work.run, name=SEND, daemon=True).start()
    try:
        while not work.ended.wait(LOOK_EVERY_S):
            progress.update(len(work.taken) / max(len(files), 1))
    except (Cancelled, KeyboardInterrupt):
        work.stop()
        if work.association is not None:
            work.ended.wait(LAST_WORD_S)
        return work.sent("cancelled")
    if work.error is not None:
        raise work.error
    progress.finish()
    return work.sent()


class _Work:
    """Sends in a thread of its own; ``stop`` may be called from another one. ``error``: what ended it before all was tried."""

    def __init__(self, peer: Peer, files: Sequence[ReleasedFile]) -> None:
        self._peer, self._files = peer, files
        self.taken: list[ReleasedFile] = []
        self._left: list[tuple[ReleasedFile, str]] = []
        self._broke = ""
        self._stopped = False
        self.association: Association | None = None
        self.error: BaseException | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()

    def _run(self) -> None:
        try:
            with associated(self._peer, contexts_of(self._files)) as association:
                self.association = association
                for file in self._files:
                    if self._stopped:
                        raise Cancelled()
                    self._send(file)
        except NotSent as error:
            if self.association is None:
                raise
            self._broke = str(error)

    def _send(self, file: ReleasedFile) -> None:
        assert self.association is not None
        try:
            store(self.association, file, self._peer)
        except Refused as error:
            self._left.append((file, str(error)))
        else:
            self.taken.append(file)

    def stop(self) -> None:
        self._stopped = True
        if self.association is not None:
            self.association.abort()

    def sent(self, cancelled: str = "") -> Sent:
        """What is known by now; after a cancel, a file on its way counts as left."""
        taken, refused = tuple(self.taken), dict(self._left)
        done = set(taken)
        why = cancelled or self._broke
        left = tuple((file, refused.get(file, why)) for file in self._files if file not in done)
        return Sent(taken, left, bool(cancelled))

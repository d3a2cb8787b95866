"""Sends exported DICOM series to a DICOM node: the files that the gate released, in a thread, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...dicom.transfer.association import Peer
from ...dicom.transfer.released_files import find_released
from ...dicom.transfer.sending import Sent, send_released
from ...progress import Progress
from ..background import stoppable_in_background


def send_exported(folders: Iterable[str | Path], peer: Peer, records: str | Path | None = None) -> Sent:
    """Send all files of released ``folders`` (see ``find_released``) to ``peer``; returns what became of them.

    Raises: NotReleased, NotReached, InputError, UsageError, MissingPackages, Cancelled; nothing was sent then.
    """
    peer.require_sound()
    given = list(folders)

    def work(progress: Progress) -> Sent:
        files = [file for folder in given for file in find_released(folder, records, progress)]
        return send_released(peer, files, progress)

    return stoppable_in_background(work)

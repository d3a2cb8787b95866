"""One association with one DICOM node, and one file in it, which leaves only as the file that was released."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CTADefaceError, UsageError, first_line
from ..reading.dicom_packages import need_pydicom, need_pynetdicom, no_values_in_warnings
from .released_files import ReleasedFile
from .tcp_delay import prompt_handlers
from .tls import Tls, client_context

if TYPE_CHECKING:
    from pynetdicom.association import Association

OWN_TITLE = "CTADEFACE"
LONGEST_AE_TITLE = 16
AE_TITLE = f"1 to {LONGEST_AE_TITLE} ASCII characters without a backslash"
# The file was taken: Success, and warnings that the archive has changed or not read all of it.
TAKEN = (0x0000, 0xB000, 0xB006, 0xB007)
IMPLICIT, VERIFICATION = "1.2.840.10008.1.2", "1.2.840.10008.1.1"


class NotSent(CTADefaceError):
    """A DICOM node has not taken what was sent to it."""

    fault = "output"


class NotReached(NotSent):
    """No association came about."""


class Refused(NotSent):
    """The node has refused one file; it may take others."""


@dataclass(frozen=True)
class Peer:
    """A DICOM node at ``address`` and ``port``, with the AE title ``called``; ``calling`` is our own.

    ``timeout_s``: how long each answer may take. ``name``: what messages call it.
    """

    address: str
    port: int
    called: str
    calling: str = OWN_TITLE
    timeout_s: float = 30.0
    tls: Tls | None = None
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.called

    def require_sound(self) -> None:
        """Raise UsageError for the first thing in it that cannot be."""
        if not self.address.strip():
            raise UsageError("The address of the DICOM node is empty; give its name or IP address.")
        if not 1 <= self.port <= 65535:
            raise UsageError(f"{self.port}: is no port; give 1 to 65535.")
        if not self.timeout_s > 0:
            raise UsageError(f"{self.timeout_s:g} s: is no time to wait for an answer; give more than 0.")
        for title in (self.called, self.calling):
            if not is_ae_title(title):
                raise UsageError(f"{title!r}: is no AE title; give {AE_TITLE}.")


def is_ae_title(title: str) -> bool:
    """May a DICOM node be called so?"""
    fits = 1 <= len(title) <= LONGEST_AE_TITLE and bool(title.strip())
    return fits and title.isascii() and title.isprintable() and "\\" not in title


def contexts_of(files: Iterable[ReleasedFile]) -> list[tuple[str, str]]:
    """(SOP class, transfer syntax) to ask for. Each syntax in a context of its own, so that the one of the files is accepted
    where it is known; the last resort is the one that everybody knows."""
    return sorted({(file.sop_class, syntax) for file in files for syntax in (file.syntax, IMPLICIT)})


@contextmanager
def associated(peer: Peer, contexts: Iterable[tuple[str, str]]) -> Iterator[Association]:
    """An association for (SOP class, transfer syntax), which is released at the end. Raises: NotReached, InputError for a
    certificate that cannot be used, MissingPackages."""
    ae = need_pynetdicom().AE(peer.calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = peer.timeout_s
    for sop_class, syntax in contexts:
        ae.add_requested_context(sop_class, syntax)
    tls = None if peer.tls is None else (client_context(peer.tls), peer.address)
    try:
        association = ae.associate(peer.address, peer.port, ae_title=peer.called, tls_args=tls, evt_handlers=prompt_handlers())
    except (OSError, UnicodeError) as error:
        # A name that nobody knows, or that cannot be one.
        what = getattr(error, "strerror", None) or "no such name"
        raise NotReached(_not_reached(peer, f"cannot be reached, {what}")) from None
    if not association.is_established:
        raise NotReached(_not_reached(peer, _why(association)))
    _leave_answers_to_the_sender(association)
    try:
        with no_values_in_warnings():
            yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def store(association: Association, file: ReleasedFile, peer: Peer) -> None:
    """Send one file. Raises: NotSent when it is not the file that was released any more, or the association is gone;
    Refused when only this file was not taken."""
    try:
        content = Path(file.path).read_bytes()
    except OSError as error:
        raise NotSent(f"{file.path}: cannot be read ({error.strerror}); run the study again.") from None
    # What is sent is what was checked, whatever has happened to the file since.
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise NotSent(f"{file.path}: is not the file that was released any more; run the study again.")
    try:
        status = association.send_c_store(need_pydicom().dcmread(BytesIO(content)))
    except RuntimeError as error:
        raise NotSent(f"{peer}: broke off ({first_line(error)[:80]}).") from None
    except ValueError as error:
        raise Refused(f"{peer}: takes no such files ({first_line(error)[:80]}).") from None
    code = status.get("Status")
    if code is None:
        raise NotSent(f"{peer}: gave no answer within {peer.timeout_s:g} s, or broke off.")
    if code not in TAKEN:
        raise Refused(f"{peer}: has refused a file (status 0x{code:04X}).")


def echo(peer: Peer) -> None:
    """Ask a node whether it answers (C-ECHO). Raises: UsageError, NotSent, and what ``associated`` raises."""
    peer.require_sound()
    with associated(peer, [(VERIFICATION, IMPLICIT)]) as association:
        try:
            code = association.send_c_echo().get("Status")
        except (RuntimeError, ValueError) as error:
            raise NotSent(f"{peer}: has not answered C-ECHO ({first_line(error)[:80]}).") from None
        if code != 0:
            raise NotSent(f"{peer}: has not answered C-ECHO" + ("." if code is None else f" with success (0x{code:04X})."))


def _leave_answers_to_the_sender(association: Association) -> None:
    """On a busy machine pynetdicom's own thread now and then takes an answer away from who waits for it, in vain until the
    time-out. It looks for requests, and we are sent none: so it shall find nothing."""
    take = association.dimse.get_msg

    def get_msg(block: bool = False) -> tuple:
        return take(block=True) if block else (None, None)

    setattr(association.dimse, "get_msg", get_msg)  # noqa: B010 - a method, for the type checker


def _not_reached(peer: Peer, why: str) -> str:
    place = f"({peer.address}, port {peer.port})"
    return f"{peer}: {why} {place}; check address, port and AE titles, and whether it lets us send."


def _why(association: Association) -> str:
    if association.is_rejected:
        answer = association.acceptor.primitive
        return "has refused the association" + (f", {answer.reason_str.lower()}" if answer is not None else "")
    return "takes no such files" if association.rejected_contexts else "cannot be reached"

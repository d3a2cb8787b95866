"""The side that listens: C-STORE and C-ECHO, for the senders that the configuration names and for nobody else."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from typing import Any
from weakref import WeakKeyDictionary

from ..dicom.reading.dicom_packages import need_pynetdicom
from ..dicom.transfer.tcp_delay import prompt_handlers
from ..dicom.transfer.tls import server_context
from ..errors import CTADefaceError, InputError, OutputError
from .arrivals import Arrivals
from .config import Network, Receiving
from .logs import NodeLog
from .node_packages import INSTALL
from .spool import AGAIN, NoRoom, Spool

SUCCESS, OUT_OF_RESOURCES, DOES_NOT_MATCH, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
# Result, source, reason of a rejected association: the caller is not known.
UNKNOWN_CALLER = (0x01, 0x01, 0x03)
HANDSHAKE_S = 10.0
PDU_BYTES = 2**17
# A sender may have hundreds of files refused in a row.
TELL_EVERY_S = 60.0
# What the DICOM part reads; what it does not (pictures of other kinds) is held back in any case.
SYNTAXES = [
    "1.2.840.10008.1.2.1",  # explicit, little endian
    "1.2.840.10008.1.2",  # implicit
    "1.2.840.10008.1.2.1.99",  # deflated
    "1.2.840.10008.1.2.2",  # big endian
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, and with any predictor
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.80",  # JPEG-LS, lossless and near
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",  # JPEG 2000, lossless and not
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG of 8 and 12 bits
    "1.2.840.10008.1.2.4.51",
]


class Receiver:
    """Listens from ``start`` to ``stop``. What ``Spool.put`` has written is answered with success, and nothing else."""

    def __init__(self, receiving: Receiving, spool: Spool, arrivals: Arrivals, log: NodeLog) -> None:
        self._receiving, self._spool, self._arrivals, self._log = receiving, spool, arrivals, log
        self._server: Any = None
        self._told_no_room = float("-inf")
        self._seen: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def start(self) -> None:
        """Raises: OutputError when the port cannot be had, InputError for a certificate that cannot be used."""
        pynetdicom = need_pynetdicom(INSTALL)
        from pynetdicom import evt

        ae = pynetdicom.AE(self._receiving.ae_title)
        ae.require_called_aet = True
        ae.require_calling_aet = sorted({sender.ae_title for sender in self._receiving.senders})
        ae.maximum_pdu_size = PDU_BYTES
        ae.maximum_associations = self._receiving.most_associations
        for context in pynetdicom.AllStoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax, SYNTAXES)
        ae.add_supported_context("1.2.840.10008.1.1")
        tls = self._receiving.tls
        try:
            self._server = ae.make_server(
                (self._receiving.address, self._receiving.port),
                ssl_context=None if tls is None else server_context(tls),
                evt_handlers=[
                    *prompt_handlers(),
                    (evt.EVT_REQUESTED, self._requested),
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_RELEASED, lambda event: self._ended(event, True)),
                    (evt.EVT_ABORTED, lambda event: self._ended(event, False)),
                    (evt.EVT_CONN_CLOSE, lambda event: self._ended(event, False)),
                ],
                server_class=_server_class([sender.network for sender in self._receiving.senders]),
            )
        except OSError as error:
            raise OutputError(
                f"{self._receiving.address}, port {self._receiving.port}: cannot listen there ({error.strerror}); choose "
                "another port, or stop what uses it."
            ) from None
        # Its ``shutdown`` takes it out of there.
        ae._servers.append(self._server)
        threading.Thread(target=self._server.serve_forever, name="receive", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            for association in self._server.active_associations:
                association.abort()
            self._server.shutdown()
            self._server = None

    def _requested(self, event: Any) -> None:
        """Reject a caller whose title comes from an address that it does not belong to, or when in doubt."""
        association = event.assoc
        try:
            known = self._is_known(association)
        except Exception:  # else pynetdicom would go on as if nothing had been asked
            known = False
        if not known:
            association.acse.send_reject(*UNKNOWN_CALLER)
            association.is_rejected = True
            association.kill()
            # Not by its title, which anybody may have chosen.
            self._log("rejected", address=str(association.requestor.address))

    def _is_known(self, association: Any) -> bool:
        """Does a caller's title come from an address that it belongs to?"""
        title = association.requestor.primitive.calling_ae_title.strip()
        address = _address(association.requestor.address)
        return any(sender.ae_title == title and address in sender.network for sender in self._receiving.senders)

    def _store(self, event: Any) -> int:
        association = event.assoc
        sender = association.requestor.ae_title
        try:
            uid = str(event.request.AffectedSOPInstanceUID)
            taken = self._spool.put(event.encoded_dataset(), uid, association)
        except InputError as error:
            self._log("refused", sender=sender, reason=str(error))
            return DOES_NOT_MATCH
        except NoRoom as error:
            if time.monotonic() - self._told_no_room > TELL_EVERY_S:
                self._told_no_room = time.monotonic()
                self._log("no room", sender=sender, reason=str(error))
            return OUT_OF_RESOURCES
        except (CTADefaceError, OSError, MemoryError) as error:
            self._log("not taken", sender=sender, error=type(error).__name__)
            return OUT_OF_RESOURCES
        except Exception as error:
            # A fault of the node: the sender must not believe that the file is safe.
            self._log("not taken", sender=sender, error=type(error).__name__)
            return CANNOT_UNDERSTAND
        if taken.what != AGAIN and self._is_first(association, taken.study):
            self._log("arriving", sender=sender, study=taken.study)
        return SUCCESS

    def _is_first(self, association: Any, study: str) -> bool:
        """Is it the first file of a study in an association?"""
        seen = self._seen.setdefault(association, set())
        is_new = study not in seen
        seen.add(study)
        return is_new

    def _ended(self, event: Any, well: bool) -> None:
        studies = self._arrivals.ended(event.assoc, well)
        for study in [] if well else sorted(studies):
            self._log("broken off", sender=event.assoc.requestor.ae_title, study=study)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of a caller; one of IPv4 as such, also where a socket of IPv6 tells it."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _server_class(networks: list[Network]) -> type:
    """A server that drops callers from other ``networks`` unheard; no caller can keep the others waiting."""
    from pynetdicom.transport import ThreadedAssociationServer

    class Server(ThreadedAssociationServer):
        def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
            assert self.socket is not None
            client, address = self.socket.accept()
            try:
                if not any(_address(address[0]) in network for network in networks):
                    raise PermissionError("not among the senders")
                if self.ssl_context:
                    client = self.ssl_context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
            except Exception as error:
                # Anything but an OSError would end the listening.
                client.close()
                raise OSError("dropped") from error
            return client, address

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            # In the caller's own thread, because a caller may never answer.
            if isinstance(request, ssl.SSLSocket):
                try:
                    request.settimeout(HANDSHAKE_S)
                    request.do_handshake()
                    request.settimeout(None)
                except OSError:
                    self.shutdown_request(request)
                    return
            super().process_request_thread(request, client_address)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Nothing is printed, because a traceback may hold what was sent."""

    return Server

"""Makes associations prompt: else each file waits 40 ms for a delayed acknowledgement, on the side of DCMTK or on ours."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any


def prompt_handlers() -> list[tuple]:
    """Handlers for ``pynetdicom``: send at once, and acknowledge at once what comes."""
    from pynetdicom import evt

    # The system forgets the second wish again and again.
    return [(event, _prompt) for event in (evt.EVT_CONN_OPEN, evt.EVT_DATA_RECV, evt.EVT_DATA_SENT)]


def _prompt(event: Any) -> None:
    own = event.assoc.dul.socket.socket
    with suppress(OSError, AttributeError):
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_QUICKACK"):
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

"""Messages between two processes: any picklable object, over a pair of pipes.

A message is a mark, its length, and its pickle. Whatever else arrives, as what Slicer's launcher prints, lies between
two messages and is skipped. Both ends are our own processes: never read a message from anywhere else.
"""

from __future__ import annotations

import os
import pickle
import struct
import threading
from collections import deque
from typing import BinaryIO

MARK = b"\0CTADeface message\0"
LENGTH = struct.Struct("<Q")
# Read by every Python that we run with; both ends may have different ones.
PICKLE_PROTOCOL = 5
BLOCK_BYTES = 1 << 18


class Unreadable(Exception):
    """A whole message arrived, but cannot be made into an object here, as when its class is missing."""


class Pipe:
    """Messages come from ``receiving`` and go to ``sending``, two binary streams that it owns."""

    def __init__(self, receiving: BinaryIO, sending: BinaryIO) -> None:
        self._receiving, self._sending = receiving, sending
        self._sending_now = threading.Lock()
        self._unread = bytearray()
        self._whole: deque[bytes] = deque()

    def send(self, message: object) -> None:
        """Send one message, from any thread. Raises: OSError when the other end is closed, what ``pickle`` raises."""
        pickled = pickle.dumps(message, PICKLE_PROTOCOL)
        with self._sending_now:
            self._sending.write(MARK + LENGTH.pack(len(pickled)))
            self._sending.write(pickled)
            self._sending.flush()

    def receive(self) -> object:
        """The next message, waited for. Raises: EOFError when the other end is closed, Unreadable."""
        while not self._whole:
            block = self._read(wait=True)
            if not block:
                raise EOFError("The other end of the pipe is closed.")
            self._take_in(block)
        return _unpickled(self._whole.popleft())

    def received_now(self) -> tuple[list[object], bool]:
        """(the messages that have arrived since, True when there will be no more); waits for nothing.

        Raises: Unreadable.
        """
        while block := self._read(wait=False):
            self._take_in(block)
        messages = []
        while self._whole:
            messages.append(_unpickled(self._whole.popleft()))
        return messages, block is not None

    def close(self) -> None:
        """Close both ends of ours; what the other process has not read is lost."""
        try:
            self._sending.close()
        except OSError:
            # It died before it had read everything.
            pass
        self._receiving.close()

    def _take_in(self, block: bytes) -> None:
        """Add ``block`` to what has arrived, and set apart the messages that are whole now."""
        self._unread += block
        while (start := self._unread.find(MARK)) >= 0:
            del self._unread[:start]
            begin = len(MARK) + LENGTH.size
            if len(self._unread) < begin:
                return
            end = begin + LENGTH.unpack_from(self._unread, len(MARK))[0]
            if len(self._unread) < end:
                return
            self._whole.append(bytes(self._unread[begin:end]))
            del self._unread[:end]
        # Nobody's words, except that a mark may have begun at their end.
        del self._unread[:max(len(self._unread) - len(MARK) + 1, 0)]

    def _read(self, wait: bool) -> bytes | None:
        """What has arrived since: bytes; empty when the other end is closed, None when there is nothing yet."""
        descriptor = self._receiving.fileno()
        if os.name == "nt":
            return os.read(descriptor, BLOCK_BYTES) if wait else _read_now_on_windows(descriptor)
        os.set_blocking(descriptor, wait)
        try:
            return os.read(descriptor, BLOCK_BYTES)
        except BlockingIOError:
            return None


def private_pipes() -> Pipe:
    """The ``Pipe`` of a child process, taken away from its standard handles; call it before anything is imported.

    What a library prints then goes to standard error. On Windows a library that asks for the standard handles while it
    is loaded, as OpenBLAS does, waits until no other thread reads from them: importing numpy would never end
    (numpy/numpy#24290).
    """
    pipe = Pipe(os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return pipe


def _unpickled(pickled: bytes) -> object:
    try:
        return pickle.loads(pickled)
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _read_now_on_windows(descriptor: int) -> bytes | None:
    # Anonymous pipes cannot be polled there in any other way.
    import _winapi
    import msvcrt

    try:
        waiting = _winapi.PeekNamedPipe(msvcrt.get_osfhandle(descriptor), 0)[0]
    except OSError:
        return b""
    return os.read(descriptor, min(waiting, BLOCK_BYTES)) if waiting else None

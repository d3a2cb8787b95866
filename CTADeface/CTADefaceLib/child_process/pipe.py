"""Messages between two processes: any picklable object, over a pair of pipes.

A message is a header (a mark, and the lengths of what follows), its pickle, and the arrays in it, which are never
copied on the way. Other bytes that arrive between two messages, such as what Slicer's launcher prints, are skipped.
Unpickling can run code: both ends are our own processes, and messages are read from nowhere else.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import IO, Any, cast

MARK = b"\0CTADeface message\0"
NUMBER = struct.Struct("<Q")
# Every Python that we support reads it; the two ends may run different versions.
PICKLE_PROTOCOL = 5
BLOCK_BYTES = 1 << 16


class Unreadable(Exception):
    """A whole message arrived but cannot be unpickled here, for example because its class is missing."""


class Pipe:
    """Messages come from ``receiving`` and go to ``sending``, two binary streams that it owns."""

    def __init__(self, receiving: IO[bytes], sending: IO[bytes]) -> None:
        self._receiving, self._sending = receiving, sending
        # Read below the buffer, which would wait until it is full.
        self._source = cast(io.RawIOBase, getattr(receiving, "raw", receiving))
        self._sending_now = threading.Lock()
        self._block = memoryview(bytearray(BLOCK_BYTES))
        # What has arrived: bytes that belong to no message yet, the message under way, and the parts of whole messages.
        self._unread = bytearray()
        self._under_way: _Message | None = None
        self._whole: deque[list[bytearray]] = deque()

    def send(self, message: object) -> None:
        """Send one message, from any thread. Raises: OSError when the other end is closed, what ``pickle`` raises."""
        arrays: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(message, PICKLE_PROTOCOL, buffer_callback=arrays.append)
        parts = [memoryview(pickled), *(array.raw() for array in arrays)]
        with self._sending_now:
            self._sending.write(header([len(part) for part in parts]))
            for part in parts:
                self._sending.write(part)
            self._sending.flush()

    def receive(self) -> Any:
        """Wait for the next message. Raises: EOFError when the other end is closed, Unreadable."""
        while not self._whole:
            if not self._read(wait=True):
                raise EOFError("The other end of the pipe is closed.")
        return _unpickled(self._whole.popleft())

    def received_now(self) -> tuple[list[Any], bool]:
        """(the messages that have arrived since the last call, True when no more can come); does not wait.

        Raises: Unreadable.
        """
        while count := self._read(wait=False):
            pass
        messages = []
        while self._whole:
            messages.append(_unpickled(self._whole.popleft()))
        return messages, count == 0

    def close(self) -> None:
        """Close both of our streams; what the other process has not read is lost."""
        # The other process may have died before it had read everything.
        with suppress(OSError):
            self._sending.close()
        self._receiving.close()

    def _read(self, wait: bool) -> int | None:
        """Take in what has arrived. Returns the number of bytes: 0 when the other end is closed, None when none are there."""
        room = self._block if self._under_way is None else self._under_way.room
        count = _read_into(self._source, room) if wait else _read_now_into(self._source, room)
        if not count:
            return count
        if self._under_way is None:
            self._unread += room[:count]
        else:
            self._under_way.filled(count)
        self._sort_out()
        return count

    def _sort_out(self) -> None:
        """Set apart the messages that are whole now."""
        while True:
            if self._under_way is None:
                lengths = self._next_header()
                if lengths is None:
                    return
                self._under_way = _Message(lengths)
                self._under_way.take_from(self._unread)
            if not self._under_way.is_whole:
                return
            self._whole.append(self._under_way.parts)
            self._under_way = None

    def _next_header(self) -> list[int] | None:
        """Take the next header, and whatever lies before it, from what has arrived; None when none is whole."""
        start = self._unread.find(MARK)
        if start < 0:
            # Not a message, except that a mark may begin in the last bytes.
            del self._unread[: max(len(self._unread) - len(MARK) + 1, 0)]
            return None
        del self._unread[:start]
        first = len(MARK) + NUMBER.size
        if len(self._unread) < first:
            return None
        end = first + NUMBER.size * NUMBER.unpack_from(self._unread, len(MARK))[0]
        if len(self._unread) < end:
            return None
        lengths = [length for (length,) in NUMBER.iter_unpack(self._unread[first:end])]
        del self._unread[:end]
        return lengths


class _Message:
    """A message that is arriving: ``parts`` of known lengths, filled one after the other."""

    def __init__(self, lengths: list[int]) -> None:
        self.parts = [bytearray(length) for length in lengths]
        self._empty = deque(memoryview(part) for part in self.parts if part)

    @property
    def is_whole(self) -> bool:
        return not self._empty

    @property
    def room(self) -> memoryview:
        """Where the next bytes belong."""
        return self._empty[0]

    def filled(self, count: int) -> None:
        """Say that the first ``count`` bytes of ``room`` are there."""
        rest = self._empty.popleft()[count:]
        if rest:
            self._empty.appendleft(rest)

    def take_from(self, arrived: bytearray) -> None:
        """Move bytes from the start of ``arrived`` to where they belong."""
        while arrived and not self.is_whole:
            count = min(len(arrived), len(self.room))
            self.room[:count] = arrived[:count]
            del arrived[:count]
            self.filled(count)


def header(lengths: list[int]) -> bytes:
    """The header of a message whose parts have these ``lengths`` in bytes."""
    return MARK + b"".join(NUMBER.pack(number) for number in (len(lengths), *lengths))


def private_pipes() -> Pipe:
    """The ``Pipe`` of a child process, taken away from its standard handles; call it before anything is imported.

    What a library prints then goes to standard error. On Windows a library that asks for the standard handles while it
    is loaded, such as OpenBLAS, waits until no other thread reads from them: importing numpy would never end
    (numpy/numpy#24290).
    """
    pipe = Pipe(os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return pipe


def _unpickled(parts: list[bytearray]) -> Any:
    try:
        return pickle.loads(parts[0], buffers=parts[1:])
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _read_into(source: io.RawIOBase, room: memoryview) -> int | None:
    if sys.platform != "win32":
        os.set_blocking(source.fileno(), True)
    return source.readinto(room)


def _read_now_into(source: io.RawIOBase, room: memoryview) -> int | None:
    """As ``_read_into``, without waiting: 0 when the other end is closed, None when there is nothing yet."""
    if sys.platform == "win32":
        waiting = _waiting_on_windows(source.fileno())
        return source.readinto(room[:waiting]) if waiting else waiting
    os.set_blocking(source.fileno(), False)
    return source.readinto(room)


if sys.platform == "win32":
    import _winapi
    import msvcrt

    def _waiting_on_windows(descriptor: int) -> int | None:
        """How many bytes can be read now: 0 when the other end is closed, None when there are none yet."""
        # Windows offers no other way to poll an anonymous pipe.
        try:
            return int(_winapi.PeekNamedPipe(msvcrt.get_osfhandle(descriptor), 0)[0]) or None
        except OSError:
            return 0

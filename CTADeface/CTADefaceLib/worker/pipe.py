"""Reading a pipe without waiting for it."""

import os

BLOCK_BYTES = 65536


def make_non_blocking(stream):
    """Prepare the reading end ``stream`` of a pipe for ``read_now``."""
    if os.name == "posix":
        os.set_blocking(stream.fileno(), False)


def read_now(stream):
    """What has arrived since: bytes; empty when the other end is closed, None when there is nothing yet."""
    if os.name == "nt":
        return _read_now_on_windows(stream)
    try:
        return os.read(stream.fileno(), BLOCK_BYTES)
    except BlockingIOError:
        return None


def lines_now(stream, rest):
    """(the whole lines that have arrived since ``rest``, the new rest, True when there will be no more)."""
    while block := read_now(stream):
        rest += block
    *lines, rest = rest.split(b"\n")
    return lines, rest, block is not None


def _read_now_on_windows(stream):
    # Anonymous pipes cannot be polled there in any other way.
    import _winapi
    import msvcrt

    try:
        waiting = _winapi.PeekNamedPipe(msvcrt.get_osfhandle(stream.fileno()), 0)[0]
    except OSError:
        return b""
    return os.read(stream.fileno(), min(waiting, BLOCK_BYTES)) if waiting else None

"""The size that a compressed frame itself announces: decoders allocate memory by it, not by the DICOM header."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import InputError

# JPEG 2000: start of codestream, then the marker SIZ.
JPEG_2000 = b"\xff\x4f\xff\x51"
# JPEG and JPEG-LS: all markers that begin a frame.
FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
SCAN = 0xDA
HEAD_BYTES = 4096


def require_frame_sizes(frames: Iterable[bytes], rows: int, columns: int, name: str) -> None:
    """Raise ``InputError`` when a compressed frame (bytes) announces another size than ``rows`` x ``columns``."""
    for number, frame in enumerate(frames):
        found = frame_size(bytes(frame[:HEAD_BYTES]))
        if found is not None and found != (rows, columns):
            raise InputError(
                f"{name}: its compressed frame {number + 1} has {found[0]} x {found[1]} pixels, not the {rows} x "
                f"{columns} of the header; export it again."
            )


def frame_size(head: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a JPEG, JPEG-LS or JPEG 2000 frame by its first bytes, None for another one."""
    at = head.find(JPEG_2000)
    if at >= 0 and len(head) >= at + 24:
        right, below, left, above = (int.from_bytes(head[at + n : at + n + 4], "big") for n in (8, 12, 16, 20))
        return below - above, right - left
    at = 2 if head[:2] == b"\xff\xd8" else len(head)
    while at + 9 <= len(head) and head[at] == 0xFF and head[at + 1] != SCAN:
        if head[at + 1] in FRAME_MARKERS:
            return int.from_bytes(head[at + 5 : at + 7], "big"), int.from_bytes(head[at + 7 : at + 9], "big")
        # A marker may be preceded by fill bytes 0xFF.
        at += 1 if head[at + 1] == 0xFF else 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None

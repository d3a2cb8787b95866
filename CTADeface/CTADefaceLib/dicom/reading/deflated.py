"""Deflated DICOM files, which pydicom would unpack whole, however large they become."""

from __future__ import annotations

import zlib
from pathlib import Path

from ...errors import InputError

DEFLATED_SYNTAX = b"1.2.840.10008.1.2.1.99"
# The transfer syntax stands among the first elements.
HEAD_BYTES = 1024
META_START, LENGTH_ELEMENT_BYTES = 132, 12
# Headers and pixels of CT pack to a tenth at least.
ALWAYS_ROOM, LARGEST_RATIO = 2**26, 20
BLOCK = 2**20


def refuse_bomb(path: Path) -> None:
    """Raise ``InputError`` when a deflated DICOM file would unpack to far more than a CT does."""
    with open(path, "rb") as stream:
        head = stream.read(HEAD_BYTES)
        if DEFLATED_SYNTAX not in head:
            return
        stream.seek(META_START + LENGTH_ELEMENT_BYTES + int.from_bytes(head[META_START + 8 : META_START + 12], "little"))
        inflate, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), 0
        room = max(ALWAYS_ROOM, LARGEST_RATIO * path.stat().st_size)
        try:
            while unpacked <= room and (block := inflate.unconsumed_tail or stream.read(BLOCK)):
                unpacked += len(inflate.decompress(block, BLOCK))
        except zlib.error as error:
            raise InputError(f"{path.name}: its deflated content is damaged ({error}); export it again.") from None
    if unpacked > room:
        raise InputError(f"{path.name}: unpacks to more than {room} bytes, which no CT does; export it again uncompressed.")

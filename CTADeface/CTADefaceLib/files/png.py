"""Pictures as PNG, made with zlib alone, so that vtk and SimpleITK need not be imported for them."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, RGB = 0, 2


def png_bytes(picture: np.ndarray) -> bytes:
    """The bytes of a PNG of ``picture``, uint8: grey (rows, columns), or RGB (rows, columns, 3)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows, columns = picture.shape[:2]
    # 8 bits; each row begins with 0: not filtered.
    header = struct.pack(">IIBBBBB", columns, rows, 8, RGB if picture.ndim == 3 else GREY, 0, 0, 0)
    lines = np.pad(picture.reshape(rows, -1), ((0, 0), (1, 0))).tobytes()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")

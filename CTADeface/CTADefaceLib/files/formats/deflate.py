"""DEFLATE streams (RFC 1951): by the package isal (Intel's ISA-L) where it is installed, else by Python's zlib.

isal takes half of the time to unpack a scan and a quarter of the time to pack it; the content is the same. Several threads
pack a file as one gzip stream, as pigz does, because packing takes most of the time of writing a scan.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import IO, Protocol

import numpy as np

from ...progress import StageProgress
from ...voxels.slabs import thread_count


def _installed_isal() -> ModuleType | None:
    try:
        from isal import isal_zlib
    except ImportError:
        return None
    return isal_zlib


isal_zlib = _installed_isal()
DEFLATE_ERRORS: tuple[type[Exception], ...] = (zlib.error,) if isal_zlib is None else (zlib.error, isal_zlib.error)
GZIP = zlib.MAX_WBITS | 16
RAW = -zlib.MAX_WBITS
ANY_WRAPPING = zlib.MAX_WBITS | 32
# Bytes that one packed byte can stand for at most: two bits repeat 258 bytes.
LARGEST_RATIO = 1032
# The fastest level: a defaced copy is written once, and the archive that keeps it often compresses it better. isal's
# level 3 saves 3 % of the bytes, but takes twice the time where the processor has no AVX-512.
LEVEL = 1
MEMORY_LEVEL = 9
FEW_REPEATS = 0.05
# Without name and time, so that the same voxels give the same file.
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
BLOCK_BYTES = 2**22

crc32 = (isal_zlib or zlib).crc32


class Unpacker(Protocol):
    """A ``zlib.decompressobj``, zlib's own or isal's."""

    @property
    def eof(self) -> bool:
        """Has the stream ended?"""

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end of the stream."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was given and is not unpacked yet."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most ``max_length`` bytes of the content."""

    def flush(self) -> bytes:
        """The rest of the content."""


class _Packer(Protocol):
    def compress(self, data: memoryview, /) -> bytes:
        """Packed bytes that are ready."""

    def flush(self, mode: int, /) -> bytes:
        """The rest of the packed bytes."""


def gzip_unpacker() -> Unpacker:
    """An ``Unpacker`` for one gzip member; it verifies the member's checksum and length."""
    return (isal_zlib or zlib).decompressobj(GZIP)


def zlib_unpacker() -> Unpacker:
    """As ``gzip_unpacker``, for one stream in zlib's wrapping or in gzip's."""
    return (isal_zlib or zlib).decompressobj(ANY_WRAPPING)


def write_compressed(stream: IO[bytes], prefix: bytes, array: np.ndarray, progress: StageProgress | None = None) -> None:
    """Write ``prefix`` (bytes) and the planes of ``array`` to the binary ``stream`` as one gzip member.

    Blocks are deflated separately and joined at byte boundaries (RFC 1951, sync flush); any gzip reads the result.
    """
    stream.write(HEADER)
    checksum, length = 0, 0
    threads = thread_count()
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[bytes]] = deque()
        last: np.ndarray | None = None
        for fraction, block in _blocks(prefix, array):
            checksum, length = crc32(block, checksum), length + len(block)
            # Most blocks of a mask are equal.
            if last is None or not np.array_equal(block, last):
                last, job = block, pool.submit(_deflated, block)
            waiting.append(job)
            if len(waiting) > 2 * threads:
                stream.write(waiting.popleft().result())
            if progress is not None:
                progress.update(fraction)
        for rest in waiting:
            stream.write(rest.result())
    stream.write(_stream_end())
    stream.write(struct.pack("<II", checksum, length & 0xFFFFFFFF))


def _blocks(prefix: bytes, array: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """(share of the array that lies before it, bytes as a uint8 array) of each block."""
    yield 0.0, np.frombuffer(prefix, np.uint8)
    planes = max(BLOCK_BYTES // max(array[0].nbytes, 1), 1)
    for start in range(0, len(array), planes):
        yield start / len(array), np.ascontiguousarray(array[start : start + planes]).reshape(-1).view(np.uint8)


def _deflated(block: np.ndarray) -> bytes:
    """The uint8 array ``block`` as a part of a stream that ends at a byte boundary: such parts may be joined."""
    worker: _Packer = isal_zlib.compressobj(LEVEL, zlib.DEFLATED, RAW) if isal_zlib else _zlib_packer(block)
    return worker.compress(block.data) + worker.flush(zlib.Z_SYNC_FLUSH)


def _stream_end() -> bytes:
    """The bytes that close the stream after the last part."""
    return zlib.compressobj(LEVEL, zlib.DEFLATED, RAW).flush(zlib.Z_FINISH)


def _zlib_packer(block: np.ndarray) -> _Packer:
    """zlib's packer that suits ``block``: noisy HU hardly repeat, so that looking for repeats is not worth its time.

    Looking only for runs (Z_RLE: air, padding) takes 0.6 of the time for 5 % more bytes. Where runs are rare too,
    Z_HUFFMAN_ONLY, which looks for nothing, gives the same bytes in less time.
    """
    sample = block[: len(block) // 4]
    few = np.count_nonzero(sample[1:] == sample[:-1]) < FEW_REPEATS * len(sample)
    return zlib.compressobj(LEVEL, zlib.DEFLATED, RAW, MEMORY_LEVEL, zlib.Z_HUFFMAN_ONLY if few else zlib.Z_RLE)

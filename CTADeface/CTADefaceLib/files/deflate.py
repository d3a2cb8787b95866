"""DEFLATE streams (RFC 1951): by the package isal (Intel's ISA-L) where it is installed, else by Python's zlib.

isal takes half of the time to unpack a scan and a quarter to pack it; the content is the same. A file is packed as one gzip
stream by several threads, as pigz makes it: packing is most of the time of writing a scan.
"""

import struct
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..voxels.slabs import thread_count

try:
    from isal import isal_zlib
except ImportError:
    isal_zlib = None

DEFLATE_ERRORS = (zlib.error,) if isal_zlib is None else (zlib.error, isal_zlib.error)
GZIP = zlib.MAX_WBITS | 16
RAW = -zlib.MAX_WBITS
ANY_WRAPPING = zlib.MAX_WBITS | 32
# A byte can stand for no more: 258 bytes repeated by two bits.
LARGEST_RATIO = 1032
# The fastest: a defaced copy is written once, and often compressed better by the archive that keeps it. isal's level 3
# saves 3 % of the bytes, for twice the time where the processor has no AVX-512.
LEVEL = 1
MEMORY_LEVEL = 9
FEW_REPEATS = 0.05
# No name, no time: the same voxels give the same file.
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
BLOCK_BYTES = 2**22

crc32 = (isal_zlib or zlib).crc32


def gzip_unpacker():
    """A ``zlib.decompressobj`` for one gzip member; it verifies the member's checksum and length."""
    return (isal_zlib or zlib).decompressobj(GZIP)


def zlib_unpacker():
    """As ``gzip_unpacker``, for one stream in zlib's wrapping or in gzip's."""
    return (isal_zlib or zlib).decompressobj(ANY_WRAPPING)


def write_compressed(stream, prefix, array, progress=None):
    """Write ``prefix`` (bytes) and the planes of ``array`` to the binary ``stream`` as one gzip member.

    Blocks are deflated apart and joined at byte borders (RFC 1951, sync flush); any gzip reads the result.
    """
    stream.write(HEADER)
    checksum, length = 0, 0
    threads = thread_count()
    with ThreadPoolExecutor(threads) as pool:
        waiting, last, job = deque(), None, None
        for fraction, block in _blocks(prefix, array):
            checksum, length = crc32(block, checksum), length + len(block)
            # Of a mask most blocks are alike.
            if last is None or not np.array_equal(block, last):
                last, job = block, pool.submit(_deflated, block)
            waiting.append(job)
            if len(waiting) > 2 * threads:
                stream.write(waiting.popleft().result())
            if progress is not None:
                progress.update(fraction)
        for job in waiting:
            stream.write(job.result())
    stream.write(_stream_end())
    stream.write(struct.pack("<II", checksum, length & 0xFFFFFFFF))


def _blocks(prefix, array):
    """(share of what came before, bytes as a uint8 array) of each block."""
    yield 0.0, np.frombuffer(prefix, np.uint8)
    planes = max(BLOCK_BYTES // max(array[0].nbytes, 1), 1)
    for start in range(0, len(array), planes):
        yield start / len(array), np.ascontiguousarray(array[start:start + planes]).reshape(-1).view(np.uint8)


def _deflated(block):
    """The uint8 array ``block`` as a part of a stream, up to a byte border: such parts may be joined."""
    worker = isal_zlib.compressobj(LEVEL, zlib.DEFLATED, RAW) if isal_zlib else _zlib_packer(block)
    return worker.compress(block) + worker.flush(zlib.Z_SYNC_FLUSH)


def _stream_end():
    """What closes the stream after the last part."""
    return zlib.compressobj(LEVEL, zlib.DEFLATED, RAW).flush(zlib.Z_FINISH)


def _zlib_packer(block):
    """Looking for runs only (Z_RLE: air, padding) takes 0.6 of the time for 5 % more bytes, as noisy HU hardly repeat.

    Where there are hardly any runs either, not looking for them (Z_HUFFMAN_ONLY) gives the same bytes still sooner.
    """
    sample = block[:len(block) // 4]
    few = np.count_nonzero(sample[1:] == sample[:-1]) < FEW_REPEATS * len(sample)
    return zlib.compressobj(LEVEL, zlib.DEFLATED, RAW, MEMORY_LEVEL, zlib.Z_HUFFMAN_ONLY if few else zlib.Z_RLE)

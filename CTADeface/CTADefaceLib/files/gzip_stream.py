"""One gzip stream from several threads, as pigz makes it: packing is most of the time of writing a scan."""

import struct
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..voxels.slabs import thread_count
from .deflate import crc32, deflated, stream_end

# No name, no time: the same voxels give the same file.
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
BLOCK_BYTES = 2**22


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
                last, job = block, pool.submit(deflated, block)
            waiting.append(job)
            if len(waiting) > 2 * threads:
                stream.write(waiting.popleft().result())
            if progress is not None:
                progress.update(fraction)
        for job in waiting:
            stream.write(job.result())
    stream.write(stream_end())
    stream.write(struct.pack("<II", checksum, length & 0xFFFFFFFF))


def _blocks(prefix, array):
    """(share of what came before, bytes as a uint8 array) of each block."""
    yield 0.0, np.frombuffer(prefix, np.uint8)
    planes = max(BLOCK_BYTES // max(array[0].nbytes, 1), 1)
    for start in range(0, len(array), planes):
        yield start / len(array), np.ascontiguousarray(array[start:start + planes]).reshape(-1).view(np.uint8)

"""Voxels out of a file, plain or packed by DEFLATE: bounded by the file's size before any memory is taken for them."""

import numpy as np

from ..errors import InputError, OutOfMemory
from . import deflate

# So small that what comes of them fits into memory that was used before: new memory takes as long as unpacking.
READ_BYTES = 2**17
# What precedes the voxels of a NIfTI file (its extensions) is kept in memory.
LARGEST_PREFIX = 2**26


def check_scalar_3d(path, shape, dtype):
    """Raise ``InputError`` unless voxels of ``dtype`` in ``shape`` (i, j, k and perhaps more) are one scalar volume."""
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(f"{path}: voxels are of type {dtype}, not single numbers; give a scalar CT volume.")
    if len(shape) < 3:
        raise InputError(f"{path}: is a {len(shape)}-D image; give a 3-D CT volume.")
    if any(n != 1 for n in shape[3:]):
        raise InputError(f"{path}: is {len(shape)}-D ({' x '.join(map(str, shape))}); give one 3-D volume, "
                         "for a time series each phase by itself.")
    if min(shape) < 1:
        raise InputError(f"{path}: cannot be read ({' x '.join(map(str, shape))} voxels are impossible); export it again.")
    if min(shape[:3]) < 2:
        raise InputError(f"{path}: {' x '.join(str(n) for n in shape[:3])} voxels is a single slice, not a volume; "
                         "give the whole series.")


def new_voxels(path, shape, dtype, start, packed=False, most=None):
    """An array (k, j, i) for the voxels of ``shape`` (i, j, k) that the file announces behind its byte ``start``.

    Parameters: ``packed``: the voxels, or the whole file where ``start`` counts unpacked bytes, are compressed;
    ``most``: compressed bytes, if it is not the whole file. The memory is reserved, and taken only as it is filled.
    Raises: ``InputError`` when the file cannot hold them, or holds a plane or more beside them; ``OutOfMemory``.
    """
    size = path.stat().st_size
    announced = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    available = (most or size) * deflate.LARGEST_RATIO if packed else size
    if announced > available:
        raise InputError(f"{path}: cannot be read (its header announces {announced} bytes, which its {size} bytes cannot "
                         "hold); the file may be truncated, export it again.")
    if not packed:
        refuse_surplus(path, size - announced, shape, dtype)
    try:
        return np.empty(shape[2::-1], dtype)
    except (MemoryError, ValueError) as error:
        raise OutOfMemory(f"{path}: its {announced / 2**30:.1f} GB of voxels do not fit into memory ({error}); "
                          "crop it to the head.") from None


def refuse_surplus(path, surplus, shape, dtype):
    """Raise ``InputError`` when so many bytes lie behind the voxels that the header names too few of them.

    Some programs pad a file; with a plane more or more, along any axis, it is another size that was meant.
    """
    plane = int(np.prod(shape[:3], dtype=object)) // max(shape[:3]) * dtype.itemsize
    if surplus >= plane:
        raise InputError(f"{path}: cannot be read (it holds {surplus} bytes or more beside the "
                         f"{' x '.join(map(str, shape[:3]))} voxels of its header); export it again.")


def blocks_of(path, start=0, most=None, unpacker=None):
    """The file's bytes from ``start`` on, at most ``most`` of them, some at a time.

    With ``unpacker`` (a function of ``deflate``) they are unpacked to at most four times as many at a time.
    Raises while they are taken: OSError; EOFError, ``DEFLATE_ERRORS`` for damaged packed data.
    """
    with open(path, "rb") as stream:
        stream.seek(start)
        blocks = _plain(stream, most)
        yield from blocks if unpacker is None else _unpacked(blocks, 4 * READ_BYTES, unpacker)


def _plain(stream, most):
    left = float("inf") if most is None else most
    while left > 0 and (block := stream.read(int(min(READ_BYTES, left)))):
        left -= len(block)
        yield block


def _unpacked(blocks, most, unpacker):
    """Content of a DEFLATE stream in its wrapping, checksums verified, in blocks of at most ``most`` bytes.

    Python's ``gzip`` asks for the interpreter's lock every 8 kB and so waits for every other thread.
    """
    inflate = None
    for block in blocks:
        # Zeros between members are padding.
        while block := block if inflate else block.lstrip(b"\0"):
            inflate = inflate or unpacker()
            yield inflate.decompress(block, most)
            if inflate.eof:
                block, inflate = inflate.unused_data, None
            else:
                block = inflate.unconsumed_tail
    if inflate is not None:
        yield inflate.flush()
        if not inflate.eof:
            raise EOFError("the compressed data end too early")


def read_native(path, kind, blocks, voxels):
    """``read_voxels`` without anything before them, turned into the machine's byte order in place.

    Parameters: ``kind`` the format's name. Raises: ``InputError`` also for what is missing or damaged.
    """
    try:
        read_voxels(path, blocks, 0, voxels)
    except (OSError, EOFError, *deflate.DEFLATE_ERRORS) as error:
        raise InputError(f"{path}: cannot be read as {kind} ({error}); the file may be truncated or damaged, "
                         "export it again.") from None
    if not voxels.dtype.isnative:
        voxels.byteswap(inplace=True)


def read_voxels(path, blocks, offset, voxels):
    """Fill ``voxels`` (k, j, i) from the file's ``blocks``; returns the ``offset`` bytes before them.

    All blocks are taken, because the checksum comes last. Raises: ``InputError`` when a plane or more is left over,
    EOFError when voxels are missing, and what ``blocks`` raises.
    """
    content, filled, surplus = voxels.reshape(-1).view(np.uint8), 0, 0
    prefix = bytearray()
    for block in blocks:
        block = memoryview(block)
        if len(prefix) < offset:
            rest = offset - len(prefix)
            prefix += block[:rest]
            block = block[rest:]
        used = min(len(block), len(content) - filled)
        content[filled:filled + used] = np.frombuffer(block[:used], np.uint8)
        filled += used
        surplus += len(block) - used
        if surplus:
            # At once: a small file could unpack for hours.
            refuse_surplus(path, surplus, voxels.shape[::-1], voxels.dtype)
    if filled < len(content):
        raise EOFError(f"{len(content) - filled} of {len(content)} bytes of voxels are missing")
    return bytes(prefix)


def count_different(found, wanted):
    """Number of voxels in which two arrays differ, all of ``wanted`` for another shape or dtype."""
    same = found.shape == wanted.shape and found.dtype == wanted.dtype
    return int(np.count_nonzero(found != wanted)) if same else wanted.size

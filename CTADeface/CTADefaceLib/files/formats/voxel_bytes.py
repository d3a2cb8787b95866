"""Reads voxels from a file, plain or packed by DEFLATE; the file's size limits how much memory is allocated for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from ...errors import InputError, OutOfMemory
from . import deflate

# Small enough for the unpacked bytes to fit into memory that was used before: new memory takes as long as unpacking.
READ_BYTES = 2**17
# All bytes before the voxels of a NIfTI file (its extensions) are kept in memory.
LARGEST_PREFIX = 2**26
# What ``blocks_of`` and ``read_voxels`` raise for a file that is damaged or cannot be read.
DAMAGED: tuple[type[Exception], ...] = (OSError, EOFError, *deflate.DEFLATE_ERRORS)


def check_scalar_3d(path: Path, shape: Sequence[int], dtype: np.dtype) -> None:
    """Raise ``InputError`` unless voxels of ``dtype`` in ``shape`` (i, j, k and perhaps more) are one scalar volume."""
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise InputError(f"{path}: voxels are of type {dtype}, not single numbers; give a scalar CT volume.")
    if len(shape) < 3:
        raise InputError(f"{path}: is a {len(shape)}-D image; give a 3-D CT volume.")
    if any(n != 1 for n in shape[3:]):
        raise InputError(
            f"{path}: is {len(shape)}-D ({' x '.join(map(str, shape))}); give one 3-D volume, "
            "for a time series each phase by itself."
        )
    if min(shape) < 1:
        raise InputError(f"{path}: cannot be read ({' x '.join(map(str, shape))} voxels are impossible); export it again.")
    if min(shape[:3]) < 2:
        raise InputError(
            f"{path}: {' x '.join(str(n) for n in shape[:3])} voxels is a single slice, not a volume; give the whole series."
        )


def new_voxels(
    path: Path, shape: Sequence[int], dtype: np.dtype, start: int, packed: bool = False, most: int | None = None
) -> np.ndarray:
    """An array (k, j, i) for the voxels of ``shape`` (i, j, k) that the file announces from its byte ``start`` on.

    Parameters: ``packed``: the voxels are compressed, or the whole file, where ``start`` counts unpacked bytes;
    ``most``: compressed bytes, if not the whole file. The system takes the memory only as it is filled.
    Raises: ``InputError`` when the file cannot hold them, or holds a plane or more beside them; ``OutOfMemory``.
    """
    size = path.stat().st_size
    announced = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    available = (most or size) * deflate.LARGEST_RATIO if packed else size
    if announced > available:
        raise InputError(
            f"{path}: cannot be read (its header announces {announced} bytes, which its {size} bytes cannot "
            "hold); the file may be truncated, export it again."
        )
    if not packed:
        refuse_surplus(path, size - announced, shape, dtype)
    try:
        return np.empty(shape[2::-1], dtype)
    except (MemoryError, ValueError) as error:
        raise OutOfMemory(
            f"{path}: its {announced / 2**30:.1f} GB of voxels do not fit into memory ({error}); crop it to the head."
        ) from None


def refuse_surplus(path: Path, surplus: int, shape: Sequence[int], dtype: np.dtype) -> None:
    """Raise ``InputError`` when so many bytes follow the voxels that the header must announce too few voxels.

    Some programs pad a file, but a surplus of a whole plane along any axis means that the size is wrong.
    """
    plane = int(np.prod(shape[:3], dtype=object)) // max(shape[:3]) * dtype.itemsize
    if surplus >= plane:
        raise InputError(
            f"{path}: cannot be read (it holds {surplus} bytes or more beside the "
            f"{' x '.join(map(str, shape[:3]))} voxels of its header); export it again."
        )


def blocks_of(
    path: Path, start: int = 0, most: int | None = None, unpacker: Callable[[], deflate.Unpacker] | None = None
) -> Iterator[bytes]:
    """The file's bytes from ``start`` on, at most ``most`` of them, in blocks.

    With ``unpacker`` (a function of ``deflate``) they are unpacked, to blocks of at most four times the size.
    Raises during iteration: OSError; EOFError, ``DEFLATE_ERRORS`` for damaged packed data.
    """
    with open(path, "rb") as stream:
        stream.seek(start)
        blocks = _plain(stream, most)
        yield from blocks if unpacker is None else _unpacked(blocks, 4 * READ_BYTES, unpacker)


def _plain(stream: IO[bytes], most: int | None) -> Iterator[bytes]:
    left = float("inf") if most is None else most
    while left > 0 and (block := stream.read(int(min(READ_BYTES, left)))):
        left -= len(block)
        yield block


def _unpacked(blocks: Iterable[bytes], most: int, unpacker: Callable[[], deflate.Unpacker]) -> Iterator[bytes]:
    """Content of a wrapped DEFLATE stream, checksums verified, in blocks of at most ``most`` bytes.

    Python's ``gzip`` takes the interpreter's lock every 8 kB, and so waits for every other thread.
    """
    inflate: deflate.Unpacker | None = None
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


def read_native(path: Path, kind: str, blocks: Iterable[bytes], voxels: np.ndarray) -> None:
    """As ``read_voxels`` with no bytes before the voxels, then swapped to the machine's byte order in place.

    Parameters: ``kind`` the format's name. Raises: ``InputError``, also for missing or damaged data.
    """
    try:
        read_voxels(path, blocks, 0, voxels)
    except DAMAGED as error:
        raise InputError(
            f"{path}: cannot be read as {kind} ({error}); the file may be truncated or damaged, export it again."
        ) from None
    if not voxels.dtype.isnative:
        voxels.byteswap(inplace=True)


def read_voxels(path: Path, blocks: Iterable[bytes], offset: int, voxels: np.ndarray) -> bytes:
    """Fill ``voxels`` (k, j, i) from the file's ``blocks``; returns the ``offset`` bytes before them.

    All blocks are read, because the checksum comes last. Raises: ``InputError`` when a plane or more is left over,
    EOFError when voxels are missing, and what ``blocks`` raises.
    """
    content, filled, surplus = voxels.reshape(-1).view(np.uint8), 0, 0
    prefix = bytearray()
    for block in blocks:
        left = memoryview(block)
        if len(prefix) < offset:
            rest = offset - len(prefix)
            prefix += left[:rest]
            left = left[rest:]
        used = min(len(left), len(content) - filled)
        content[filled : filled + used] = np.frombuffer(left[:used], np.uint8)
        filled += used
        surplus += len(left) - used
        if surplus:
            # Checked at once, because a small file could unpack for hours.
            refuse_surplus(path, surplus, voxels.shape[::-1], voxels.dtype)
    if filled < len(content):
        raise EOFError(f"{len(content) - filled} of {len(content)} bytes of voxels are missing")
    return bytes(prefix)


def count_different(found: np.ndarray, wanted: np.ndarray) -> int:
    """Number of voxels in which two arrays differ, all of ``wanted`` for another shape or dtype."""
    same = found.shape == wanted.shape and found.dtype == wanted.dtype
    return int(np.count_nonzero(found != wanted)) if same else wanted.size

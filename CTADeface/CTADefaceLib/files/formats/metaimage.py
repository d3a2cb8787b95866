"""Reads MetaImage files of one part (.mha) into a ``Volume``.

ITK is not used: it accepts voxels that could not be unpacked, and writes its own lines to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...voxels.volume import Geometry, Volume
from .deflate import zlib_unpacker
from .itk_header import Fields, ItkHeader, add_field, numbers, printable, read_header, unusable, whole_numbers
from .voxel_bytes import blocks_of, check_scalar_3d, new_voxels, read_native

LINE = re.compile(r"([^=:]*)([=:]?)(.*)", re.DOTALL)
LAST = re.compile(rb"(?:^|\n)[ \t]*ElementDataFile[ \t]*[=:][^\n]*\n")
TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
BOOLS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
# Different names of the same field, the usual one first.
SPACING = ("ElementSpacing", "ElementSize")
ORIGIN = ("Offset", "Position", "Origin")
DIRECTION = ("TransformMatrix", "Rotation", "Orientation")
UNTURNED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
USED = (
    *SPACING,
    *ORIGIN,
    *DIRECTION,
    *ORDER,
    "ObjectType",
    "NDims",
    "DimSize",
    "ElementType",
    "ElementNumberOfChannels",
    "BinaryData",
    "CompressedData",
    "CompressedDataSize",
    "HeaderSize",
    "ElementDataFile",
)
# ITK reads these fields and does not write them again.
DROPPED = (
    "Comment",
    "ObjectSubType",
    "TransformType",
    "Name",
    "ID",
    "ParentID",
    "Color",
    "CenterOfRotation",
    "AnatomicalOrientation",
    "DistanceUnits",
    "SequenceID",
    "ElementMin",
    "ElementMax",
    "ElementNBits",
    "CompressionLevel",
    "ElementToIntensityFunctionSlope",
    "ElementToIntensityFunctionOffset",
)
# Longer ones overflow ITK's buffers when it writes them.
LONGEST_NAME, LONGEST_TEXT = 200, 4000


def read_metaimage(path: Path, name: str, begun: Callable[[Volume], object]) -> Volume:
    """The ``Volume`` in the file; ``begun`` as for ``read_volume``. Raises: InputError, OutOfMemory."""
    lines, end = read_header(path, _end)
    fields = _fields(path, lines)
    if fields["ElementDataFile"] != "LOCAL":
        raise InputError(f"{path}: keeps its voxels in another file; save it as one file.")
    if not _bool(path, fields, "BinaryData", True):
        raise InputError(f"{path}: keeps its voxels as text; save it with binary voxels.")
    dtype, shape = _dtype(path, fields), _shape(path, fields)
    check_scalar_3d(path, shape, dtype)
    geometry = _geometry(path, fields)
    geometry.require_plausible(path, shape)
    packed = _bool(path, fields, "CompressedData", False)
    most = _packed_bytes(path, fields, end) if packed else None
    if not packed and "HeaderSize" in fields:
        end = _data_start(path, fields, end, shape, dtype)
    stored = new_voxels(path, shape, dtype, 0 if packed else end, packed, most)
    source = ItkHeader(_metadata(fields), packed)
    volume = Volume(stored.view(dtype.newbyteorder("=")), geometry, name=name, source=source)
    begun(volume)
    read_native(path, "MetaImage", blocks_of(path, end, most, zlib_unpacker if packed else None), stored)
    return volume


def _end(content: bytes) -> int | None:
    found = LAST.search(content)
    return found.end() if found else None


def _fields(path: Path, lines: list[str]) -> Fields:
    fields: Fields = {}
    for line in filter(str.strip, lines):
        pair = LINE.fullmatch(line)
        if pair is None or not pair[2] or not pair[1].strip():
            raise InputError(
                f"{path}: cannot be read as MetaImage (its header has the line {printable(line)[:60]!r}); export it again."
            )
        add_field(path, fields, pair[1].strip(), pair[3].strip())
    if fields.get("ObjectType", "Image") != "Image":
        raise InputError(f"{path}: is a MetaIO {printable(fields['ObjectType'])[:60]!r}, not an image; give a CT volume.")
    return fields


def _bool(path: Path, fields: Fields, name: str, default: bool) -> bool:
    if name not in fields:
        return default
    if fields[name].lower() not in BOOLS:
        raise unusable(path, fields, name)
    return BOOLS[fields[name].lower()]


def _dtype(path: Path, fields: Fields) -> np.dtype:
    kind = fields.get("ElementType", "").removesuffix("_ARRAY")
    if kind not in TYPES:
        raise unusable(path, fields, "ElementType")
    big = [_bool(path, fields, name, False) for name in ORDER if name in fields]
    if len(set(big)) > 1:
        raise unusable(path, fields, ORDER[1])
    channels = whole_numbers(path, fields, "ElementNumberOfChannels", 1) if "ElementNumberOfChannels" in fields else (1,)
    if channels != (1,):
        raise InputError(f"{path}: has {channels[0]} values per voxel; give a scalar CT volume.")
    return np.dtype(TYPES[kind]).newbyteorder(">" if big and big[0] else "<")


def _shape(path: Path, fields: Fields) -> tuple[int, ...]:
    (dimensions,) = whole_numbers(path, fields, "NDims", 1)
    if dimensions != 3:
        raise InputError(f"{path}: is a {dimensions}-D image; give a 3-D CT volume.")
    return whole_numbers(path, fields, "DimSize", 3)


def _one_of(path: Path, fields: Fields, names: Sequence[str], count: int, default: Sequence[float]) -> tuple[float, ...]:
    given = [name for name in names if name in fields]
    return numbers(path, fields, given[0], count) if given else tuple(default)


def _geometry(path: Path, fields: Fields) -> Geometry:
    # Each row of the header's matrix is the direction of an axis.
    direction = np.reshape(_one_of(path, fields, DIRECTION, 9, UNTURNED), (3, 3)).T
    return Geometry(_one_of(path, fields, SPACING, 3, (1.0,) * 3), _one_of(path, fields, ORIGIN, 3, (0.0,) * 3), direction)


def _packed_bytes(path: Path, fields: Fields, start: int) -> int:
    left = path.stat().st_size - start
    if "CompressedDataSize" not in fields:
        return left
    (most,) = whole_numbers(path, fields, "CompressedDataSize", 1)
    if not 0 < most <= left:
        raise InputError(
            f"{path}: cannot be read (its header announces {most} bytes of compressed voxels, it holds "
            f"{left}); the file may be truncated, export it again."
        )
    return most


def _data_start(path: Path, fields: Fields, end: int, shape: Sequence[int], dtype: np.dtype) -> int:
    """Where the voxels begin by HeaderSize: 0 means at the ``end`` of the header, -1 that they end with the file."""
    (size,) = whole_numbers(path, fields, "HeaderSize", 1)
    start = path.stat().st_size - int(np.prod(shape, dtype=object)) * dtype.itemsize if size == -1 else size or end
    if start < end:
        raise unusable(path, fields, "HeaderSize")
    return start


def _metadata(fields: Fields) -> dict[str, str]:
    found = {printable(key): printable(value) for key, value in fields.items() if key not in (*USED, *DROPPED) and value}
    return {key: value for key, value in found.items() if len(key) <= LONGEST_NAME and len(value) <= LONGEST_TEXT}

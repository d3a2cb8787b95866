"""Reads NRRD files of one part (.nrrd) into a ``Volume``.

ITK is not used: it allocates all memory that a header announces, and writes its own lines to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Literal

import numpy as np

from ...errors import InputError, LabelmapError
from ...voxels.volume import Geometry, Volume
from .deflate import gzip_unpacker
from .itk_header import Fields, ItkHeader, add_field, numbers, printable, read_header, unusable, whole_numbers
from .voxel_bytes import blocks_of, check_scalar_3d, new_voxels, read_native

MAGIC = re.compile(rb"NRRD000[1-6]\r?\n")
END = re.compile(rb"\n\r?\n")
TYPES = {
    name: dtype
    for dtype, names in {
        "i1": ("signed char", "int8", "int8_t"),
        "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
        "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
        "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
        "i4": ("int", "signed int", "int32", "int32_t"),
        "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
        "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
        "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
        "f4": ("float",),
        "f8": ("double",),
    }.items()
    for name in names
}
ENDIAN: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
PACKED = {"raw": False, "gzip": True, "gz": True}
# Signs that turn the axes of a space to LPS, as in ITK; the last three spaces are not anatomical and stay as they are.
LPS, RAS, LAS = (1, 1, 1), (-1, -1, 1), (1, -1, 1)
SPACES = {
    "left-posterior-superior": LPS,
    "lps": LPS,
    "right-anterior-superior": RAS,
    "ras": RAS,
    "left-anterior-superior": LAS,
    "las": LAS,
    "scanner-xyz": LPS,
    "3d-right-handed": LPS,
    "3d-left-handed": LPS,
}
# Some fields have two names.
SAME = {
    "centers": "centerings",
    "datafile": "data file",
    "lineskip": "line skip",
    "byteskip": "byte skip",
    "sampleunits": "sample units",
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
}
FIELDS = (
    "type",
    "dimension",
    "space",
    "space dimension",
    "sizes",
    "space directions",
    "space origin",
    "spacings",
    "endian",
    "encoding",
    "data file",
    "kinds",
    "centerings",
    "labels",
    "content",
    "block size",
    "blocksize",
    "number",
    "min",
    "max",
    "old min",
    "oldmin",
    "old max",
    "oldmax",
    "sample units",
    "units",
    "space units",
    "thicknesses",
    "measurement frame",
    "line skip",
    "byte skip",
    "axis mins",
    "axis maxs",
)
MISPLACED = ("line skip", "byte skip", "axis mins", "axis maxs")
SEGMENT = re.compile(r"Segment\d+_ID")
VECTOR = re.compile(r"\(([^()]*)\)")


def read_nrrd(path: Path, name: str, begun: Callable[[Volume], object]) -> Volume:
    """The ``Volume`` in the file; ``begun`` as for ``read_volume``. Raises: InputError, OutOfMemory."""
    with open(path, "rb") as stream:
        if not MAGIC.match(stream.read(16)):
            raise InputError(f"{path}: cannot be read (it is no NRRD file in spite of its name); export it again.")
    lines, end = read_header(path, _end)
    fields, texts = _fields(path, lines[1:])
    packed = _is_packed(path, fields)
    _refuse_segments(path, fields, texts)
    shape = _shape(path, fields)
    dtype = _dtype(path, fields)
    check_scalar_3d(path, shape, dtype)
    geometry = _geometry(path, fields)
    geometry.require_plausible(path, shape)
    stored = new_voxels(path, shape, dtype, 0 if packed else end, packed)
    volume = Volume(
        stored.view(dtype.newbyteorder("=")), geometry, name=name, source=ItkHeader(_metadata(fields) | texts, packed)
    )
    begun(volume)
    read_native(path, "NRRD", blocks_of(path, end, unpacker=gzip_unpacker if packed else None), stored)
    return volume


def _end(content: bytes) -> int | None:
    found = END.search(content)
    return found.end() if found else None


def _fields(path: Path, lines: list[str]) -> tuple[Fields, dict[str, str]]:
    """({field: value}, {key: text}) of a header."""
    fields: Fields = {}
    texts: dict[str, str] = {}
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        pair, field = re.match(r"(.*?):=(.*)", line, re.DOTALL), re.match(r"([^:]+):\s(.*)", line, re.DOTALL)
        if pair and not (field and field.end(1) < pair.end(1)):
            texts[printable(pair[1])] = "\n".join(map(printable, pair[2].split("\\n")))
        elif field and (given := SAME.get(field[1].strip().lower(), field[1].strip().lower())) in FIELDS:
            add_field(path, fields, given, field[2].strip())
        else:
            raise InputError(
                f"{path}: cannot be read as NRRD (its header has the line {printable(line)[:60]!r}); export it again."
            )
    return fields, texts


def _is_packed(path: Path, fields: Fields) -> bool:
    if "data file" in fields:
        raise InputError(f"{path}: keeps its voxels in another file; save it as one file.")
    given = [name for name in MISPLACED if set(fields.get(name, "0").lower().split()) - {"0", "nan"}]
    if given:
        raise InputError(
            f"{path}: its header uses {given[0]!r}, which is not supported; save it again, by 3D Slicer or ITK for example."
        )
    if fields.get("encoding", "").lower() not in PACKED:
        raise unusable(path, fields, "encoding")
    return PACKED[fields["encoding"].lower()]


def _refuse_segments(path: Path, fields: Fields, texts: dict[str, str]) -> None:
    """Raise ``LabelmapError`` for a segmentation of 3D Slicer in layers; one of a single layer is a volume as any other."""
    if fields.get("dimension") != "3" and any(SEGMENT.fullmatch(key) for key in texts):
        raise LabelmapError(
            f"{path}: is a segmentation in layers, not one volume; export the segment that is wanted as a labelmap."
        )


def _shape(path: Path, fields: Fields) -> tuple[int, ...]:
    (dimensions,) = whole_numbers(path, fields, "dimension", 1)
    sizes = whole_numbers(path, fields, "sizes", dimensions if 0 < dimensions <= 16 else 1)
    if dimensions == 4 and (
        "none" in fields.get("space directions", "").split() or fields.get("kinds", "domain").split()[:1] != ["domain"]
    ):
        raise InputError(f"{path}: has {sizes[0]} values per voxel; give a scalar CT volume.")
    if dimensions != 3:
        raise InputError(f"{path}: is a {dimensions}-D image; give a 3-D CT volume.")
    return sizes


def _dtype(path: Path, fields: Fields) -> np.dtype:
    kind = TYPES.get(fields.get("type", "").lower())
    if kind is None:
        raise unusable(path, fields, "type")
    dtype = np.dtype(kind)
    if dtype.itemsize == 1:
        return dtype
    if fields.get("endian", "").lower() not in ENDIAN:
        raise unusable(path, fields, "endian")
    return dtype.newbyteorder(ENDIAN[fields["endian"].lower()])


def _geometry(path: Path, fields: Fields) -> Geometry:
    space = fields.get("space", "").lower()
    if space and space not in SPACES:
        raise unusable(path, fields, "space")
    if not space and fields.get("space dimension", "3") != "3":
        raise unusable(path, fields, "space dimension")
    axes = _axes(path, fields)
    origin = _vectors(path, fields, "space origin", 1)[0] if "space origin" in fields else np.zeros(3)
    turn = np.array(SPACES.get(space, LPS))
    axes, origin = axes * turn, origin * turn
    spacing = np.linalg.norm(axes, axis=1)
    if not np.all(spacing > 0):
        raise unusable(path, fields, "space directions" if "space directions" in fields else "spacings")
    return Geometry(tuple(spacing.tolist()), tuple(origin.tolist()), (axes / spacing[:, None]).T)


def _axes(path: Path, fields: Fields) -> np.ndarray:
    """The vector in mm from a voxel to the next along each axis, as the rows of an array. Raises: InputError."""
    if "space directions" not in fields:
        return np.diag(numbers(path, fields, "spacings", 3) if "spacings" in fields else (1.0,) * 3)
    if "spacings" in fields:
        raise unusable(path, fields, "spacings")
    return _vectors(path, fields, "space directions", 3)


def _vectors(path: Path, fields: Fields, name: str, count: int) -> np.ndarray:
    """``count`` vectors in 3-D as the rows of an array. Raises: InputError."""
    text = fields[name]
    try:
        found = [[float(word) for word in vector.split(",")] for vector in VECTOR.findall(text)]
    except ValueError:
        found = []
    # The squares of larger numbers overflow.
    if (
        VECTOR.sub("", text).strip()
        or [len(v) for v in found] != [3] * count
        or not all(isfinite(n) and abs(n) < 1e100 for vector in found for n in vector)
    ):
        raise unusable(path, fields, name)
    return np.array(found)


def _metadata(fields: Fields) -> dict[str, str]:
    """The fields that ITK keeps, under its names."""
    found = {"NRRD_content": printable(fields["content"])} if fields.get("content") else {}
    for name in ("centerings", "kinds"):
        words = fields.get(name, "").split()
        found |= {f"NRRD_{name}[{axis}]": printable(word) for axis, word in enumerate(words) if word not in ("none", "???")}
    labels = re.findall(r'"((?:[^"\\]|\\.)*)"', fields.get("labels", ""))
    return found | {f"NRRD_labels[{axis}]": printable(label) for axis, label in enumerate(labels) if label}

"""The lines of text that begin an NRRD or a MetaImage file, and the numbers in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...errors import InputError
from ...voxels.volume import FileHeader

READ_BYTES = 2**16
# A CT's header has some hundred bytes; some programs keep colour tables or all DICOM tags in it.
LARGEST_HEADER = 2**22

# {name of a field: its text}.
Fields = dict[str, str]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class ItkHeader(FileHeader):
    """The texts of a header that ITK writes again, under ITK's names, and whether the file's voxels were compressed."""

    metadata: dict[str, str]
    compressed: bool


def read_header(path: Path, find_end: Callable[[bytes], int | None]) -> tuple[list[str], int]:
    """(lines of the header, its length in bytes).

    Parameters: ``find_end(bytes)`` returns where the voxels begin, or None when these bytes do not reach so far.
    Raises: InputError. The text is read as UTF-8, else as Latin-1, in which older programs write umlauts.
    """
    content = b""
    end: int | None = None
    with open(path, "rb") as stream:
        while end is None and len(content) < LARGEST_HEADER and (block := stream.read(READ_BYTES)):
            content += block
            end = find_end(content)
    if end is None:
        raise InputError(
            f"{path}: cannot be read (its header has no end); the file may be truncated or no image, export it again."
        )
    try:
        text = content[:end].decode("utf-8")
    except UnicodeDecodeError:
        text = content[:end].decode("latin-1")
    return [line.rstrip("\r") for line in text.split("\n")], end


def printable(text: str) -> str:
    """``text`` with a space for each character that moves a cursor or ends a line."""
    return "".join(c if c.isprintable() else " " for c in text)


def add_field(path: Path, fields: Fields, name: str, value: str) -> None:
    """Add a field to ``fields``. Raises: InputError when it is there already."""
    if name in fields:
        raise InputError(f"{path}: cannot be read (its header has {printable(name)!r} twice); export it again.")
    fields[name] = value


def numbers(path: Path, fields: Fields, name: str, count: int) -> tuple[float, ...]:
    """The ``count`` finite numbers of a field. Raises: InputError."""
    return _numbers(path, fields, name, count, float)


def whole_numbers(path: Path, fields: Fields, name: str, count: int) -> tuple[int, ...]:
    """The ``count`` whole numbers of a field. Raises: InputError."""
    return _numbers(path, fields, name, count, int)


def _numbers(path: Path, fields: Fields, name: str, count: int, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    words = fields[name].split() if name in fields else []
    try:
        found = tuple(kind(word) for word in words)
    except ValueError:
        found = ()
    if len(found) != count or not all(math.isfinite(n) for n in found):
        raise unusable(path, fields, name)
    return found


def unusable(path: Path, fields: Fields, name: str) -> InputError:
    """The ``InputError`` for a field that is missing or cannot be understood."""
    value = f"is {printable(fields[name])[:60]!r}" if name in fields else "is missing"
    return InputError(f"{path}: cannot be read ({name!r} of its header {value}); export it again.")

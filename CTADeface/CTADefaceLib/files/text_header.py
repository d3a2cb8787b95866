"""The lines of text that begin an NRRD or a MetaImage file, and the numbers in them."""

import math
from dataclasses import dataclass

from ..errors import InputError

READ_BYTES = 2**16
# Headers of CT have some hundred bytes; programs keep tables of colours and all DICOM tags in some.
LARGEST_HEADER = 2**22


@dataclass(frozen=True)
class ItkHeader:
    """The text of a header that ITK writes again, by ITK's names, and whether the file's voxels were compressed."""

    metadata: dict
    compressed: bool


def read_header(path, find_end):
    """(lines of the header, bytes that it takes).

    Parameters: ``find_end(bytes)`` is where the voxels begin, or None while that cannot be seen.
    Raises: InputError. The text is UTF-8, else Latin-1, in which programs of the West write umlauts.
    """
    content, end = b"", None
    with open(path, "rb") as stream:
        while end is None and len(content) < LARGEST_HEADER and (block := stream.read(READ_BYTES)):
            content += block
            end = find_end(content)
    if end is None:
        raise InputError(f"{path}: cannot be read (its header has no end); the file may be truncated or no image, "
                         "export it again.")
    try:
        text = content[:end].decode("utf-8")
    except UnicodeDecodeError:
        text = content[:end].decode("latin-1")
    return [line.rstrip("\r") for line in text.split("\n")], end


def printable(text):
    """``text`` with a space for each character that moves a cursor or ends a line."""
    return "".join(c if c.isprintable() else " " for c in text)


def add_field(path, fields, name, value):
    """Put a field into the dict ``fields``. Raises: InputError when it is there already."""
    if name in fields:
        raise InputError(f"{path}: cannot be read (its header has {printable(name)!r} twice); export it again.")
    fields[name] = value


def numbers(path, fields, name, count, kind=float):
    """``count`` numbers of a field, finite unless they are to be checked further, as a tuple. Raises: InputError."""
    words = fields[name].split() if name in fields else []
    try:
        found = tuple(kind(word) for word in words)
    except ValueError:
        found = ()
    if len(found) != count or not all(math.isfinite(n) for n in found):
        raise unusable(path, fields, name)
    return found


def unusable(path, fields, name):
    """The ``InputError`` for a field that is missing or cannot be understood."""
    value = f"is {printable(fields[name])[:60]!r}" if name in fields else "is missing"
    return InputError(f"{path}: cannot be read ({name!r} of its header {value}); export it again.")

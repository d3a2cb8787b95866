"""Pixels as the file holds them: 16-bit words, and the stored values that they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError, MissingPackages, first_line
from .codestream import require_frame_sizes
from .deflated import DEFLATED_SYNTAX, refuse_bomb
from .dicom_packages import INSTALL, need_pydicom

if TYPE_CHECKING:
    from pydicom import Dataset

OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
# Compressed CT pixels take a third of their size; empty frames compress to almost nothing, but a file holds few of them.
LARGEST_RATIO, ALWAYS_ROOM = 1000, 2**26


def stored_limits(bits: tuple[int, int]) -> tuple[int, int]:
    """(lowest, highest) stored value for ``bits`` = (BitsStored, PixelRepresentation)."""
    stored, signed = bits
    return (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)


def require_room(path: Path, header: Dataset) -> None:
    """Raise ``InputError`` when the file is too small for the pixels that its ``header`` announces."""
    frames = int(header.get("NumberOfFrames") or 1)
    sizes = frames, int(header.Rows), int(header.Columns)
    announced, size = 2 * int(np.prod(sizes, dtype=object)), path.stat().st_size
    syntax = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    packed = syntax is not None and (syntax.is_compressed or str(syntax) == DEFLATED_SYNTAX.decode())
    if min(sizes) < 1 or announced > (max(size * LARGEST_RATIO, ALWAYS_ROOM) if packed else size):
        raise InputError(
            f"{path.name} announces {' x '.join(map(str, sizes))} pixels, which its {size} bytes cannot hold; export it again"
        )


def read_words(dataset: Dataset, name: str) -> np.ndarray:
    """uint16 (frames, rows, columns) of a ``pydicom.Dataset`` with pixels, as they are in the file or were compressed.

    Raises: InputError naming ``name`` for truncated or undecodable pixels, MissingPackages without the decoder.
    """
    if not all(keyword in dataset for keyword in ("Rows", "Columns", "PixelData")):
        raise InputError(f"{name}: has no pixels, or they are truncated; export it again.")
    shape = int(dataset.get("NumberOfFrames") or 1), int(dataset.Rows), int(dataset.Columns)
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        words = _decoded(dataset, name)
        if words.size != np.prod(shape, dtype=object):
            raise InputError(
                f"{name}: its compressed pixels are not the {shape[0]} frames of its header; export it again, uncompressed."
            )
    else:
        content, announced = dataset.PixelData, 2 * int(np.prod(shape, dtype=object))
        if len(content) < announced:
            raise InputError(f"{name}: its pixels are truncated ({len(content)} of {announced} bytes); export it again.")
        # Some programs pad; a row or column more is another size than the header's.
        if len(content) >= announced + 2 * max(shape[1:]):
            raise InputError(f"{name}: holds {len(content)} bytes of pixels instead of {announced}; export it again.")
        order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
        words = np.frombuffer(content, order + "u2", int(np.prod(shape))).astype(np.uint16)
    return _without_hidden(words.reshape(shape), dataset)


def _decoded(dataset: Dataset, name: str) -> np.ndarray:
    from pydicom.encaps import generate_frames
    from pydicom.pixels import get_decoder, pixel_array

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise InputError(f"{name}: its compression ({syntax.name}) cannot be read; export it uncompressed.") from None
    if not decoder.is_available:
        raise MissingPackages(f"{name}: reading {syntax.name} needs a decoder; run: {INSTALL}")
    try:
        frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
        require_frame_sizes(frames, int(dataset.Rows), int(dataset.Columns), name)
        return np.ascontiguousarray(pixel_array(dataset, raw=True)).view(np.uint16)
    except InputError:
        raise
    except Exception as error:  # each decoder raises its own
        raise InputError(
            f"{name}: its pixels ({syntax.name}) cannot be decoded ({first_line(error)}); export it again."
        ) from None


def _without_hidden(words: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Words whose bits above BitsStored hold no picture: old files keep overlays there, and others could.

    These bits may be zero, repeat the sign, or form one other value, with which some scanners pad; otherwise they are reset.
    """
    bits = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    stored = bits[0]
    if stored >= 16 or int(words.max(initial=0)) >> stored == 0:
        return words
    plain = to_words(values_of(words & np.uint16((1 << stored) - 1), bits))
    others = words[words != plain]
    if _has_overlay_in_pixels(dataset) or (others != others[:1]).any():
        return plain
    return words


def _has_overlay_in_pixels(dataset: Dataset) -> bool:
    return any(
        dataset.get((group, 0x0102)) is not None and int(dataset[group, 0x0102].value or 0) > 0 for group in OVERLAY_GROUPS
    )


def values_of(words: np.ndarray, bits: tuple[int, int]) -> np.ndarray:
    """Stored values, int16 or uint16, of words; bits above BitsStored of signed values only repeat the sign.

    Unsigned values of fewer than 16 bits that fill the whole word come from scanners that pad with -2000 in any case.
    """
    stored, signed = bits
    if not signed:
        return words.view(np.int16) if stored < 16 else words
    shift = 16 - stored
    values = words.view(np.int16)
    return values if shift == 0 else np.right_shift(np.left_shift(values, shift), shift)


def to_words(values: np.ndarray | int) -> np.ndarray:
    """uint16 words of stored values."""
    return np.asarray(values).astype(np.int64).astype(np.uint16)


def read_dataset(path: Path) -> Dataset:
    """``pydicom.Dataset`` of a file, pixels included. Raises: InputError."""
    pydicom = need_pydicom()
    try:
        refuse_bomb(path)
        dataset = pydicom.dcmread(path, force=True)
    except InputError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged files
        raise InputError(f"{path}: cannot be read as DICOM ({first_line(error)}); export it again.") from None
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        uid = pydicom.uid
        dataset.file_meta.TransferSyntaxUID = (
            uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        )
    return dataset

"""Reads NIfTI-1 and NIfTI-2 files of one part (.nii, .nii.gz) into a ``Volume`` and keeps all bytes before the voxels."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import InputError
from ...voxels.volume import FileHeader, Geometry, Volume, require_rescaling
from .ahead import ahead
from .deflate import gzip_unpacker
from .voxel_bytes import DAMAGED, LARGEST_PREFIX, blocks_of, check_scalar_3d, new_voxels, read_voxels

if TYPE_CHECKING:
    from nibabel import Nifti1Header

# {NIfTI's code of a unit of length: mm}; as in ITK, no unit means mm.
MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
SPACE_UNIT = 0x07
# {bytes of a header, which is its first number: how the magic of a file of one part begins}.
MAGIC = {348: b"n+1\0", 540: b"n+2\0"}
BYTE_ORDERS: tuple[tuple[Literal["little", "big"], Literal["<", ">"]], ...] = (("little", "<"), ("big", ">"))
MOST_DIMENSIONS = 7
# Bytes after the header that say, by zeros, that no extensions follow.
NO_EXTENSIONS = 4
# The standard's largest code of a transform.
LARGEST_CODE = 5
# nibabel raises ValueError for a header that it cannot read.
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGED, ValueError)


@dataclass(frozen=True)
class NiftiHeader(FileHeader):
    """All bytes before the voxels (header and extensions), and nibabel's reading of the header."""

    prefix: bytes
    header: Nifti1Header

    @property
    def has_more(self) -> bool:
        """Does anything, as extensions, stand between header and voxels?"""
        return any(self.prefix[int(self.header["sizeof_hdr"]) :])

    @property
    def own_prefix(self) -> bytes:
        """``prefix`` without what stands between header and voxels: it can be anything, a second copy of the head too."""
        if not self.has_more:
            return self.prefix
        header = self.header.copy()
        header["vox_offset"] = int(header["sizeof_hdr"]) + NO_EXTENSIONS
        return header.binaryblock + bytes(NO_EXTENSIONS)


def read_nifti(path: Path, name: str, imported: Callable[[], object], begun: Callable[[Volume], object]) -> Volume:
    """The ``Volume`` in the file; ``imported`` and ``begun`` as for ``read_volume``. Raises: InputError, OutOfMemory."""
    # Unpacking uses another core while Python imports.
    with ahead(_blocks(path)) as blocks, _errors(path):
        _nibabel()
        imported()
        first = _first_bytes(blocks)
        volume, header, offset = _announced(path, name, first)
        begun(volume)
        prefix = read_voxels(path, chain([first], blocks), offset, volume.stored)
    volume.source = NiftiHeader(prefix, header)
    return volume


def compare_nifti(path: Path, name: str, stored: np.ndarray) -> tuple[Volume, int]:
    """As ``compare_file``, without keeping a second copy of the voxels."""
    with _errors(path):
        blocks = _blocks(path)
        first = _first_bytes(blocks)
        volume, _, offset = _announced(path, name, first)
        if volume.stored.shape != stored.shape or volume.stored.dtype != stored.dtype:
            return volume, stored.size
        return volume, _count_different(chain([first], blocks), offset, stored)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as NIfTI ({error}); the file may be truncated, export it again.") from None


def _nibabel() -> ModuleType:
    """nibabel, imported without pydicom, which takes half of the time and serves only nibabel's DICOM reader."""
    hidden = None if {"nibabel", "pydicom"} & sys.modules.keys() else _WithoutPydicom()
    if hidden:
        sys.meta_path.insert(0, hidden)
    try:
        import nibabel
    finally:
        if hidden:
            sys.meta_path.remove(hidden)
    return nibabel


class _WithoutPydicom:
    """An import finder that hides pydicom from this thread only; other threads may import it meanwhile."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Find nothing. Raises: ModuleNotFoundError for pydicom on the thread that made this."""
        if name == "pydicom" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("pydicom is not for nibabel", name=name)


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _blocks(path: Path) -> Iterator[bytes]:
    return blocks_of(path, unpacker=gzip_unpacker if _is_packed(path) else None)


def _first_bytes(blocks: Iterable[bytes]) -> bytes:
    """As many of ``blocks``, joined, as hold a whole header."""
    first = b""
    for block in blocks:
        first += block
        if len(first) >= max(MAGIC):
            break
    return first


def _announced(path: Path, name: str, first: bytes) -> tuple[Volume, Nifti1Header, int]:
    """(``Volume`` without its voxels yet, nibabel's header, number of bytes before the voxels) from the ``first`` bytes."""
    header = _header(path, first)
    if not 1 <= int(header["dim"][0]) <= MOST_DIMENSIONS:
        raise InputError(f"{path}: cannot be read (its header gives it {int(header['dim'][0])} dimensions); export it again.")
    shape = header.get_data_shape()
    dtype = _dtype(path, header)
    check_scalar_3d(path, shape, dtype)
    least = len(header.binaryblock) + NO_EXTENSIONS
    offset = float(header["vox_offset"]) or float(least)
    if not (math.isfinite(offset) and offset.is_integer() and least <= offset <= LARGEST_PREFIX):
        raise InputError(f"{path}: its voxels are said to begin at byte {offset:g}, which cannot be; export it again.")
    slope, intercept = _rescaling(path, header)
    geometry = _geometry(path, header, shape)
    stored = new_voxels(path, shape[:3], dtype, int(offset), _is_packed(path))
    return Volume(stored, geometry, slope, intercept, name), header, int(offset)


def _header(path: Path, first: bytes) -> Nifti1Header:
    """nibabel's header from the ``first`` bytes of a file. Raises: InputError."""
    nibabel = _nibabel()
    for order, mark in BYTE_ORDERS:
        size = int.from_bytes(first[:4], order)
        if size in MAGIC and len(first) >= size:
            kind = nibabel.Nifti1Header if size == 348 else nibabel.Nifti2Header
            header: Nifti1Header = kind(first[:size], mark, check=False)
            if header["magic"].tobytes()[:4] == MAGIC[size][:4]:
                return header
    raise InputError(
        f"{path}: not a NIfTI file of one part in spite of its name, or its header cannot be read; export it again."
    )


def _dtype(path: Path, header: Nifti1Header) -> np.dtype:
    from nibabel.spatialimages import HeaderDataError

    try:
        return header.get_data_dtype()
    except (HeaderDataError, KeyError):
        raise InputError(
            f"{path}: its voxels have the data type {int(header['datatype'])}, which is not supported; "
            "export it again as 16-bit integers."
        ) from None


def _rescaling(path: Path, header: Nifti1Header) -> tuple[float, float]:
    """(slope, intercept); (1, 0) where the header gives none: its slope is then 0, or NaN in files by nibabel."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or math.isnan(slope):
        if intercept and not math.isnan(intercept):
            # Some programs add such an intercept, others do not.
            raise InputError(f"{path}: has an intercept of {intercept:g} without a slope; export it again.")
        return 1.0, 0.0
    require_rescaling(path, slope, intercept)
    return slope, intercept


def _geometry(path: Path, header: Nifti1Header, shape: Sequence[int]) -> Geometry:
    """``Geometry`` in mm. Raises: InputError, also for what programs read in different ways."""
    unit, codes = int(header["xyzt_units"]) & SPACE_UNIT, [int(header[c]) for c in ("sform_code", "qform_code")]
    if unit not in MM_OF_UNIT:
        raise InputError(f"{path}: its unit of length has the unknown code {unit}; export it again in mm.")
    if not all(0 <= code <= LARGEST_CODE for code in codes):
        raise InputError(f"{path}: its sform or qform has an unknown code ({codes[0]}, {codes[1]}); export it again.")
    sizes = header["pixdim"]
    if codes[0] == 0 and not (sizes[0] in (-1, 0, 1) and np.all(sizes[1:4] > 0)):
        raise InputError(
            f"{path}: its voxel sizes ({', '.join(f'{s:g}' for s in sizes[:4])}) are impossible; export it again."
        )
    # The standard reads 0 as 1.
    sizes[0] = sizes[0] or 1
    scale = np.diag([*[MM_OF_UNIT[unit]] * 3, 1.0])
    try:
        # NaN and huge numbers are refused with the matrix that they give.
        with np.errstate(all="ignore"):
            geometry = Geometry.from_affine(scale @ header.get_best_affine())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    geometry.require_plausible(path, shape[:3])
    return geometry


def _count_different(blocks: Iterable[bytes], offset: int, stored: np.ndarray) -> int:
    """Number of voxels that differ from ``stored``; the first ``offset`` bytes of ``blocks`` are skipped. Raises: EOFError."""
    values = stored.reshape(-1)
    rest, done, different = b"", -offset, 0
    for block in blocks:
        block, rest = rest + block, b""
        if done < 0:
            skipped = min(-done, len(block))
            block, done = block[skipped:], done + skipped
        whole = len(block) // stored.itemsize * stored.itemsize
        block, rest = block[:whole], block[whole:]
        start = done // stored.itemsize
        found = np.frombuffer(block, stored.dtype)[: values.size - start]
        different += int(np.count_nonzero(found != values[start : start + found.size]))
        done += found.nbytes
    if done < stored.nbytes:
        raise EOFError(f"{stored.nbytes - done} of {stored.nbytes} bytes of voxels are missing")
    return different

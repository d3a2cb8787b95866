"""NIfTI-1 and NIfTI-2 files of one part (.nii, .nii.gz) to a ``Volume``, all bytes before the voxels kept."""

import math
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..errors import InputError
from ..voxels.volume import Geometry, Volume, require_rescaling
from .ahead import ahead
from .deflate import DEFLATE_ERRORS, gzip_unpacker
from .voxel_bytes import LARGEST_PREFIX, blocks_of, check_scalar_3d, new_voxels, read_voxels

# By NIfTI's code of the unit of length; as ITK reads it, no unit is mm.
MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
SPACE_UNIT = 0x07
# Bytes of a header (its first number) and how the magic of a file of one part begins.
MAGIC = {348: b"n+1\0", 540: b"n+2\0"}
MOST_DIMENSIONS = 7
# Of the standard's transforms.
LARGEST_CODE = 5


@dataclass(frozen=True)
class NiftiHeader:
    """All bytes before the voxels (header and extensions), and nibabel's reading of the header."""

    prefix: bytes
    header: object


def read_nifti(path, name, imported, begun):
    """``Volume`` of the file; ``imported`` and ``begun`` as for ``read_volume``. Raises: InputError, OutOfMemory."""
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


def compare_nifti(path, name, stored):
    """As ``compare_file``, without keeping a second copy of the voxels."""
    with _errors(path):
        blocks = _blocks(path)
        first = _first_bytes(blocks)
        volume, _, offset = _announced(path, name, first)
        if volume.stored.shape != stored.shape or volume.stored.dtype != stored.dtype:
            return volume, stored.size
        return volume, _count_different(chain([first], blocks), offset, stored)


@contextmanager
def _errors(path):
    try:
        yield
    except (OSError, EOFError, ValueError, *DEFLATE_ERRORS) as error:
        raise InputError(f"{path}: cannot be read as NIfTI ({error}); the file may be truncated, "
                         "export it again.") from None


def _nibabel():
    """The package, imported without pydicom, which takes half of the time and serves its own DICOM reader only."""
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
    """An import finder to which this thread has no pydicom, while every other thread may import it meanwhile."""

    def __init__(self):
        self._thread = threading.get_ident()

    def find_spec(self, name, path=None, target=None):
        if name == "pydicom" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("pydicom is not for nibabel", name=name)
        return None


def _is_packed(path):
    return path.name.lower().endswith(".gz")


def _blocks(path):
    return blocks_of(path, unpacker=gzip_unpacker if _is_packed(path) else None)


def _first_bytes(blocks):
    """The next of ``blocks``, joined, until a header is whole."""
    first = b""
    for block in blocks:
        first += block
        if len(first) >= max(MAGIC):
            break
    return first


def _announced(path, name, first):
    """(``Volume`` whose voxels are not there yet, nibabel's header, bytes before the voxels) from the ``first`` bytes."""
    header = _header(path, first)
    if not 1 <= int(header["dim"][0]) <= MOST_DIMENSIONS:
        raise InputError(f"{path}: cannot be read (its header gives it {int(header['dim'][0])} dimensions); export it again.")
    shape = header.get_data_shape()
    dtype = _dtype(path, header)
    check_scalar_3d(path, shape, dtype)
    least = len(header.binaryblock) + 4
    offset = float(header["vox_offset"]) or float(least)
    if not (math.isfinite(offset) and offset.is_integer() and least <= offset <= LARGEST_PREFIX):
        raise InputError(f"{path}: its voxels are said to begin at byte {offset:g}, which cannot be; export it again.")
    slope, intercept = _rescaling(path, header)
    geometry = _geometry(path, header, shape)
    stored = new_voxels(path, shape[:3], dtype, int(offset), _is_packed(path))
    return Volume(stored, geometry, slope, intercept, name), header, int(offset)


def _header(path, first):
    """nibabel's header of the ``first`` bytes of a file."""
    nibabel = _nibabel()
    for order, mark in (("little", "<"), ("big", ">")):
        size = int.from_bytes(first[:4], order)
        if size in MAGIC and len(first) >= size:
            kind = nibabel.Nifti1Header if size == 348 else nibabel.Nifti2Header
            header = kind(first[:size], mark, check=False)
            if header["magic"].tobytes()[:4] == MAGIC[size][:4]:
                return header
    raise InputError(f"{path}: not a NIfTI file of one part in spite of its name, or its header cannot be read; "
                     "export it again.")


def _dtype(path, header):
    from nibabel.spatialimages import HeaderDataError

    try:
        return header.get_data_dtype()
    except (HeaderDataError, KeyError):
        raise InputError(f"{path}: its voxels have the data type {int(header['datatype'])}, which is not supported; "
                         "export it again as 16-bit integers.") from None


def _rescaling(path, header):
    """(slope, intercept); (1, 0) where the header gives none, which is a slope of 0 or, from nibabel, of NaN."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or math.isnan(slope):
        if intercept and not math.isnan(intercept):
            # Some programs would add the intercept, others not.
            raise InputError(f"{path}: has an intercept of {intercept:g} without a slope; export it again.")
        return 1.0, 0.0
    require_rescaling(path, slope, intercept)
    return slope, intercept


def _geometry(path, header, shape):
    """``Geometry`` in mm; what programs read in different ways is refused."""
    unit, codes = int(header["xyzt_units"]) & SPACE_UNIT, [int(header[c]) for c in ("sform_code", "qform_code")]
    if unit not in MM_OF_UNIT:
        raise InputError(f"{path}: its unit of length has the unknown code {unit}; export it again in mm.")
    if not all(0 <= code <= LARGEST_CODE for code in codes):
        raise InputError(f"{path}: its sform or qform has an unknown code ({codes[0]}, {codes[1]}); export it again.")
    sizes = header["pixdim"]
    if codes[0] == 0 and not (sizes[0] in (-1, 0, 1) and np.all(sizes[1:4] > 0)):
        raise InputError(f"{path}: its voxel sizes ({', '.join(f'{s:g}' for s in sizes[:4])}) are impossible; "
                         "export it again.")
    # The standard's default.
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


def _count_different(blocks, offset, stored):
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
        found = np.frombuffer(block, stored.dtype)[:values.size - start]
        different += int(np.count_nonzero(found != values[start:start + found.size]))
        done += found.nbytes
    if done < stored.nbytes:
        raise EOFError(f"{stored.nbytes - done} of {stored.nbytes} bytes of voxels are missing")
    return different

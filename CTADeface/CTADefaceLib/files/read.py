"""NIfTI, NRRD and MetaImage files to a ``Volume``, header kept for writing."""

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..volume import Geometry, Volume
from .ahead import ahead
from .deflate import DEFLATE_ERRORS, gzip_unpacker

# As ITK reads it: unknown units are mm.
MM_OF_UNIT = {"meter": 1000.0, "micron": 0.001}
NIFTI = (".nii", ".nii.gz")
ITK = (".nrrd", ".mha")
EXTENSIONS = NIFTI + ITK
# So small that what comes of them fits into memory that was used before: new memory takes as long as unpacking.
READ_BYTES = 2**17


@dataclass(frozen=True)
class NiftiHeader:
    """All bytes before the voxels (header and extensions), and nibabel's reading of the header."""

    prefix: bytes
    header: object


@dataclass(frozen=True)
class ItkHeader:
    """Metadata dictionary of an ITK image and whether the file's voxels were compressed."""

    metadata: dict
    compressed: bool


def split_extension(path):
    """(name without extension, extension as written) of a supported volume file; InputError otherwise."""
    path = Path(path)
    for extension in sorted(EXTENSIONS, key=len, reverse=True):
        if path.name.lower().endswith(extension) and len(path.name) > len(extension):
            return path.name[:-len(extension)], path.name[-len(extension):]
    raise InputError(f"{path}: not a supported volume file; convert it to one of {', '.join(EXTENSIONS)}.")


def read_volume(path, imported=None):
    """Read one scalar 3-D volume.

    Parameters: ``path`` of a .nii, .nii.gz, .nrrd or .mha file; ``imported()`` is called when the package that
    reads the file is there: other imports, begun sooner, would hold it up.
    Returns: ``Volume`` with the stored values in their own dtype.
    Raises: ``InputError`` when the file is missing, unreadable, truncated, or not one scalar 3-D volume.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the volume files themselves (a DICOM study: cta-deface run FOLDER).")
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    name, extension = split_extension(path)
    imported = imported or (lambda: None)
    return (_read_nifti if extension.lower() in NIFTI else _read_itk)(path, name, imported)


def _read_nifti(path, name, imported):
    # Unpacking uses another core while Python imports.
    with ahead(_blocks(path)) as blocks, _nifti_errors(path):
        imported()
        volume, header, offset = _open_nifti(path, name)
        prefix = _read_voxels(blocks, offset, volume.stored)
    volume.source = NiftiHeader(prefix, header)
    return volume


@contextmanager
def _nifti_errors(path):
    errors = _nibabel().filebasedimages.ImageFileError
    try:
        yield
    except (errors, OSError, EOFError, ValueError, *DEFLATE_ERRORS) as error:
        raise InputError(f"{path}: cannot be read as NIfTI ({error}); the file may be truncated, "
                         "export it again.") from None


def _nibabel():
    """The package, imported without pydicom, which takes half of the time and serves its own DICOM reader only."""
    hidden = not {"nibabel", "pydicom"} & sys.modules.keys()
    if hidden:
        sys.modules["pydicom"] = None
    try:
        import nibabel
    finally:
        if hidden:
            sys.modules.pop("pydicom")
    return nibabel


def _open_nifti(path, name):
    """(``Volume`` whose voxels are not there yet, nibabel's header, bytes before the voxels)."""
    nibabel = _nibabel()
    image = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Image):
        raise InputError(f"{path}: not a NIfTI file in spite of its name; export it again.")
    _check_scalar_3d(path, image.shape, image.get_data_dtype())
    proxy = image.dataobj
    stored = np.empty(proxy.shape[:3][::-1], proxy.dtype)
    affine = np.diag([*[MM_OF_UNIT.get(image.header.get_xyzt_units()[0], 1.0)] * 3, 1.0]) @ image.affine
    volume = Volume(stored, Geometry.from_affine(affine), float(proxy.slope), float(proxy.inter), name)
    return volume, image.header, proxy.offset


def _read_voxels(blocks, offset, voxels):
    """Fill ``voxels`` (k, j, i) from the file's ``blocks``; returns the bytes before ``offset``."""
    content = voxels.reshape(-1).view(np.uint8)
    prefix, filled = b"", 0
    for block in blocks:
        if len(prefix) < offset:
            rest = offset - len(prefix)
            prefix, block = prefix + block[:rest], block[rest:]
        block = np.frombuffer(block, np.uint8)[:len(content) - filled]
        content[filled:filled + len(block)] = block
        filled += len(block)
    if filled < len(content):
        raise EOFError(f"{len(content) - filled} of {len(content)} bytes of voxels are missing")
    return prefix


def _blocks(path):
    """The file's bytes, some at a time, unpacked to at most four times as many."""
    with open(path, "rb") as stream:
        blocks = iter(lambda: stream.read(READ_BYTES), b"")
        yield from _unpacked(blocks, 4 * READ_BYTES) if path.name.lower().endswith(".gz") else blocks


def compare_file(path, stored):
    """Read a volume file back against the voxels that it should hold, without keeping a second copy of a NIfTI file's.

    Parameters: ``stored`` (k, j, i). Returns: (a ``Volume`` with the file's grid, rescaling and dtype, and voxels that
    mean nothing; the number of voxels that differ, all of them for another shape or dtype).
    Raises: InputError as ``read_volume``.
    """
    path = Path(path)
    name, extension = split_extension(path)
    if extension.lower() not in NIFTI:
        return compare_with_itk(path, stored)
    with _nifti_errors(path):
        volume, _, offset = _open_nifti(path, name)
        if volume.stored.shape != stored.shape or volume.stored.dtype != stored.dtype:
            return volume, stored.size
        return volume, _count_different(path, offset, stored)


def _count_different(path, offset, stored):
    values = stored.reshape(-1)
    rest, done, different = b"", -offset, 0
    for block in _blocks(path):
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


def _unpacked(blocks, most):
    """Content of a gzip stream, checksums verified, in blocks of at most ``most`` bytes.

    Python's ``gzip`` asks for the interpreter's lock every 8 kB and so waits for every other thread.
    """
    inflate = None
    for block in blocks:
        # Zeros between members are padding.
        while block := block if inflate else block.lstrip(b"\0"):
            inflate = inflate or gzip_unpacker()
            yield inflate.decompress(block, most)
            if inflate.eof:
                block, inflate = inflate.unused_data, None
            else:
                block = inflate.unconsumed_tail
    if inflate is not None:
        yield inflate.flush()
        if not inflate.eof:
            raise EOFError("the compressed data end too early")


def _check_scalar_3d(path, shape, dtype):
    if dtype.kind not in "iuf":
        raise InputError(f"{path}: voxels are of type {dtype}, not single numbers; give a scalar CT volume.")
    if len(shape) < 3:
        raise InputError(f"{path}: is a {len(shape)}-D image; give a 3-D CT volume.")
    if any(n != 1 for n in shape[3:]):
        raise InputError(f"{path}: is {len(shape)}-D ({' x '.join(map(str, shape))}); give one 3-D volume, "
                         "for a time series each phase by itself.")
    if min(shape[:3]) < 2:
        raise InputError(f"{path}: {' x '.join(str(n) for n in shape[:3])} voxels is a single slice, not a volume; "
                         "give the whole series.")


def compare_with_itk(path, stored):
    """``compare_file`` by SimpleITK alone, which has no more than the voxels and the grid of a NIfTI file."""
    path = Path(path)
    volume = _read_itk(path, split_extension(path)[0], lambda: None)
    return volume, count_different(volume.stored, stored)


def count_different(found, wanted):
    """Number of voxels in which two arrays differ, all of ``wanted`` for another shape or dtype."""
    same = found.shape == wanted.shape and found.dtype == wanted.dtype
    return int(np.count_nonzero(found != wanted)) if same else wanted.size


def _read_itk(path, name, imported):
    import SimpleITK as sitk

    imported()
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        if reader.GetNumberOfComponents() != 1:
            raise InputError(f"{path}: has {reader.GetNumberOfComponents()} values per voxel; give a scalar CT volume.")
        size = reader.GetSize()
        if len(size) != 3:
            raise InputError(f"{path}: is a {len(size)}-D image; give a 3-D CT volume.")
        image = reader.Execute()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: cannot be read ({reason}); the file may be truncated, export it again.") from None
    stored = sitk.GetArrayFromImage(image)
    _check_scalar_3d(path, size, stored.dtype)
    metadata = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    volume = Volume(stored, Geometry.from_image(image), name=name, source=ItkHeader(metadata, _is_compressed(path)))
    return volume


def _is_compressed(path):
    with open(path, "rb") as stream:
        head = stream.read(65536).lower()
    head = head[:head.find(b"\n\n")] if b"\n\n" in head else head
    return b"encoding: gz" in head or b"compresseddata = true" in head

"""Reads NIfTI, NRRD and MetaImage files into a ``Volume``, which keeps the header for writing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..voxels.volume import Geometry, Volume
from .formats.metaimage import read_metaimage
from .formats.nifti import compare_nifti, read_nifti
from .formats.nrrd import read_nrrd
from .formats.voxel_bytes import check_scalar_3d, count_different

NIFTI = (".nii", ".nii.gz")
EXTENSIONS = NIFTI + (".nrrd", ".mha")


def split_extension(path: str | Path) -> tuple[str, str]:
    """(name without extension, extension as written) of a volume file. Raises: InputError for one of no supported format."""
    path = Path(path)
    for extension in sorted(EXTENSIONS, key=len, reverse=True):
        if path.name.lower().endswith(extension) and len(path.name) > len(extension):
            return path.name[: -len(extension)], path.name[-len(extension) :]
    raise InputError(f"{path}: not a supported volume file; convert it to one of {', '.join(EXTENSIONS)}.")


def read_volume(
    path: str | Path, imported: Callable[[], object] | None = None, begun: Callable[[Volume], object] | None = None
) -> Volume:
    """Read one scalar 3-D volume.

    Parameters: ``path`` of a .nii, .nii.gz, .nrrd or .mha file; ``imported()`` is called when the package that
    reads the file has been imported, which imports on other threads would delay; ``begun(volume)`` is called with the
    ``Volume`` that the header describes, before its voxels are read.
    Returns: ``Volume`` with the stored values in their own dtype.
    Raises: ``InputError`` when the file is missing, unreadable, truncated, damaged, or not one scalar 3-D volume;
    ``OutOfMemory``.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the volume files themselves (a DICOM study: cta-deface run FOLDER).")
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    name, extension = split_extension(path)
    imported, begun = imported or (lambda: None), begun or (lambda volume: None)
    if extension.lower() in NIFTI:
        return read_nifti(path, name, imported, begun)
    imported()
    try:
        return (read_nrrd if extension.lower() == ".nrrd" else read_metaimage)(path, name, begun)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check that you may read it.") from None


class _HeaderRead(Exception):
    """Ends the reading of a file whose header is known."""


def described_volume(path: str | Path) -> Volume:
    """The ``Volume`` that a file's header describes; its voxels are not read, and undefined. Raises: as ``read_volume``."""
    known: list[Volume] = []

    def begun(volume: Volume) -> None:
        known.append(volume)
        raise _HeaderRead

    with suppress(_HeaderRead):
        read_volume(path, begun=begun)
    return known[0]


def compare_file(path: str | Path, stored: np.ndarray) -> tuple[Volume, int]:
    """Compare a volume file with the voxels that it should hold; a NIfTI file is compared without a second copy of them.

    Parameters: ``stored`` (k, j, i). Returns: (a ``Volume`` with the file's grid, rescaling and dtype, whose voxels are
    undefined; the number of voxels that differ, all of them for another shape or dtype).
    Raises: InputError as ``read_volume``.
    """
    path = Path(path)
    name, extension = split_extension(path)
    if extension.lower() in NIFTI:
        return compare_nifti(path, name, stored)
    volume = read_volume(path)
    return volume, count_different(volume.stored, stored)


def compare_with_itk(path: str | Path, stored: np.ndarray) -> tuple[Volume, int]:
    """As ``compare_file``, for a file that this program wrote: with SimpleITK, because 3D Slicer has no nibabel."""
    import SimpleITK as sitk

    path = Path(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: cannot be read ({reason}); export it again.") from None
    voxels = sitk.GetArrayFromImage(image)
    check_scalar_3d(path, image.GetSize(), voxels.dtype)
    return Volume(voxels, Geometry.from_image(image), name=split_extension(path)[0]), count_different(voxels, stored)

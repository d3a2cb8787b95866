"""Writes volumes to files in the format of their source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import OutputError
from ..progress import StageProgress
from ..voxels.header_text import kept_texts
from ..voxels.volume import Geometry, Volume
from .formats.deflate import write_compressed
from .formats.itk_header import ItkHeader
from .formats.nifti import NO_EXTENSIONS, NiftiHeader
from .free_text import nifti_texts
from .storage.private import private_file


def write_like(volume: Volume, array: np.ndarray, path: Path, progress: StageProgress | None = None) -> None:
    """Write ``array`` (k, j, i), of the volume's dtype, to ``path`` with the header of the file that the volume came from,
    without what in it could hold a head.

    Raises: OSError, OutputError, Cancelled.
    """
    if isinstance(volume.source, NiftiHeader):
        _write_nifti(volume.source.own_prefix, array, path, progress)
    else:
        # The volume came from a file, and not from NIfTI.
        assert isinstance(volume.source, ItkHeader)
        metadata = kept_texts(volume.source.metadata)
        _write_image(array, volume.geometry, metadata, path, volume.source.compressed)


def write_mask(volume: Volume, mask: np.ndarray, path: Path, progress: StageProgress | None = None) -> None:
    """Write a bool ``mask`` (k, j, i) as uint8 (0, 1) on the volume's grid to ``path``, for the owner only, without text.

    Raises: OSError, OutputError, Cancelled.
    """
    private_file(path)
    mask = mask.view(np.uint8)
    if isinstance(volume.source, NiftiHeader):
        header = volume.source.header.copy()
        header.set_data_dtype(np.uint8)
        header.set_slope_inter(1, 0)
        header["cal_min"], header["cal_max"] = 0, 1
        for field in nifti_texts(header):
            header[field] = b""
        header["vox_offset"] = int(header["sizeof_hdr"]) + NO_EXTENSIONS
        _write_nifti(header.binaryblock + bytes(NO_EXTENSIONS), mask, path, progress)
    else:
        _write_image(mask, volume.geometry, {}, path, compressed=True)


def write_mask_new(mask: np.ndarray, geometry: Geometry, path: Path) -> None:
    """Write a bool ``mask`` (k, j, i) as NIfTI, uint8, on ``geometry``, which may be sheared by a tilted gantry."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_shape(mask.shape[::-1])
    header.set_sform(geometry.affine(), code=1)
    header.set_zooms(geometry.spacing)
    header.set_xyzt_units("mm")
    write_mask(Volume(mask, geometry, source=NiftiHeader(b"", header)), mask, path)


def _write_nifti(prefix: bytes, array: np.ndarray, path: Path, progress: StageProgress | None) -> None:
    with open(path, "wb") as stream:
        write = write_compressed if path.name.lower().endswith(".gz") else _write_plain
        write(stream, prefix, array, progress)


def _write_plain(stream: IO[bytes], prefix: bytes, array: np.ndarray, progress: StageProgress | None) -> None:
    stream.write(prefix)
    for number, plane in enumerate(array):
        stream.write(np.ascontiguousarray(plane).data)
        if progress is not None:
            progress.update(number / len(array))


def write_new_mask(mask: np.ndarray, geometry: Geometry, path: Path) -> None:
    """Write a bool ``mask`` (k, j, i) as uint8 (0, 1) as ``write_new`` does, for the owner only. Raises: OutputError."""
    write_new(mask.view(np.uint8), geometry, private_file(path))


def write_new(array: np.ndarray, geometry: Geometry, path: Path) -> None:
    """Write ``array`` (k, j, i) on ``geometry`` to ``path`` (.nii, .nii.gz, .nrrd, .mha), with no text in its header.

    Raises: OutputError.
    """
    _write_image(array, geometry, {}, path, compressed=True)


def _write_image(array: np.ndarray, geometry: Geometry, metadata: Mapping[str, str], path: Path, compressed: bool) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing([float(s) for s in geometry.spacing])
    image.SetOrigin([float(o) for o in geometry.origin])
    image.SetDirection([float(d) for d in np.ravel(geometry.direction)])
    for key, value in metadata.items():
        image.SetMetaData(key, value)
    try:
        sitk.WriteImage(image, str(path), compressed)
    except RuntimeError as error:
        raise OutputError(
            f"{path.parent}: cannot be written ({str(error).strip().splitlines()[-1]}); free space or choose another folder."
        ) from None

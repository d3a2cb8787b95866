"""Volumes to files of the same format: complete or not there at all."""

import os
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import OutputError
from .compress import write_compressed
from .read import NiftiHeader, split_extension


def output_paths(source_path, folder):
    """(defaced, mask) paths in ``folder`` for an input file, in the input's own format."""
    name, extension = split_extension(source_path)
    return Path(folder) / f"{name}_defaced{extension}", Path(folder) / f"{name}_facemask{extension}"


def refuse_existing(paths, overwrite):
    """Raise ``OutputError`` when one of ``paths`` exists and ``overwrite`` is False."""
    for path in paths:
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: exists already; choose another folder or allow overwriting.")


@contextmanager
def publishing(paths, overwrite=False):
    """Temporary names beside ``paths`` to write to; on success all are renamed, on failure none stays.

    Renaming without ``overwrite`` goes by a hard link, which fails when somebody made the file meanwhile.
    Raises: ``OutputError`` for a full or read-only disk and for existing files.
    """
    paths = [Path(p) for p in paths]
    refuse_existing(paths, overwrite)
    staged, published = [], []
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            extension = split_extension(path)[1]
            staged.append(path.parent / f".{uuid.uuid4().hex}.part{extension}")
        yield staged
        for temporary in staged:
            _flush(temporary)
        for temporary, path in zip(staged, paths):
            _rename(temporary, path, overwrite)
            published.append(path)
    except BaseException as error:
        if not overwrite:
            for path in published:
                path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError) and len(staged) == len(paths):
            raise OutputError(f"{error.filename2 or error.filename}: exists already; "
                              "choose another folder or allow overwriting.") from None
        if isinstance(error, OSError):
            raise OutputError(f"{paths[0].parent}: cannot be written ({error.strerror or error}); "
                              "free space or choose another folder.") from None
        raise
    finally:
        for temporary in staged:
            temporary.unlink(missing_ok=True)


def _flush(path):
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _rename(temporary, path, overwrite):
    if overwrite:
        os.replace(temporary, path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network drives): the check and the rename are then two steps.
        if path.exists():
            raise FileExistsError(17, "File exists", str(path)) from None
        os.replace(temporary, path)


def write_like(volume, array, path, progress=None):
    """Write ``array`` (k, j, i), of the volume's dtype, with the volume's own header, to ``path``."""
    if isinstance(volume.source, NiftiHeader):
        _write_nifti(volume.source.prefix, array, path, progress)
    else:
        _write_itk(volume, array, path)


def write_mask(volume, mask, path, progress=None):
    """Write a bool ``mask`` (k, j, i) as uint8 (0, 1) on the volume's grid to ``path``."""
    mask = mask.astype(np.uint8, copy=False)
    if isinstance(volume.source, NiftiHeader):
        header = volume.source.header.copy()
        header.set_data_dtype(np.uint8)
        header.set_slope_inter(1, 0)
        header["cal_min"], header["cal_max"] = 0, 1
        header["vox_offset"] = 352 if header["sizeof_hdr"] == 348 else 544
        _write_nifti(header.binaryblock + bytes(4), mask, path, progress)
    else:
        _write_itk(volume, mask, path, compressed=True)


def _write_nifti(prefix, array, path, progress):
    with open(path, "wb") as stream:
        write = write_compressed if path.name.lower().endswith(".gz") else _write_plain
        write(stream, prefix, array, progress)


def _write_plain(stream, prefix, array, progress):
    stream.write(prefix)
    for number, plane in enumerate(array):
        stream.write(np.ascontiguousarray(plane).data)
        _report(progress, number / len(array))


def _report(progress, fraction):
    if progress is not None:
        progress.update(fraction)


def write_new(array, geometry, path):
    """Write ``array`` (k, j, i) on ``geometry`` with no other header text to ``path`` (.nii, .nii.gz, .nrrd, .mha).

    Raises: OutputError.
    """
    _write_image(array, geometry, {}, path, compressed=True)


def _write_itk(volume, array, path, compressed=None):
    if compressed is None:
        compressed = volume.source.compressed
    _write_image(array, volume.geometry, volume.source.metadata, path, compressed)


def _write_image(array, geometry, metadata, path, compressed):
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
        raise OutputError(f"{path.parent}: cannot be written ({str(error).strip().splitlines()[-1]}); "
                          "free space or choose another folder.") from None

"""Volumes to files of the same format."""

import numpy as np

from ..errors import OutputError
from ..voxels.volume import Volume
from .deflate import write_compressed
from .header_text import NIFTI_TEXT, without_dicom
from .nifti import NiftiHeader
from .private import private_file


def write_like(volume, array, path, progress=None):
    """Write ``array`` (k, j, i), of the volume's dtype, with the volume's own header, to ``path``."""
    if isinstance(volume.source, NiftiHeader):
        _write_nifti(volume.source.prefix, array, path, progress)
    else:
        _write_itk(volume, array, path)


def write_mask(volume, mask, path, progress=None):
    """Write a bool ``mask`` (k, j, i) as uint8 (0, 1) on the volume's grid to ``path``, for the owner only."""
    private_file(path)
    mask = mask.view(np.uint8)
    if isinstance(volume.source, NiftiHeader):
        header = volume.source.header.copy()
        header.set_data_dtype(np.uint8)
        header.set_slope_inter(1, 0)
        header["cal_min"], header["cal_max"] = 0, 1
        for field in NIFTI_TEXT:
            if field in header:
                header[field] = b""
        header["vox_offset"] = 352 if header["sizeof_hdr"] == 348 else 544
        _write_nifti(header.binaryblock + bytes(4), mask, path, progress)
    else:
        _write_itk(volume, mask, path, compressed=True)


def write_mask_new(mask, geometry, path):
    """Write a bool ``mask`` (k, j, i) as NIfTI, uint8, on ``geometry``, which may be sheared by a tilted gantry."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_shape(mask.shape[::-1])
    header.set_sform(geometry.affine(), code=1)
    header.set_zooms(geometry.spacing)
    header.set_xyzt_units("mm")
    write_mask(Volume(mask, geometry, source=NiftiHeader(b"", header)), mask, path)


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


def write_new_mask(mask, geometry, path):
    """Write a bool ``mask`` (k, j, i) as uint8 (0, 1) as ``write_new`` does, for the owner only. Raises: OutputError."""
    write_new(mask.view(np.uint8), geometry, private_file(path))


def write_new(array, geometry, path):
    """Write ``array`` (k, j, i) on ``geometry`` with no other header text to ``path`` (.nii, .nii.gz, .nrrd, .mha).

    Raises: OutputError.
    """
    _write_image(array, geometry, {}, path, compressed=True)


def _write_itk(volume, array, path, compressed=None):
    if compressed is None:
        compressed = volume.source.compressed
    _write_image(array, volume.geometry, without_dicom(volume.source.metadata), path, compressed)


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

"""NIfTI files whose every byte is known."""

import gzip

import nibabel
import numpy as np


def nifti(path, array, dtype="<i2", slope=None, intercept=None):
    """A NIfTI file with everything in its header that must survive."""
    header = nibabel.Nifti1Header(endianness="<" if dtype.startswith("<") else ">")
    header.set_data_dtype(np.dtype(dtype))
    header["descrip"] = b"scanner text"
    header["aux_file"] = b"aux"
    header["cal_max"] = 77
    header.set_xyzt_units("mm", "sec")
    header.set_data_shape(array.T.shape)
    affine = np.array([[0.7, 0.1, 0, -20], [-0.1, 0.7, 0, 11], [0, 0, 1.5, 5], [0, 0, 0, 1]])
    header.set_qform(affine, 2)
    header.set_sform(affine, 4)
    header["scl_slope"], header["scl_inter"] = slope or 1, intercept or 0
    header["vox_offset"] = 352
    data = header.binaryblock + bytes(4) + np.ascontiguousarray(array.astype(dtype)).tobytes()
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path

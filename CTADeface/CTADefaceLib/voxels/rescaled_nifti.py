"""NIfTI images in memory that say HU and keep their stored values when saved.

nibabel computes a new slope and intercept when it saves rescaled voxels, which moves every voxel by up to half a step.
"""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy


class RescaledNifti1(nibabel.Nifti1Image):
    """As ``nibabel.Nifti1Image``."""

    def to_file_map(self, file_map: Any = None, dtype: Any = None, **options: Any) -> None:
        _save(self, nibabel.Nifti1Image, file_map, {"dtype": dtype, **options})


class RescaledNifti2(nibabel.Nifti2Image):
    """As ``nibabel.Nifti2Image``."""

    def to_file_map(self, file_map: Any = None, dtype: Any = None, **options: Any) -> None:
        _save(self, nibabel.Nifti2Image, file_map, {"dtype": dtype, **options})


def rescaled(
    image: nibabel.Nifti1Image, header: nibabel.Nifti1Header, stored: np.ndarray, slope: float, intercept: float
) -> RescaledNifti1 | RescaledNifti2:
    """An image with ``header``, kind and affine of ``image``, and HU = ``stored`` (i, j, k) * ``slope`` + ``intercept``."""
    is_second = isinstance(image, nibabel.Nifti2Image)
    plain, kind = (nibabel.Nifti2Image, RescaledNifti2) if is_second else (nibabel.Nifti1Image, RescaledNifti1)
    whole = plain(stored, image.affine, header)
    whole.header.set_slope_inter(slope, intercept)
    return kind.from_bytes(whole.to_bytes())


def _save(image: nibabel.Nifti1Image, plain: type[nibabel.Nifti1Image], file_map: Any, options: dict) -> None:
    """Save the voxels of an ``ArrayProxy`` as they are stored, any others as ``plain`` images do."""
    proxy = image.dataobj
    if isinstance(proxy, ArrayProxy):
        stored = plain(proxy.get_unscaled(), image.affine, image.header)
        stored.header.set_slope_inter(proxy.slope, proxy.inter)
        stored.to_file_map(image.file_map if file_map is None else file_map, **options)
    else:
        plain.to_file_map(image, file_map, **options)

"""Volumes in the forms in which Python programs hold them: SimpleITK images, arrays with a geometry, ``Volume``s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

import numpy as np

from ..errors import InputError, MaskError
from .volume import Geometry, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

Image = Union["sitk.Image", tuple[np.ndarray, Geometry], Volume]


def to_volume(image: Image) -> Volume:
    """``Volume`` of a SimpleITK image, an (array (k, j, i), ``Geometry``) pair or a ``Volume``.

    Raises: ``InputError`` for what is not one scalar 3-D volume, or lies where no CT can lie.
    """
    if isinstance(image, Volume):
        return image
    if isinstance(image, tuple):
        array, geometry = image
        array = np.asarray(array)
    else:
        import SimpleITK as sitk

        if image.GetNumberOfComponentsPerPixel() != 1 or image.GetDimension() != 3:
            raise InputError("image: not one scalar 3-D volume; give a 3-D CT volume in HU.")
        array, geometry = sitk.GetArrayFromImage(image), Geometry.from_image(image)
    if array.ndim != 3 or min(array.shape) < 2:
        raise InputError(f"image: shape {array.shape} is not a 3-D volume; give (slices, rows, columns).")
    if array.dtype.kind not in "iuf":
        raise InputError(f"image: voxels of type {array.dtype} are not single numbers; give a scalar CT volume in HU.")
    geometry.require_plausible("image", array.shape[::-1])
    return Volume(array, geometry, name="image")


def like(image: Image, array: np.ndarray) -> np.ndarray | tuple[np.ndarray, Geometry] | sitk.Image:
    """``array`` (k, j, i) in the form in which ``image`` was given; for a ``Volume`` the array itself."""
    if isinstance(image, Volume):
        return array
    if isinstance(image, tuple):
        return array, image[1]
    import SimpleITK as sitk

    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        result.SetMetaData(key, image.GetMetaData(key))
    return result


def mask_on_grid(mask: Image | np.ndarray, volume: Volume) -> np.ndarray:
    """Bool (k, j, i) from a mask in any of the input forms; ``MaskError`` when it lies on another grid than ``volume``."""
    if isinstance(mask, np.ndarray):
        return mask != 0
    given = to_volume(mask)
    if given.stored.shape != volume.stored.shape or not given.geometry.matches(volume.geometry):
        raise MaskError(
            f"{given.name}: the mask's grid (size, spacing, origin or direction) is not that of "
            f"{volume.name}; make the mask on this volume."
        )
    return given.as_mask()

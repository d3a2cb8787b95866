"""Volumes in the forms in which Python programs hold them, and results in the same forms.

Forms: SimpleITK images, nibabel's NIfTI images, arrays with a geometry, and ``Volume``s.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError, MaskError
from .header_text import kept_texts
from .volume import Geometry, Volume

if TYPE_CHECKING:
    import nibabel
    import SimpleITK as sitk

TAKEN = (
    "the path of a volume file, a SimpleITK.Image, a nibabel.Nifti1Image or Nifti2Image, or (array, Geometry) with the "
    "array in the order (slices, rows, columns)"
)
# {nibabel's name of a unit of length: mm}; as in ITK, no unit means mm.
MM_OF_UNIT = {"unknown": 1.0, "meter": 1000.0, "mm": 1.0, "micron": 0.001}


class Form(NamedTuple):
    """A ``Volume``, and how arrays (k, j, i) on its grid get the form in which it was given.

    ``filled`` takes stored values of the volume's dtype, ``mask`` a uint8 array of 0 and 1.
    """

    volume: Volume
    filled: Callable[[np.ndarray], Any]
    mask: Callable[[np.ndarray], Any]


def form_of(given: Any, what: str = "image") -> Form:
    """The ``Form`` of what a caller gave as ``what``, which errors name.

    Raises: InputError, which says what is taken, for other things, and for what is not one scalar 3-D volume, or lies
    where no CT can lie.
    """
    if isinstance(given, Volume):
        return Form(given, _as_it_is, _as_it_is)
    if isinstance(given, tuple):
        return _of_pair(given, what)
    if _is_a(given, "SimpleITK", "Image"):
        return _of_itk(given, what)
    if _is_a(given, "nibabel", "Nifti1Image"):
        return _of_nibabel(given, what)
    if isinstance(given, np.ndarray):
        raise InputError(
            f"{what}: a numpy array alone does not say where its voxels lie and needs its Geometry; give {TAKEN}."
        )
    raise InputError(f"{what}: is of type {_type_name(given)}; give {TAKEN}.")


def to_volume(given: Any, what: str = "image") -> Volume:
    """As ``form_of``, the ``Volume`` alone."""
    return form_of(given, what).volume


def itk_image(array: np.ndarray, geometry: Geometry) -> sitk.Image:
    """SimpleITK image of an array (k, j, i) on a grid."""
    import SimpleITK as sitk

    result = sitk.GetImageFromArray(array.astype(array.dtype.newbyteorder("="), copy=False))
    result.SetSpacing([float(s) for s in geometry.spacing])
    result.SetOrigin([float(o) for o in geometry.origin])
    result.SetDirection(np.ravel(geometry.direction).tolist())
    return result


def mask_on_grid(given: Volume, volume: Volume) -> np.ndarray:
    """Bool (k, j, i) of a mask. Raises: ``MaskError`` when it lies on another grid than ``volume``."""
    if given.stored.shape != volume.stored.shape or not given.geometry.matches(volume.geometry):
        raise MaskError(
            f"{given.name}: the mask's grid (size, spacing, origin or direction) is not that of "
            f"{volume.name}; make the mask on this volume."
        )
    return given.as_mask()


def _as_it_is(array: np.ndarray) -> np.ndarray:
    return array


def _is_a(given: object, package: str, name: str) -> bool:
    """Is it of this class of a package? Without importing the package: if nobody has, it is not."""
    kind = getattr(sys.modules.get(package), name, None)
    return kind is not None and isinstance(given, kind)


def _type_name(given: object) -> str:
    """The name by which a person knows the type of a thing; of a tuple, those of its items."""
    if isinstance(given, tuple):
        return f"({', '.join(map(_type_name, given))})"
    kind = type(given)
    package = kind.__module__.split(".")[0]
    return kind.__qualname__ if package == "builtins" else f"{package}.{kind.__qualname__}"


def _checked(array: np.ndarray, geometry: Geometry, what: str, slope: float = 1.0, intercept: float = 0.0) -> Volume:
    """``Volume`` of an array (k, j, i). Raises: InputError."""
    if array.ndim != 3 or min(array.shape) < 2:
        raise InputError(f"{what}: shape {array.shape} is not a 3-D volume; give (slices, rows, columns).")
    if array.dtype.kind == "b":
        # As masks are in numpy.
        array = array.view(np.uint8)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise InputError(f"{what}: voxels of type {array.dtype} are not single numbers; give a scalar CT volume in HU.")
    geometry.require_plausible(what, array.shape[::-1])
    return Volume(array, geometry, slope, intercept, name=what)


def _of_pair(given: tuple, what: str) -> Form:
    if len(given) != 2 or not isinstance(given[0], np.ndarray) or not isinstance(given[1], Geometry):
        raise InputError(f"{what}: is of type {_type_name(given)}; give {TAKEN}.")
    array, geometry = given
    try:
        own = Geometry(
            tuple(np.asarray(geometry.spacing, float).reshape(3).tolist()),
            tuple(np.asarray(geometry.origin, float).reshape(3).tolist()),
            np.asarray(geometry.direction, float).reshape(3, 3),
        )
    except (TypeError, ValueError):
        raise InputError(
            f"{what}: its Geometry needs three numbers as spacing, three as origin and 3 x 3 as direction; see help(Geometry)."
        ) from None
    return Form(_checked(array, own, what), lambda stored: (stored, geometry), lambda mask: (mask, geometry))


def _of_itk(image: sitk.Image, what: str) -> Form:
    import SimpleITK as sitk

    if image.GetNumberOfComponentsPerPixel() != 1 or image.GetDimension() != 3:
        raise InputError(f"{what}: not one scalar 3-D volume; give a 3-D CT volume in HU.")

    def like(array: np.ndarray) -> sitk.Image:
        result = sitk.GetImageFromArray(array)
        result.CopyInformation(image)
        for key, text in kept_texts({key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}).items():
            result.SetMetaData(key, text)
        return result

    return Form(_checked(sitk.GetArrayFromImage(image), Geometry.from_image(image), what), like, like)


def _of_nibabel(image: nibabel.Nifti1Image, what: str) -> Form:
    """nibabel's arrays are (i, j, k), their affine leads to RAS in the header's unit; a file's voxels are read as stored."""
    shape = tuple(image.shape)
    if len(shape) < 3 or any(n != 1 for n in shape[3:]):
        raise InputError(f"{what}: shape {shape} is not one 3-D volume; give a 3-D CT volume in HU.")
    stored, slope, intercept = _stored_of(image, what)
    # To (k, j, i), in one piece.
    volume = _checked(np.ascontiguousarray(stored.reshape(shape[:3]).T), _geometry_of(image, what), what, slope, intercept)

    def filled(array: np.ndarray) -> nibabel.Nifti1Image:
        if (slope, intercept) == (1.0, 0.0):
            return type(image)(array.T.reshape(shape), image.affine, _without_extensions(image))
        from .rescaled_nifti import rescaled

        return rescaled(image, _without_extensions(image), array.T.reshape(shape), slope, intercept)

    def mask(array: np.ndarray) -> nibabel.Nifti1Image:
        header = _without_extensions(image)
        header.set_data_dtype(np.uint8)
        header.set_slope_inter(1, 0)
        # The window of brightness is that of a CT.
        header["cal_min"] = header["cal_max"] = 0
        return type(image)(array.T.reshape(shape), image.affine, header)

    return Form(volume, filled, mask)


def _without_extensions(image: nibabel.Nifti1Image) -> nibabel.Nifti1Header:
    """A copy of the image's header; extensions can be anything, a second copy of the head too."""
    header = image.header.copy()
    header.extensions.clear()
    return header


def _stored_of(image: nibabel.Nifti1Image, what: str) -> tuple[np.ndarray, float, float]:
    """(stored values (i, j, k), slope, intercept); an image that is no file's holds HU themselves. Raises: InputError."""
    from nibabel.arrayproxy import ArrayProxy

    proxy = image.dataobj
    if not isinstance(proxy, ArrayProxy):
        return np.asarray(proxy), 1.0, 0.0
    try:
        return np.asarray(proxy.get_unscaled()), float(proxy.slope), float(proxy.inter)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{what}: its file cannot be read ({error}); it may be truncated, export it again.") from None


def _geometry_of(image: nibabel.Nifti1Image, what: str) -> Geometry:
    if image.affine is None:
        raise InputError(f"{what}: has no affine, so that it is not known where its voxels lie; give it one.")
    try:
        unit = MM_OF_UNIT[image.header.get_xyzt_units()[0]]
    except KeyError:
        raise InputError(f"{what}: its unit of length is unknown; set it to mm with header.set_xyzt_units('mm').") from None
    try:
        return Geometry.from_affine(np.diag([unit, unit, unit, 1.0]) @ image.affine)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None

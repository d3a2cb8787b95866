"""The engine for Python programs: over files, SimpleITK and nibabel images, and arrays alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from .cases.options import Options
from .cases.prepare import FILE, fill_scan, mask_by_model, opinion_of_model, prepare, with_ears
from .checks.check import Check, require_passed
from .dicom.reading.input_files import is_dicom
from .errors import InputError
from .face.mask import face_mask, require_face
from .face.survey import surveyed
from .files.read import read_volume
from .filling.fill import DEFAULT_FILL
from .network.host import NetworksHere, overview_model
from .network.model_run import ModelRun, checked_step_size
from .progress import MODEL_STAGES, Progress
from .release.outgoing import CaseMask, Scan
from .voxels.images import Form, form_of, itk_image, mask_on_grid
from .voxels.kept import kept_of
from .voxels.volume import Geometry, Volume

if TYPE_CHECKING:
    import nibabel
    import SimpleITK as sitk

Image = Union[
    str, "os.PathLike[str]", "sitk.Image", "nibabel.Nifti1Image", "nibabel.Nifti2Image", tuple[np.ndarray, Geometry], Volume
]
Mask = Image | np.ndarray
Keep = Mask | list[Mask] | Mapping[str, Mask]

# Kept between calls, so that each model is loaded once.
_networks = NetworksHere()


@dataclass(frozen=True)
class Defaced:
    """What ``deface`` gives back.

    ``volume`` and ``mask`` (uint8, 1 = face) in the form of the input, a ``SimpleITK.Image`` where that was a path;
    ``mask_ml`` the mask's volume; ``checks`` a list of ``Check``.

    Examples:
        >>> from CTADefaceLib import deface
        >>> result = deface("head.nii.gz", mask="head_facemask.nii.gz", second_opinion=False)
        >>> result.volume.GetSize() == result.mask.GetSize()
        True
        >>> result.mask_ml > 100
        True
        >>> [check.name for check in result.checks if check.verdict == "fail"]
        []
    """

    volume: Any
    mask: Any
    mask_ml: float
    checks: list[Check]


def segment_face(
    image: Image,
    model: str | None = None,
    device: str = "cpu",
    mirroring: bool = False,
    step_size: float = 0.5,
    progress: Progress | None = None,
    ears: bool = False,
) -> Any:
    """Face mask of a head CT.

    Parameters: ``image`` in HU: the path of a .nii, .nii.gz, .nrrd or .mha file, a ``SimpleITK.Image``, a
    ``nibabel.Nifti1Image`` or ``Nifti2Image``, or ``(array (k, j, i), Geometry)``; ``model`` a model's name or folder
    (None: the bundled one); ``device`` 'cpu', 'cuda', 'mps' or 'auto'; ``mirroring`` test-time mirroring; ``step_size`` of
    the sliding window in patches, above 0 and at most 1; ``ears``: the mask also holds both ears.
    Returns: uint8 mask (1 = face) in the same form and on the same grid, for a path a ``SimpleITK.Image``; empty when no
    face is in view.
    Raises: ``InputError``, ``ModelError``, ``DeviceError``, ``Cancelled``.

    Examples:
        >>> import SimpleITK as sitk
        >>> from CTADefaceLib import segment_face
        >>> image = sitk.ReadImage("head.nii.gz")
        >>> mask = segment_face(image)
        >>> mask.GetSize() == image.GetSize(), mask.GetPixelIDTypeAsString()
        (True, '8-bit unsigned integer')
    """
    progress = progress or Progress()
    given = _form_of(image, "image")
    checked_step_size(step_size)
    progress.begin("read", *MODEL_STAGES)
    progress.enter("read")
    survey = surveyed(given.volume, overview_model(model), progress)
    mask = face_mask(given.volume, _networks, ModelRun(model, device, mirroring, step_size), progress, survey)
    result = given.mask(with_ears(mask, survey, ears).astype(np.uint8))
    progress.finish()
    return result


def fill_face(
    image: Image,
    mask: Mask,
    fill: str | float = DEFAULT_FILL,
    progress: Progress | None = None,
    ears: bool = False,
    keep: Keep | None = None,
) -> Any:
    """``image`` with ``mask`` filled, in the same form, dtype and grid, unchecked; see the module ``filling.fill``.

    Parameters: ``image`` and ``mask`` as for ``deface``; ``fill`` 'levelled', 'percentile', 'published', 'air', or HU;
    ``ears``: the mask holds both ears too, which are levelled to the sides; ``keep``: structures whose
    voxels stay as they are, a mask in the forms of ``mask``, a list of masks, or {name: mask}.
    Returns: the filled volume in the form of ``image``, for a path a ``SimpleITK.Image`` in HU.
    Raises: ``MaskError`` for an empty mask or one on another grid, or where more than half of the mask
    would be kept, ``InputError`` also for an unknown fill, ``Cancelled``.

    Examples:
        >>> import SimpleITK as sitk
        >>> from CTADefaceLib import Geometry, fill_face
        >>> image, face = sitk.ReadImage("head.nii.gz"), sitk.ReadImage("head_facemask.nii.gz")
        >>> array, mask = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(face)
        >>> filled, geometry = fill_face((array, Geometry.from_image(image)), mask, fill="air")
        >>> bool((filled[mask > 0] == -1000).all())
        True
    """
    progress = progress or Progress()
    given = _form_of(image, "image")
    face = _mask_for(mask, image, given.volume)
    progress.begin("fill")
    progress.enter("fill")
    kept = kept_of(keep, given.volume, lambda one: _mask_for(one, image, given.volume))
    stored = fill_scan(Scan(given.volume, surveyed(given.volume)), CaseMask(face, FILE, ears=ears, kept=kept), fill)[0]
    result = given.filled(stored)
    progress.finish()
    return result


def deface(
    image: Image,
    mask: Mask | None = None,
    fill: str | float = DEFAULT_FILL,
    overrides: dict[str, str] | None = None,
    progress: Progress | None = None,
    *,
    model: str | None = None,
    device: str = "cpu",
    mirroring: bool = False,
    step_size: float = 0.5,
    second_opinion: bool = True,
    ears: bool = False,
    keep: Keep | None = None,
    strict: bool = False,
) -> Defaced:
    """Segment (unless ``mask`` is given), fill, and check.

    Parameters: ``image`` as for ``segment_face``; ``mask`` in any of its forms, not 0 where the face is; where ``image`` is
    ``(array, Geometry)`` also an array alone; ``fill`` as for ``fill_face``; ``overrides`` failed check -> the reason why
    the volume is returned nevertheless; ``model``, ``device``, ``mirroring`` and ``step_size`` as for ``segment_face``;
    ``second_opinion``: the checks ask the model about a mask that was given; ``ears``: both ears go too, also with a mask,
    to which they are added; ``keep`` as for ``fill_face``: the check ``kept`` says what face is left because of it, and the
    mask that is returned is whole; ``strict``: a check that warns stops, too.
    Returns: ``Defaced`` with volume and mask in the form of ``image``, for a path ``SimpleITK.Image``s.
    Raises: ``NoFaceError`` when no face is found, ``ChecksFailed``, and what the two steps raise.

    Examples:
        >>> import nibabel
        >>> from CTADefaceLib import ChecksFailed, deface
        >>> image = nibabel.load("head.nii.gz")
        >>> result = deface(image)
        >>> nibabel.save(result.volume, "head_defaced.nii.gz")
        >>> result.volume.get_data_dtype() == image.get_data_dtype()
        True
        >>> try:
        ...     deface(image, mask="half_mask.nii.gz", second_opinion=False)
        ... except ChecksFailed as error:
        ...     print("residual_skin" in [check.name for check in error.checks])
        True
    """
    progress = progress or Progress()
    given = _form_of(image, "image")
    volume = given.volume
    chosen = Options(
        model,
        device,
        fill,
        second_opinion=second_opinion,
        mirroring=mirroring,
        step_size=step_size,
        override=overrides or {},
        ears=ears,
        strict=strict,
    )
    chosen.require_sound()
    checked_step_size(step_size)
    drawn = None if mask is None else _mask_for(mask, image, volume)
    kept = kept_of(keep, volume, lambda one: _mask_for(one, image, volume))
    progress.begin("read", *(MODEL_STAGES if mask is None else ()), "fill", "check")
    progress.enter("read")
    scan = Scan(volume, surveyed(volume, overview_model(chosen.model) if mask is None else None), seconds=progress.seconds)
    if drawn is None:
        found = face_mask(volume, _networks, chosen.model_run, progress, scan.survey)
        require_face(found, volume)
        found = with_ears(found, scan.survey, ears)
        face = mask_by_model(found, _networks, chosen, kept)
    else:
        scan.survey.check()
        found = with_ears(drawn, scan.survey, ears)
        face = CaseMask(found, FILE, opinion=opinion_of_model(scan, _networks, chosen), ears=chosen.ears, kept=kept)
    outgoing = prepare(scan, face, chosen, progress)
    require_passed(outgoing.checks, overrides, volume.name, strict)
    result = Defaced(
        given.filled(outgoing.stored),
        given.mask(found.astype(np.uint8)),
        volume.geometry.millilitres(int(np.count_nonzero(found))),
        outgoing.checks,
    )
    progress.finish()
    return result


def _form_of(given: object, what: str) -> Form:
    """As ``form_of``, of a path too, whose results are SimpleITK images. Raises: InputError, OutOfMemory."""
    if not isinstance(given, (str, os.PathLike)):
        return form_of(given, what)
    path = os.fspath(given)
    if not isinstance(path, str):
        raise InputError(f"{path!r}: is not text; give the path of a volume file as str or pathlib.Path.")
    if is_dicom(path):
        raise InputError(
            f"{path}: is a folder or a DICOM file; deface DICOM with `cta-deface run`, or in Python with "
            "CTADefaceLib.dicom.deface_study.deface_dicom, which write DICOM files."
        )
    volume = read_volume(path)
    is_plain = (volume.slope, volume.intercept) == (1.0, 0.0)
    return Form(
        volume,
        lambda stored: itk_image(stored if is_plain else volume.to_hu(stored), volume.geometry),
        lambda mask: itk_image(mask, volume.geometry),
    )


def _mask_for(mask: object, image: object, volume: Volume) -> np.ndarray:
    """Bool (k, j, i) from a mask in any of the forms of images. Raises: InputError, MaskError."""
    if isinstance(mask, np.ndarray) and isinstance(image, (tuple, Volume)):
        # In the order of the image's own array.
        mask = mask, volume.geometry
    return mask_on_grid(_form_of(mask, "mask").volume, volume)

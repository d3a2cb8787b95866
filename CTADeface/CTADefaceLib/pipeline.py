"""volume -> segment -> refine -> mask -> fill, over arrays and SimpleITK images alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from . import fill as filling
from .errors import InputError, MaskError, NoFaceError
from .head.locate import locate
from .progress import MODEL_STAGES, Progress
from .segment import models
from .survey import surveyed
from .threads import for_slabs
from .volume import Geometry, Volume, nested, ras_view

# A face without skull or jaw behind it is not one.
LEAST_BONE_MM3 = 10_000.0
# Heads that are turned less are segmented as they lie.
LEAST_TURNED_DEGREES = 50.0


@dataclass(frozen=True)
class Defaced:
    """``volume`` and ``mask`` of the same kind as the input; ``mask_ml`` the mask's volume; ``checks`` a list of ``Check``."""

    volume: object
    mask: object
    mask_ml: float
    checks: list


def face_mask(volume, model=None, device="cpu", mirroring=False, step_size=0.5, progress=None, survey=None):
    """Face mask, bool (k, j, i), of a ``Volume``; all False when there is no face in view.

    Parameters: ``survey``: the finished ``Survey`` of the volume, where there is one already.
    Raises: ``InputError`` (not a CT), ``ModelError``, ``DeviceError``, ``Cancelled``.
    """
    progress = progress or Progress()
    volume.geometry.require_plausible(volume.name, volume.stored.shape[::-1])
    if survey is None:
        progress.enter("read")
        survey = surveyed(volume, models.overview_model(model), progress)
    survey.check()
    progress.enter("load model")
    settings = model, device, mirroring, step_size, progress
    with ThreadPoolExecutor(1) as pool:
        # What needs no network, on the core that waits while it is loaded; the head's frame is for the checks.
        inside = pool.submit(lambda: survey.brain)
        # Only needed at the end: the network, which has a process of its own, does not wait for it.
        frame = pool.submit(lambda: survey.frame)
        mask = _network_mask(volume, survey, inside.result, settings)
        frame = frame.result()
    if frame is None or frame.turned_degrees < LEAST_TURNED_DEGREES:
        return mask
    # SciPy, which Slicer need not wait for when it starts.
    from .face_lines import fits, in_head_axes

    seen = in_head_axes(volume, frame)
    if seen.geometry.ras_order() == volume.geometry.ras_order():
        return mask
    # On its side, prone or feet first: the network knows upright heads.
    survey = surveyed(seen, models.overview_model(model))
    upright = _network_mask(seen, survey, lambda: survey.brain, settings)
    return upright if upright.any() and fits(frame, volume, upright) else mask


def _network_mask(volume, survey, brain, settings):
    """As ``face_mask``, of a head that is upright in the image; ``brain()`` as ``survey.brain``."""
    from .anatomy import BONE_HU
    from .cells import expand
    from .refine import refine
    from .segment.face import predict_face
    from .segment.resample import LOGIT_SCALE

    model, device, mirroring, step_size, progress = settings
    chosen = models.network(model)
    chosen.device(device)
    locator = models.network() if min(chosen.info.spacing) < models.LEAST_FULL_RESOLUTION_MM else None
    progress.enter("segment")
    found = predict_face(volume, chosen, device, locator, mirroring, step_size, progress, survey)
    models.segmented()
    mask = np.zeros(volume.stored.shape, bool)
    if found is None:
        return mask
    progress.enter("refine")
    # A view where stored values are HU: a copy would be the largest array here.
    stored = volume.ras()[found.region]
    stored.flags.writeable = False
    hu = volume.to_hu(stored)
    bone = sum(for_slabs(lambda planes: np.count_nonzero(hu[planes] > BONE_HU), len(hu)))
    if bone * volume.geometry.voxel_mm3() < LEAST_BONE_MM3:
        return mask
    face = refine(hu, found.logits, volume.geometry.ras_spacing(),
                  lambda box: expand(*brain(), nested(found.region, box)), progress, LOGIT_SCALE)
    ras_view(mask, volume.geometry)[found.region] = face
    return mask


def _to_volume(image):
    """``Volume`` of a SimpleITK image, a (array, Geometry) pair or a Volume."""
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


def _like(image, array):
    """``array`` in the form in which ``image`` was given."""
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


def mask_on_grid(mask, volume):
    """Bool (k, j, i) from a mask in any of the input forms; MaskError when it lies on another grid."""
    if isinstance(mask, np.ndarray):
        return mask != 0
    given = _to_volume(mask)
    if given.stored.shape != volume.stored.shape or not given.geometry.matches(volume.geometry):
        raise MaskError(f"{given.name}: the mask's grid (size, spacing, origin or direction) is not that of "
                        f"{volume.name}; make the mask on this volume.")
    return given.as_mask()


def segment_face(image, model=None, device="cpu", mirroring=False, step_size=0.5, progress=None):
    """Face mask of a head CT.

    Parameters: ``image`` a ``SimpleITK.Image`` in HU, or ``(array (k, j, i), Geometry)``; ``model`` a
    model's name or folder (None: the bundled one); ``device`` 'cpu', 'cuda', 'mps' or 'auto'.
    Returns: uint8 mask (1 = face) in the same form and on the same grid; empty when no face is in view.
    Raises: ``InputError``, ``ModelError``, ``DeviceError``, ``Cancelled``.
    """
    volume, progress = _to_volume(image), progress or Progress()
    progress.begin("read", *MODEL_STAGES)
    mask = face_mask(volume, model, device, mirroring, step_size, progress)
    progress.finish()
    return _like(image, mask.astype(np.uint8))


def fill_face(image, mask, fill=filling.DEFAULT_FILL, progress=None):
    """``image`` with ``mask`` filled, in the same form, dtype and grid, unchecked; see the module ``fill``.

    Raises: ``MaskError`` for an empty mask or one on another grid, ``InputError`` for an unknown fill, ``Cancelled``.
    """
    volume, progress = _to_volume(image), progress or Progress()
    progress.begin("fill")
    progress.enter("fill")
    frame = locate(volume) if fill == "levelled" else None
    stored = filling.filled(volume, mask_on_grid(mask, volume), fill, frame=frame)[0]
    progress.finish()
    return _like(image, stored)


def deface(image, mask=None, fill=filling.DEFAULT_FILL, overrides=None, progress=None, second_opinion=True, **options):
    """Segment (unless ``mask`` is given), fill, and check; ``options`` as for ``segment_face``.

    Parameters: ``overrides`` failed check -> the reason why the volume may be had nevertheless; ``second_opinion`` asks the
    model about a ``mask`` that was given, for the checks.
    Returns: ``Defaced`` with volume and mask in the form of ``image``.
    Raises: ``NoFaceError`` when no face is found, ``ChecksFailed``, and what the two steps raise.
    """
    from .checks.check import checked_overrides, require_passed
    from .checks.every import run_checks

    volume = _to_volume(image)
    filling.parse_fill(fill)
    checked_overrides(overrides)
    progress = progress or Progress()
    progress.begin("read", *(MODEL_STAGES if mask is None else ()), "fill", "check")
    progress.enter("read")
    survey = surveyed(volume, models.overview_model(options.get("model")) if mask is None else None)
    if mask is None:
        found = face_mask(volume, progress=progress, **options, survey=survey)
        require_face(found, volume)
    else:
        survey.check()
        found = mask_on_grid(mask, volume)
    progress.enter("fill")
    stored, value = filling.filled(volume, found, fill, survey.histogram, survey.frame)
    progress.enter("check")
    opinion = found
    if mask is not None:
        opinion = face_mask(volume, survey=survey, **options) if second_opinion else None
    checks = run_checks(volume, found, stored, value, survey, opinion)
    require_passed(checks, overrides, volume.name)
    progress.finish()
    return Defaced(_like(image, stored), _like(image, found.astype(np.uint8)), volume.geometry.millilitres(np.count_nonzero(found)), checks)


def require_face(mask, volume):
    """Raise ``NoFaceError`` when ``mask`` is empty."""
    if not mask.any():
        raise NoFaceError(f"{volume.name}: no face found in view, nothing was written; "
                          "check that it is a head CT, or give a mask of your own.")

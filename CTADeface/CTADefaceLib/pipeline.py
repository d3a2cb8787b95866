"""volume -> segment -> refine -> mask -> fill, over arrays and SimpleITK images alike."""

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import fill as filling
from .errors import InputError, MaskError, NoFaceError
from .files.check import check_ct
from .progress import Progress
from .survey import surveyed
from .threads import for_slabs
from .volume import Geometry, Volume, ras_view

LEAST_FULL_RESOLUTION_MM = 2.0
# A face without skull or jaw behind it is not one.
LEAST_BONE_MM3 = 10_000.0


@dataclass(frozen=True)
class Defaced:
    """``volume`` and ``mask`` of the same kind as the input; ``mask_ml`` the mask's volume; ``checks`` a list of ``Check``."""

    volume: object
    mask: object
    mask_ml: float
    checks: list


# A second caller waits for the one that already loads the same model.
_loading = threading.Lock()


@lru_cache(maxsize=2)
def _load(folder, stamp):
    from .model.loader import load_model
    from .model.store import find_model

    return load_model(find_model(folder))


def load_model(name=None):
    """The model called ``name`` (None: the bundled one) or in the folder ``name``, kept in memory."""
    from .model.store import find_model

    info = find_model(name)
    stamps = tuple(path.stat().st_mtime_ns for path in info.checkpoints)
    with _loading:
        return _load(str(info.folder), stamps)


@contextmanager
def _collector_spared():
    """While torch is imported: its modules are a million objects that stay, not to be searched again and again."""
    if "torch" in sys.modules:
        # Freezing again might keep the garbage of earlier cases.
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def preload_model(name=None):
    """Begin to load a model in the background; what goes wrong is raised by the later ``load_model``.

    For a process that ends after its work: what exists after torch's first import is never searched for garbage.
    """

    def load():
        with suppress(Exception), _collector_spared():
            # First: the survey of what was read waits for it, while torch is needed only after that.
            import scipy.ndimage  # noqa: F401

            load_model(name)

    threading.Thread(target=load, daemon=True).start()


def overview_model(name=None):
    """``ModelInfo`` of the model that sees the whole volume: a full-resolution model leaves that to the bundled one."""
    from .model.store import find_model

    info = find_model(name)
    return find_model() if min(info.spacing) < LEAST_FULL_RESOLUTION_MM else info


def face_mask(volume, model=None, device="cpu", mirroring=False, step_size=0.5, progress=None, survey=None):
    """Face mask, bool (k, j, i), of a ``Volume``; all False when there is no face in view.

    Parameters: ``survey``: the finished ``Survey`` of the volume, where there is one already.
    Raises: ``InputError`` (not a CT), ``ModelError``, ``DeviceError``, ``Cancelled``.
    """
    progress = progress or Progress()
    progress.enter("read")
    from .anatomy import BONE_HU, brain
    from .cells import expand
    from .refine import refine

    survey = survey or surveyed(volume, overview_model(model), progress)
    survey.check()
    progress.enter("load model")
    with ThreadPoolExecutor(1) as pool:
        inside = pool.submit(brain, volume)
        from .segment.face import predict_face, resolve_device
        from .segment.resample import LOGIT_SCALE

        resolve_device(device)
        chosen = load_model(model)
        locator = load_model() if min(chosen.info.spacing) < LEAST_FULL_RESOLUTION_MM else None
        progress.enter("segment")
        found = predict_face(volume, chosen, device, locator, mirroring, step_size, progress, survey)
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
    protected = expand(*inside.result(), found.region)
    face = refine(hu, found.logits, volume.geometry.ras_spacing(), protected, progress, LOGIT_SCALE)
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
    volume = _to_volume(image)
    return _like(image, face_mask(volume, model, device, mirroring, step_size, progress).astype(np.uint8))


def fill_face(image, mask, fill=filling.DEFAULT_FILL):
    """``image`` with ``mask`` filled, in the same form, dtype and grid, unchecked; see the module ``fill``.

    Raises: ``MaskError`` for an empty mask or one on another grid, ``InputError`` for an unknown fill.
    """
    volume = _to_volume(image)
    return _like(image, filling.filled(volume, mask_on_grid(mask, volume), fill)[0])


def deface(image, mask=None, fill=filling.DEFAULT_FILL, overrides=None, **options):
    """Segment (unless ``mask`` is given), fill, and check; ``options`` as for ``segment_face``.

    Parameters: ``overrides`` failed check -> the reason why the volume may be had nevertheless.
    Returns: ``Defaced`` with volume and mask in the form of ``image``.
    Raises: ``NoFaceError`` when no face is found, ``ChecksFailed``, and what the two steps raise.
    """
    from .checks.check import checked_overrides, require_passed
    from .checks.every import run_checks

    volume = _to_volume(image)
    filling.parse_fill(fill)
    checked_overrides(overrides)
    if mask is None:
        found = face_mask(volume, **options)
        require_face(found, volume)
    else:
        check_ct(volume)
        found = mask_on_grid(mask, volume)
    progress = options.get("progress") or Progress()
    progress.enter("fill")
    stored, value = filling.filled(volume, found, fill)
    progress.enter("check")
    checks = run_checks(volume, found, stored, value)
    require_passed(checks, overrides, volume.name)
    return Defaced(_like(image, stored), _like(image, found.astype(np.uint8)), volume.geometry.millilitres(np.count_nonzero(found)), checks)


def require_face(mask, volume):
    """Raise ``NoFaceError`` when ``mask`` is empty."""
    if not mask.any():
        raise NoFaceError(f"{volume.name}: no face found in view, nothing was written; "
                          "check that it is a head CT, or give a mask of your own.")

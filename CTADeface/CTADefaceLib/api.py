"""The engine for Python programs, over SimpleITK images and arrays alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cases.options import Options
from .cases.prepare import FILE, fill_scan, mask_by_model, opinion_of_model, prepare, with_ears
from .checks.check import Check, require_passed
from .face.mask import face_mask, require_face
from .face.survey import surveyed
from .filling.fill import DEFAULT_FILL
from .network.host import NetworksHere, overview_model
from .network.model_run import ModelRun
from .progress import MODEL_STAGES, Progress
from .release.outgoing import CaseMask, Scan
from .voxels.images import Image, like, mask_on_grid, to_volume
from .voxels.kept import Keep, kept_of

# Kept between calls, so that each model is loaded once.
_networks = NetworksHere()


@dataclass(frozen=True)
class Defaced:
    """``volume`` and ``mask`` of the same kind as the input; ``mask_ml`` the mask's volume; ``checks`` a list of ``Check``."""

    volume: Image | np.ndarray
    mask: Image | np.ndarray
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
) -> Image | np.ndarray:
    """Face mask of a head CT.

    Parameters: ``image`` a ``SimpleITK.Image`` in HU, or ``(array (k, j, i), Geometry)``; ``model`` a
    model's name or folder (None: the bundled one); ``device`` 'cpu', 'cuda', 'mps' or 'auto'; ``ears``: the
    mask also holds both ears.
    Returns: uint8 mask (1 = face) in the same form and on the same grid; empty when no face is in view.
    Raises: ``InputError``, ``ModelError``, ``DeviceError``, ``Cancelled``.
    """
    volume, progress = to_volume(image), progress or Progress()
    progress.begin("read", *MODEL_STAGES)
    progress.enter("read")
    survey = surveyed(volume, overview_model(model), progress)
    mask = face_mask(volume, _networks, ModelRun(model, device, mirroring, step_size), progress, survey)
    mask = with_ears(mask, survey, ears)
    progress.finish()
    return like(image, mask.astype(np.uint8))


def fill_face(
    image: Image,
    mask: Image | np.ndarray,
    fill: str | float = DEFAULT_FILL,
    progress: Progress | None = None,
    ears: bool = False,
    keep: Keep | None = None,
) -> Image | np.ndarray:
    """``image`` with ``mask`` filled, in the same form, dtype and grid, unchecked; see the module ``filling.fill``.

    Parameters: ``ears``: the mask holds both ears too, which are levelled to the sides; ``keep``: structures whose voxels
    stay as they are, a mask in the forms of ``mask``, a list of masks, or {name: mask}.
    Raises: ``MaskError`` for an empty mask or one on another grid, or where more than half of the mask would be kept;
    ``InputError`` for an unknown fill, ``Cancelled``.
    """
    volume, progress = to_volume(image), progress or Progress()
    progress.begin("fill")
    progress.enter("fill")
    face = CaseMask(mask_on_grid(mask, volume), FILE, ears=ears, kept=kept_of(keep, volume))
    stored = fill_scan(Scan(volume, surveyed(volume)), face, fill)[0]
    progress.finish()
    return like(image, stored)


def deface(
    image: Image,
    mask: Image | np.ndarray | None = None,
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
) -> Defaced:
    """Segment (unless ``mask`` is given), fill, and check.

    Parameters: ``overrides`` failed check -> the reason why the volume is returned nevertheless; ``model``, ``device``,
    ``mirroring`` and ``step_size`` as for ``segment_face``; ``second_opinion``: the checks ask the model about a mask
    that was given; ``ears``: both ears go too, also with a mask, to which they are added; ``keep`` as for ``fill_face``:
    the check ``kept`` says what face is left because of it, and the mask that is returned is whole.
    Returns: ``Defaced`` with volume and mask in the form of ``image``.
    Raises: ``NoFaceError`` when no face is found, ``ChecksFailed``, and what the two steps raise.
    """
    volume, progress = to_volume(image), progress or Progress()
    chosen = Options(
        model,
        device,
        fill,
        second_opinion=second_opinion,
        mirroring=mirroring,
        step_size=step_size,
        override=overrides or {},
        ears=ears,
    )
    chosen.require_sound()
    kept = kept_of(keep, volume)
    progress.begin("read", *(MODEL_STAGES if mask is None else ()), "fill", "check")
    progress.enter("read")
    scan = Scan(volume, surveyed(volume, overview_model(chosen.model) if mask is None else None), seconds=progress.seconds)
    if mask is None:
        found = face_mask(volume, _networks, chosen.model_run, progress, scan.survey)
        require_face(found, volume)
        found = with_ears(found, scan.survey, ears)
        face = mask_by_model(found, _networks, chosen, kept)
    else:
        scan.survey.check()
        found = with_ears(mask_on_grid(mask, volume), scan.survey, ears)
        face = CaseMask(found, FILE, opinion=opinion_of_model(scan, _networks, chosen), ears=chosen.ears, kept=kept)
    outgoing = prepare(scan, face, chosen, progress)
    require_passed(outgoing.checks, overrides, volume.name)
    progress.finish()
    return Defaced(
        like(image, outgoing.stored),
        like(image, found.astype(np.uint8)),
        volume.geometry.millilitres(int(np.count_nonzero(found))),
        outgoing.checks,
    )

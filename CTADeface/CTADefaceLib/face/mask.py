"""From a volume to the mask of its face: the network proposes, the volume's own edges decide."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..errors import NoFaceError
from ..network.host import LEAST_FULL_RESOLUTION_MM, Networks, overview_model
from ..network.model_run import ModelRun
from ..progress import Progress
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume, nested, ras_view
from .survey import Survey, surveyed

# A face without skull or jaw behind it is not one.
LEAST_BONE_MM3 = 10_000.0
# Heads that are turned less are segmented as they lie.
LEAST_TURNED_DEGREES = 50.0


def face_mask(
    volume: Volume,
    networks: Networks,
    run: ModelRun = ModelRun(),
    progress: Progress | None = None,
    survey: Survey | None = None,
) -> np.ndarray:
    """Face mask, bool (k, j, i), of a ``Volume``; all False when there is no face in view.

    Parameters: ``networks`` who holds the models; ``survey``: the finished ``Survey`` of the volume, where there is one.
    Raises: ``InputError`` (not a CT), ``ModelError``, ``DeviceError``, ``Cancelled``.
    """
    progress = progress or Progress()
    volume.geometry.require_plausible(volume.name, volume.stored.shape[::-1])
    if survey is None:
        progress.enter("read")
        survey = surveyed(volume, overview_model(run.model), progress)
    known = survey
    known.check()
    progress.enter("load model")
    with ThreadPoolExecutor(1) as pool:
        # The work that needs no network runs on the core that waits while it is loaded; the checks need the frame too.
        inside = pool.submit(lambda: known.brain)
        # Only needed at the end: the network, which has a process of its own, does not wait for it.
        frame_found = pool.submit(lambda: known.frame)
        mask = _mask_as_it_lies(volume, networks, run, progress, known, inside.result)
        frame = frame_found.result()
    if frame is None or frame.turned_degrees < LEAST_TURNED_DEGREES:
        return mask
    # SciPy, which Slicer need not wait for when it starts.
    from ..head.face_lines import fits, in_head_axes

    seen = in_head_axes(volume, frame)
    if seen.geometry.ras_order() == volume.geometry.ras_order():
        return mask
    # The head lies on its side, prone or feet first, and the network knows upright heads.
    again = surveyed(seen, overview_model(run.model))
    upright = _mask_as_it_lies(seen, networks, run, progress, again, lambda: again.brain)
    return upright if upright.any() and fits(frame, volume, upright) else mask


def _mask_as_it_lies(
    volume: Volume,
    networks: Networks,
    run: ModelRun,
    progress: Progress,
    survey: Survey,
    brain: Callable[[], tuple[np.ndarray, tuple[int, ...]]],
) -> np.ndarray:
    """As ``face_mask``, for a head that is upright in the image; ``brain()`` gives ``survey.brain``."""
    from ..network.resample import LOGIT_SCALE
    from ..voxels.anatomy import BONE_HU
    from ..voxels.cells import expand
    from .locate import predict_face
    from .refine import refine

    chosen = networks.network(run.model)
    chosen.device(run.device)
    locator = networks.network() if min(chosen.info.spacing) < LEAST_FULL_RESOLUTION_MM else None
    progress.enter("segment")
    found = predict_face(volume, chosen, run, locator, progress, survey)
    # Before refining: it needs the memory that the network's process holds.
    networks.volume_done()
    mask = np.zeros(volume.stored.shape, bool)
    if found is None:
        return mask
    progress.enter("refine")
    # ``to_hu`` may return this view itself, which saves a copy that would be the largest array here.
    stored = volume.ras()[found.region]
    stored.flags.writeable = False
    hu = volume.to_hu(stored)
    bone = sum(for_slabs(lambda planes: np.count_nonzero(hu[planes] > BONE_HU), len(hu)))
    if bone * volume.geometry.voxel_mm3() < LEAST_BONE_MM3:
        return mask
    face = refine(
        hu,
        found.logits,
        volume.geometry.ras_spacing(),
        lambda box: expand(*brain(), nested(found.region, box)),
        progress,
        LOGIT_SCALE,
    )
    ras_view(mask, volume.geometry)[found.region] = face
    return mask


def require_face(mask: np.ndarray, volume: Volume) -> None:
    """Raise ``NoFaceError`` when ``mask`` is empty."""
    if not mask.any():
        raise NoFaceError(
            f"{volume.name}: no face found in view, nothing was written; "
            "check that it is a head CT, or give a mask of your own."
        )

"""Where is the face? The network's log-odds of "face" on a region of the volume's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..network.model_grid import BACKGROUND_LOGIT, grid_shape, intensity
from ..network.model_run import ModelRun
from ..network.resample import from_model_grid, to_model_grid
from ..progress import Progress, StageProgress
from ..voxels.morphology import beside, bounding_box, evident_pieces, within
from ..voxels.volume import Volume, nested

if TYPE_CHECKING:
    from ..network.host import RunnableNetwork
    from .survey import Survey

# The region reaches this far beyond the network's face, where the log-odds are above the least: the skin may lie there.
REGION_MARGIN_MM = 12.0
LEAST_LOGIT = -3.0
# A full-resolution model sees this much around the face that the locator found.
CONTEXT_MM = 30.0
LEAST_FACE_ML = 20.0
ISLAND_REACH_MM = 16.0


@dataclass(frozen=True)
class FaceLogits:
    """``logits`` int16 (S, A, R), 256 per unit of log-odds, over ``region`` (slices of the RAS view): face > 0."""

    logits: np.ndarray
    region: tuple[slice, ...]


def predict_face(
    volume: Volume,
    network: RunnableNetwork,
    run: ModelRun = ModelRun(),
    locator: RunnableNetwork | None = None,
    progress: StageProgress | None = None,
    survey: Survey | None = None,
) -> FaceLogits | None:
    """Run ``network`` on the volume and bring its answer to the volume's own grid.

    Parameters: ``volume`` a checked CT; ``network`` and ``locator`` as ``Networks`` give them; with a ``locator``
    (the bundled coarse model) the whole volume is seen by the locator only and ``network`` runs on the
    region that it finds; ``survey``: the ``Survey`` of the volume, where there is one.
    Returns: ``FaceLogits``, or None when there is no face (less than 20 ml).
    """
    progress = progress or Progress().part(0, 1)
    whole = tuple(slice(0, n) for n in volume.ras().shape)
    if locator is None:
        return _logits_in(whole, volume, network, run, progress, survey)
    found = _logits_in(whole, volume, locator, run.of_locator(), progress.part(0, 0.2), survey)
    if found is None:
        return None
    return _logits_in(_with_context(found.region, volume), volume, network, run, progress.part(0.2, 1))


def _with_context(region: tuple[slice, ...], volume: Volume) -> tuple[slice, ...]:
    """``region`` and what a full-resolution model sees around it, as far as the volume reaches."""
    margins = [int(CONTEXT_MM / mm) for mm in volume.geometry.ras_spacing()]
    return tuple(
        slice(max(part.start - margin, 0), min(part.stop + margin, n))
        for part, margin, n in zip(region, margins, volume.ras().shape)
    )


def _logits_in(
    region: tuple[slice, ...],
    volume: Volume,
    network: RunnableNetwork,
    run: ModelRun,
    progress: StageProgress,
    survey: Survey | None = None,
) -> FaceLogits | None:
    """What ``network`` says of a region (three slices of the RAS view); a ``survey`` holds the view of the whole volume."""
    crop, spacing = volume.ras()[region], volume.geometry.ras_spacing()
    data = None if survey is None else survey.seen_by(network.info)
    if data is None:
        shape = grid_shape(crop.shape, spacing, network.info)
        data = to_model_grid(crop, volume.to_hu, shape, intensity(network.info), progress.part(0, 0.4))
    coarse = network.log_odds(data, run.device, run.mirroring, run.step_size, progress.part(0.4, 0.8))
    voxels = [n / m for n, m in zip(crop.shape, coarse.shape)]
    box = _keep_face(coarse, [n * mm for n, mm in zip(voxels, spacing)])
    if box is None:
        return None
    inner = tuple(slice(int(b.start * v), min(int(np.ceil(b.stop * v)), n)) for b, v, n in zip(box, voxels, crop.shape))
    logits = from_model_grid(coarse, crop.shape, inner)
    return FaceLogits(logits, nested(region, inner))


def _keep_face(logits: np.ndarray, voxel_mm: Sequence[float]) -> tuple[slice, ...] | None:
    """Drop pieces far from the face, in place; three slices around all that may be face, None below 20 ml.

    The face is the connected piece of most evidence; pieces within 16 mm of it (a device, the other side of a
    cut field of view) stay. ``voxel_mm`` is the size of a model voxel per axis.
    """
    pieces = evident_pieces(logits, ISLAND_REACH_MM, voxel_mm)
    if pieces is None or pieces[0].sum() * np.prod(voxel_mm) < LEAST_FACE_ML * 1000:
        return None
    keep = pieces[1]
    logits[(logits > 0) & ~keep] = BACKGROUND_LOGIT
    reach = within(keep, REGION_MARGIN_MM, voxel_mm)
    # One voxel more: interpolation between the last one and its neighbour may still exceed the limit.
    likely = reach & (logits > LEAST_LOGIT)
    return bounding_box(likely | beside(likely) & reach)

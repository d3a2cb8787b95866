"""One case prepared for release: fill, checks, and what its record says, whoever asks: shell, batch, DICOM, Slicer, Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import MaskError
from ..face.mask import face_mask
from ..face.survey import Survey
from ..filling.fill import DEFAULT_FILL, fill_value, filled
from ..models.folder import checksum
from ..network.host import Networks
from ..progress import Progress, StageProgress
from ..release.gate import Target, Writer, release
from ..release.outgoing import CaseMask, Outgoing, Scan
from ..voxels.kept import Kept, Structure
from .options import Options
from .result import MODEL, Result

# Sources of a ``CaseMask``.
FILE, SEGMENTATION = "file", "segmentation"


def prepare(
    scan: Scan, face: CaseMask, options: Options, progress: StageProgress | None = None, stored: np.ndarray | None = None
) -> Outgoing:
    """Fill a scan and check the result.

    Parameters: ``stored`` the values (k, j, i) after the fill of ``options``, where it was applied already.
    Raises: MaskError for an empty mask, one on another grid, one that cannot be levelled, or one of which most is kept;
    MissingPackages and DeviceError from the identity check; Cancelled.
    """
    progress = progress or Progress()
    progress.enter("fill")
    if stored is None:
        stored, value = fill_scan(scan, face, options.fill)
    else:
        value = fill_value(scan.volume, options.fill, scan.survey.histogram)
    progress.enter("check")
    outgoing = Outgoing(
        scan, face, np.ascontiguousarray(stored), value, options.fill, options.override, options.by, options.strict
    )
    outgoing.checks  # noqa: B018 - computed here, in the stage of the checks
    if options.identity:
        outgoing.check_identity(progress)
    return outgoing


def fill_scan(scan: Scan, face: CaseMask, fill: str | float) -> tuple[np.ndarray, float | np.generic]:
    """As ``filled``, of a scan and its mask; the head is looked for only where the fill goes by it.

    The structures that are kept have their own voxels, whatever the fill; everything else is as without them.
    Raises: MaskError, also where more than half of the mask would be kept.
    """
    survey, kept = scan.survey, face.kept
    if kept is not None and face.mask.shape == kept.shape and kept.spares_too_much(face.mask):
        raise MaskError(
            f"{kept.largest_in(face.mask).called}: what is to be kept holds more than half of the face mask of "
            f"{scan.volume.name}, so that the face would stay; give the structures alone, not the body's contour or an "
            "inverted mask."
        )
    lines = () if fill != DEFAULT_FILL else (survey.frame, scan.ears_in(face))
    stored, value = filled(scan.volume, face.mask, fill, survey.histogram, *lines)
    if kept is not None:
        kept.restore(stored, scan.volume.stored)
    return stored, value


def release_case(outgoing: Outgoing, target: Target, writer: Writer, result: Result) -> Result:
    """Send a case through the gate; ``result``, which is returned, says what became of it. Raises: as ``release``."""
    result.was_filled(outgoing)
    result.was_released(target.path, outgoing, release(outgoing, target, writer))
    return result


def target_of(options: Options, path: str | Path, mask: Path | None = None) -> Target:
    """``Target`` of a case that goes to ``path``, and its mask, if it is asked for, to ``mask``."""
    return Target(
        Path(path),
        mask,
        options.records,
        options.overwrite,
        options.release,
        report=options.report,
        picture=options.picture,
        thumbnail=options.thumbnail,
    )


def structure_writers(
    face: CaseMask, options: Options, write: Callable[[np.ndarray, Path], None]
) -> tuple[Callable[[Path], None], ...] | None:
    """The ``structures`` of a ``Target``; ``write`` writes a mask, bool (k, j, i), to a staged path."""
    if not options.store_kept:
        return None
    kept = face.kept
    return () if kept is None else tuple(partial(_write_whole, write, one, kept.shape) for one in kept.structures)


def _write_whole(
    write: Callable[[np.ndarray, Path], None], structure: Structure, shape: tuple[int, ...], staged: Path
) -> None:
    write(structure.whole(shape), staged)


def with_ears(mask: np.ndarray, survey: Survey, wanted: bool) -> np.ndarray:
    """``mask``, bool (k, j, i), and, where they are ``wanted``, both ears of the scan; an empty mask stays empty."""
    return survey.ears.added_to(mask) if wanted and mask.any() else mask


def mask_by_model(mask: np.ndarray, networks: Networks, options: Options, kept: Kept | None = None) -> CaseMask:
    """``CaseMask`` of a mask, bool (k, j, i), that a model made with ``options``."""
    return CaseMask(
        mask,
        MODEL,
        model_facts(networks, options.model),
        mask,
        ears=options.ears,
        settings=model_settings(options) | {"device": networks.network(options.model).device(options.device)},
        kept=kept,
    )


def model_settings(options: Options) -> dict:
    """The record's settings for a model's run; the device is added only for a run that took place."""
    return {"device": None, "mirroring": options.mirroring, "step_size": options.step_size}


def model_facts(networks: Networks, name: str | None) -> dict:
    """Name and checksum of a model, for the record."""
    info = networks.network(name).info
    return {"name": info.name, "sha256": checksum(info)}


def opinion_of_model(scan: Scan, networks: Networks, options: Options, progress: Progress | None = None) -> np.ndarray | None:
    """What the model calls face, bool (k, j, i), in a scan whose mask came from elsewhere; None if not asked for."""
    if not options.second_opinion:
        return None
    return face_mask(scan.volume, networks, options.model_run, progress, scan.survey)

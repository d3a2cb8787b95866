"""One input file to its output files, and what is said about it."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from . import fill as filling
from .checks.check import checked_overrides
from .checks.written import written_file
from .errors import ChecksFailed, CTADefaceError
from .files.header_text import text_warning
from .files.journal import recover
from .files.publish import output_paths, place_of, publishing, refuse_existing
from .files.read import read_volume
from .files.write import write_like, write_mask
from .memory import warn_of_memory
from .pipeline import face_mask, mask_on_grid, require_face, with_ears
from .progress import MODEL_STAGES, Progress
from .records.folder import masks_folder, new_mask_path, records_folder, require_no_mask
from .records.record import voxels_sha256
from .release import Outgoing, release
from .segment import models
from .survey import surveyed


@dataclass(frozen=True)
class Options:
    """How a case is run; the same names as the shell's options.

    ``override`` maps failed checks to reasons, ``by`` is who gives them; ``records`` and ``masks`` are folders
    outside of the one that is given away (see ``records.folder``); ``ears``: both ears go too; ``second_opinion`` asks the model about a ``mask``
    that was given, for the checks; ``mask_only`` gives nothing away: the mask then goes to ``masks`` or the folder of
    the results; ``record_names`` puts the files' names into the record; ``naming`` as for ``output_paths``;
    ``release`` is the folder that is given away, when results go to a folder inside of it. ``proposal`` is the file
    of the model's own mask that a person made ``mask`` from, and ``proposed_by`` its model's name and checksum, for
    the record. Of DICOM only: ``series`` (a UID, or the number in the listing) is the one that the mask is made on,
    ``deidentify_headers`` also cleans the headers, ``keep_private`` keeps private elements, which may show the face.
    """

    model: str | None = None
    device: str = "cpu"
    fill: str | float = filling.DEFAULT_FILL
    mask: str | None = None
    mask_only: bool = False
    ears: bool = False
    second_opinion: bool = True
    overwrite: bool = False
    mirroring: bool = False
    step_size: float = 0.5
    override: dict = field(default_factory=dict)
    by: str | None = None
    records: str | None = None
    masks: str | None = None
    report: bool = False
    identity: bool = False
    record_names: bool = False
    naming: str = "plain"
    release: str | None = None
    proposal: str | None = None
    proposed_by: dict | None = None
    series: str | None = None
    deidentify_headers: bool = False
    keep_private: bool = False

    def __post_init__(self):
        if self.keep_private and self.deidentify_headers:
            raise CTADefaceError("--keep-private: --deidentify-headers removes private elements; give one of the two.")


@dataclass
class Result:
    """What became of one input; ``seconds`` in all and by stage, ``fill_hu`` in HU, volumes in ml.

    ``mask`` is the file of the mask that was written, ``given_mask`` the one that was used in place of a model's;
    ``model`` the name of the model that made the mask, or proposed it to a person; None when none did.
    ``status`` is 'defaced', 'mask only', 'blocked' (a check failed: only the hospital's record was written), 'failed',
    or 'not defaced' (a series of a DICOM study that is none to deface, for the ``reason``; nothing of it was written).
    ``series`` is its number in the listing.
    """

    input: str
    status: str = "failed"
    defaced: str | None = None
    mask: str | None = None
    given_mask: str | None = None
    model: str | None = None
    device: str | None = None
    fill: str | None = None
    fill_hu: float | None = None
    mask_ml: float | None = None
    checks: list = field(default_factory=list)
    record: str | None = None
    report: str | None = None
    seconds: float = 0.0
    stages: dict = field(default_factory=dict)
    error: str | None = None
    series: int | None = None
    reason: str | None = None

    def note(self, error):
        """Take over what a ``CTADefaceError`` says; of ``ChecksFailed`` also its checks, record and mask."""
        self.error = str(error)
        if isinstance(error, ChecksFailed):
            self.status, self.checks = "blocked", [check.as_dict() for check in error.every]
            self.record, self.mask = (str(path) if path else None for path in (error.record, error.mask))

    def was_released(self, path, released):
        """Take over that ``path`` was released, and the paths of ``Released``."""
        self.status, self.defaced, self.record = "defaced", str(path), str(released.record)
        self.report, self.error = released.report and str(released.report), released.problem

    def as_dict(self):
        return asdict(self)


def deface_file(path, folder, options=Options(), progress=None, warn=lambda text: None):
    """Deface one volume file into ``folder``.

    Parameters: ``warn`` is called with each one-sentence warning.
    Returns: ``Result``. Raises: every ``CTADefaceError``; then nothing was written, but for ``ChecksFailed`` a record
    and the mask in the folder of records.
    """
    started = time.monotonic()
    progress = progress or Progress()
    require_sound(options)
    recover(_place(path, folder, options))
    # Only now: a mask that a killed run has left must not take a name from this one.
    wanted = _wanted(path, folder, options)
    refuse_existing(wanted, options.overwrite)
    progress.begin(*_stages(options))
    progress.enter("read")
    volume = _read(path, options, lambda volume: warn_of_memory(volume, warn))
    warning = text_warning(path, volume.source)
    if warning:
        warn(warning)
    with ThreadPoolExecutor(1) as pool:
        # While Python imports, which uses one core.
        before = None if options.mask_only else pool.submit(voxels_sha256, volume.stored)
        survey = _survey(volume, options, progress)
        mask = _find_mask(volume, options, progress, survey)
    result = Result(str(path), given_mask=options.mask and str(options.mask), model=model_name(options),
                    device=device_name(options))
    result.mask_ml = round(volume.geometry.millilitres(np.count_nonzero(mask)), 2)
    result.mask = str(wanted[-1])
    if options.mask_only:
        progress.enter("write")
        with publishing(wanted, options.overwrite, options.release) as staged:
            write_mask(volume, mask, staged[0], progress.part(0, 1))
        result.status = "mask only"
    else:
        _release(volume, mask, wanted, options, progress, result, survey, before)
    progress.finish()
    result.stages = {stage: round(s, 3) for stage, s in progress.seconds.items()}
    result.seconds = round(time.monotonic() - started, 3)
    return result


def require_sound(options):
    """Raise what is wrong with ``Options``, or missing for them, before anything is done."""
    filling.parse_fill(options.fill)
    checked_overrides(options.override)
    if options.report:
        from .records.report import need_pictures

        need_pictures()


def _stages(options):
    found = MODEL_STAGES if options.mask is None else ()
    if options.mask_only:
        return "read", *found, "write"
    return "read", *found, "fill", "check", *(["identity"] if options.identity else []), "write"


def failure(path, error):
    """The ``Result`` of a case that ended with an exception, so that it does not stop the others."""
    result = Result(str(path))
    if isinstance(error, CTADefaceError):
        result.note(error)
    elif isinstance(error, MemoryError):
        result.error = f"{path}: not enough memory; close other programs or crop it to the head."
    else:
        # A fault of ours is named, not hidden.
        result.error = f"{path}: unexpected {type(error).__name__}: {error}; please report it."
    return result


def _wanted(path, folder, options):
    """Paths to write: [defaced, mask], or [mask]."""
    defaced, mask = output_paths(path, folder, options.naming)
    if options.mask_only:
        return [mask if options.masks is None else Path(options.masks) / mask.name]
    # Said before an hour of computing, not after it.
    release = options.release or defaced.parent
    records_folder(release, options.records)
    masks = masks_folder(release, options.masks, options.records)
    require_no_mask(mask)
    if options.masks is None and not options.overwrite:
        return [defaced, new_mask_path(masks, mask.name)]
    return [defaced, masks / mask.name]


def _place(path, folder, options):
    """The folder that holds what is unfinished."""
    if options.mask_only:
        return place_of(_wanted(path, folder, options), options.release)
    return records_folder(options.release or folder, options.records)


def model_name(options):
    """Name of the model that made the mask, or proposed it to a person; None when that is not known."""
    if options.mask is None:
        return models.network(options.model).info.name
    return (options.proposed_by or {}).get("name")


def device_name(options):
    """The device that the model runs on, None where a mask was given."""
    if options.mask is not None:
        return None
    return models.network(options.model).device(options.device)


def _read(path, options, begun):
    if options.mask is not None:
        return read_volume(path, begun=begun)
    # Python's imports and zlib's decompression use a core each.
    return read_volume(path, lambda: models.begin(options.model), begun)


def _survey(volume, options, progress):
    info = None
    if options.mask is None:
        with suppress(CTADefaceError):  # raised by network, after what is wrong with the input
            info = models.overview_model(options.model)
    return surveyed(volume, info, progress)


def _find_mask(volume, options, progress, survey):
    if options.mask is None:
        mask = face_mask(volume, options.model, options.device, options.mirroring, options.step_size, progress, survey,
                         options.ears)
        require_face(mask, volume)
        return mask
    survey.check()
    return with_ears(mask_on_grid(read_volume(options.mask), volume), survey, options.ears)


def _release(volume, mask, wanted, options, progress, result, survey, before):
    progress.enter("fill")
    ears = survey.ears if options.ears else None
    stored, value = filling.filled(volume, mask, options.fill, survey.histogram, survey.frame, ears)
    result.fill, result.fill_hu = str(options.fill), round(float(value) * volume.slope + volume.intercept, 2)
    progress.enter("check")
    model, proposal = _proposed(volume, mask, options)
    outgoing = Outgoing(
        volume, mask, stored, value, settings_of(options, result), model, proposal, options.override, options.by,
        seconds=progress.seconds, before=before, survey=survey, ears=ears,
        opinion=second_opinion(volume, options, survey) if proposal is None else None,
        names={"input": Path(result.input).name, "defaced": wanted[0].name} if options.record_names else None)
    checks = outgoing.checks
    if options.identity:
        outgoing.check_identity(progress)
    progress.enter("write")
    released = release(outgoing, wanted[0], lambda staged: write_like(volume, stored, staged, progress.part(0, 0.7)),
                       lambda staged: written_file(staged, volume, stored), wanted[1],
                       lambda staged: write_mask(volume, mask, staged), options.records, options.overwrite,
                       options.release, report=options.report)
    result.checks = [check.as_dict() for check in checks]
    result.was_released(wanted[0], released)


def _proposed(volume, mask, options):
    """(facts of the model, the mask that it proposed), as far as they are known of a given mask."""
    if options.mask is None:
        return model_facts(options.model), mask
    if options.proposal is None:
        return None, None
    return options.proposed_by, mask_on_grid(read_volume(options.proposal), volume)


def second_opinion(volume, options, survey):
    """What the model calls face, bool (k, j, i), in a ``Volume`` whose mask came from elsewhere; None if not asked for."""
    if not options.second_opinion:
        return None
    return face_mask(volume, options.model, options.device, options.mirroring, options.step_size, None, survey)


def settings_of(options, result):
    """The record's settings of a ``Result``."""
    return {"fill": options.fill, "fill_hu": result.fill_hu, "device": result.device,
            "mirroring": options.mirroring, "step_size": options.step_size,
            "mask": "model" if options.mask is None else "file", "ears": options.ears}


def model_facts(name):
    """Name and checksum of a model, for the record."""
    from .model.folder import checksum

    info = models.network(name).info
    return {"name": info.name, "sha256": checksum(info)}

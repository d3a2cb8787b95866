"""A DICOM study to defaced series: one mask, each series through its own gate."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import fill as filling
from ..case import Result, device_name, model_facts, model_name, settings_of
from ..checks.check import checked_overrides
from ..checks.written import written_file
from ..errors import Cancelled, ChecksFailed, CTADefaceError, InputError, MaskError, NoFaceError
from ..files.publish import publishing, refuse_existing
from ..files.read import read_volume
from ..files.write import write_mask_new
from ..memory import memory_warning
from ..pipeline import face_mask, mask_millilitres, preload_model, require_face
from ..progress import Progress
from ..records.folder import records_folder, require_outside
from ..release import Outgoing, release
from .deidentify import BasicProfile
from .folders import MASK_EXTENSION, mask_path, refuse_nested, series_folder
from .grid import mask_on_stack, shows_more, upright
from .packages import no_values_in_warnings
from .patch import write_defaced
from .read import read_stack, volume_of
from .series import find_series
from .stack import stack_of
from .study import plan_study, redraw_warning, why_left_out
from .uids import NewUids

HEADERS_KEPT = ("DICOM headers are kept and still carry the patient's identity; --deidentify-headers cleans them, "
                "or use your own tool.")


@dataclass
class Face:
    """A mask and the grid it lies on; ``volume`` is that of the ``chosen`` series, already read; ``model`` or None."""

    mask: np.ndarray
    geometry: object
    chosen: object
    volume: object
    from_model: bool


@no_values_in_warnings()
def deface_dicom(source, folder, options, progress=None, warn=lambda text: None, mask=None):
    """Deface the CT series of a folder, a file or a list of files that share one frame of reference.

    Parameters: ``folder`` the release folder: each series becomes a folder "series_NN" in it; masks and records go into
    the hospital's folder; ``options`` ``Options``; ``warn`` is called with each one-sentence warning; ``mask``: bool
    (k, j, i) and its ``Geometry``, in place of a model or ``options.mask``.
    Returns: one ``Result`` per series of the source, those that were not defaced included, with the reason.
    Raises: CTADefaceError when nothing at all could be done.
    """
    progress = progress or Progress()
    filling.parse_fill(options.fill)
    checked_overrides(options.override)
    hospital = _hospital_folder(source, folder, options)
    progress.enter("read")
    mask = _read_mask(options.mask) if options.mask is not None else mask
    if mask is None:
        preload_model(options.model)
    series = find_series(source, progress.part(0, 0.3)).series
    plan = plan_study(series, options.series)
    _say_first(series, options, warn)
    uids = NewUids()
    clean_headers = BasicProfile(uids) if options.deidentify_headers else None
    face = _find_face(plan, mask, options, progress, warn)
    run = Run(Path(folder), hospital, options, progress, warn, uids, clean_headers, face, plan)
    progress.enter("write")
    # The one that the mask was made on first: its voxels are in memory already.
    order = sorted(series, key=lambda s: s.number != run.face.chosen.number)
    results = {one.number: run.deface(one, progress.part(n / len(order), (n + 1) / len(order)))
               for n, one in enumerate(order)}
    progress.finish()
    return [results[one.number] for one in series]


def _hospital_folder(source, folder, options):
    """Folder of masks and records, outside of the release folder and of the originals."""
    hospital = records_folder(folder, options.records)
    if options.masks is not None and not options.mask_only:
        require_outside(options.masks, folder, "Masks")
    refuse_nested(source, [folder, hospital, options.masks])
    return hospital


def _say_first(series, options, warn):
    if not options.deidentify_headers and not options.mask_only:
        warn(HEADERS_KEPT)
    warning = redraw_warning(series)
    if warning:
        warn(warning)


def _find_face(plan, given, options, progress, warn):
    """The ``Face`` of a given mask, or of the first candidate in which the model finds one."""
    for chosen in plan.candidates:
        stack = plan.stacks[chosen.number]
        volume = read_stack(stack, chosen.label, progress.part(0.3, 0.9))
        warning = memory_warning(volume)
        if warning:
            warn(warning)
        if given is not None:
            return _given_face(*given, chosen, volume, stack)
        seen = volume if stack.upright else upright(volume, stack)
        mask = face_mask(seen, options.model, options.device, options.mirroring, options.step_size, progress)
        if mask.any():
            return Face(mask, seen.geometry, chosen, volume, True)
    if len(plan.candidates) > 1:
        raise NoFaceError(f"No face found in any of {len(plan.candidates)} CT series, nothing was written; "
                          "check that it is a head CT, or give a mask of your own.")
    require_face(mask, volume)


def _read_mask(path):
    given = read_volume(path)
    return given.stored != 0, given.geometry


def _given_face(mask, geometry, chosen, volume, stack):
    if not mask_on_stack(mask, geometry, stack).any():
        raise MaskError(f"The mask is empty or does not lie in {chosen.label}; make it on this series.")
    return Face(mask, geometry, chosen, volume, False)


@dataclass
class Run:
    """What the series of one run share."""

    folder: Path
    hospital: Path
    options: object
    progress: object
    warn: object
    uids: NewUids
    clean_headers: object
    face: Face
    plan: object

    def deface(self, series, progress):
        """``Result`` of one series; what goes wrong with it is in there and stops no other."""
        started = time.monotonic()
        result = Result(f"series {series.number} ({series.kind})", series=series.number)
        reason = why_left_out(series, self.face.chosen, self.plan)
        if reason:
            result.status, result.reason = "not defaced", reason
            return result
        try:
            if series.number in self.plan.problems:
                raise InputError(self.plan.problems[series.number])
            self._deface(series, result, progress)
        except Cancelled:
            raise
        except ChecksFailed as error:
            result.status, result.error = "blocked", str(error)
            result.checks = [check.as_dict() for check in error.every]
            result.record, result.mask = (str(path) if path else None for path in (error.record, error.mask))
        except CTADefaceError as error:
            result.error = str(error)
        result.seconds = round(time.monotonic() - started, 3)
        return result

    def _deface(self, series, result, progress):
        target = series_folder(self.folder, series)
        masks = self.folder if self.options.mask_only else self.hospital
        masks = Path(self.options.masks) if self.options.masks else masks
        # A blocked run has left its mask there for the person who corrects it.
        mask_file = mask_path(masks, series, free=masks == self.hospital and not self.options.overwrite)
        refuse_existing([mask_file] if self.options.mask_only else [mask_file, target], self.options.overwrite)
        stack = self.plan.stacks[series.number]
        volume, mask = self._mask(series, stack, progress.part(0, 0.3))
        if not mask.any():
            result.status, result.reason = "not defaced", "the face does not reach into this series"
            return
        if series.number != self.face.chosen.number and shows_more(stack, self.face.mask, self.face.geometry):
            raise MaskError(f"{series.label}: shows more of the face than {self.face.chosen.label}, on which the mask "
                            f"was made; run again with --series {series.number}.")
        if self.face.from_model:
            result.model, result.device = model_name(self.options), device_name(self.options)
        else:
            result.model = self.options.mask or "a given mask"
        result.mask_ml, result.mask = round(mask_millilitres(mask, volume.geometry), 2), str(mask_file)
        if self.options.mask_only:
            with publishing([mask_file], self.options.overwrite) as staged:
                write_mask_new(mask, volume.geometry, staged[0])
            result.status = "mask only"
            return
        self._release(series, stack, volume, mask, target, mask_file, result, progress)

    def _mask(self, series, stack, progress):
        """(``Volume``, mask on its own grid) of a series."""
        face = self.face
        chosen = series.number == face.chosen.number
        volume = face.volume if chosen else read_stack(stack, series.label, progress)
        if chosen:
            face.volume = None
        if chosen and face.mask.shape == volume.stored.shape and face.geometry.matches(volume.geometry):
            return volume, face.mask
        return volume, mask_on_stack(face.mask, face.geometry, stack)

    def _release(self, series, stack, volume, mask, target, mask_file, result, progress):
        options = self.options
        stored, value = filling.filled(volume, mask, options.fill)
        hu = float(value) * volume.slope + volume.intercept
        result.fill, result.fill_hu = str(options.fill), round(hu, 2)
        changed = stored != volume.stored
        outgoing = self._outgoing(series, volume, mask, stored, value, result)
        if options.identity:
            outgoing.check_identity(Progress())
        meant = []

        def write(staged):
            staged.mkdir()
            meant.append(write_defaced(stack, changed, hu, staged, self.uids, self.clean_headers,
                                       progress.part(0.5, 0.8)))

        def verify(staged):
            expected = volume_of(stack, meant.pop(), volume.name)
            return written_file(staged, expected, expected.stored, lambda path: read_back(
                path, volume.name, progress.part(0.8, 1)))

        record = release(outgoing, target, write, verify, mask_file,
                         lambda staged: write_mask_new(mask, volume.geometry, staged), self.hospital, options.overwrite,
                         MASK_EXTENSION)
        result.status, result.defaced, result.record = "defaced", str(target), str(record)
        result.checks = [check.as_dict() for check in outgoing.checks]
        if options.report:
            from ..records.report import write_report

            result.report = str(write_report(outgoing, record))

    def _outgoing(self, series, volume, mask, stored, value, result):
        options, own = self.options, series.number == self.face.chosen.number
        settings = settings_of(options, result) | {"headers_deidentified": options.deidentify_headers}
        settings["mask"] = ("model" if self.face.from_model else "given") + ("" if own else ", of another series")
        return Outgoing(
            volume, mask, stored, value, settings, model_facts(options.model) if self.face.from_model else None,
            proposal=mask if self.face.from_model else None, overrides=options.override, by=options.by,
            seconds=dict(self.progress.seconds),
            names={"input": series.label, "defaced": series_folder(self.folder, series).name}
            if options.record_names else None)


def read_back(path, name, progress=None):
    """``Volume`` of the one series in a folder, read from its files alone. Raises: InputError."""
    found = find_series(path).series
    if len(found) != 1:
        raise InputError(f"{path}: holds {len(found)} series instead of one.")
    return read_stack(stack_of(found[0]), name, progress)

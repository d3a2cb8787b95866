"""The series of a study, one after the other: mask, fill, gate, files, and what is said about each."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import fill as filling
from ..case import Result, device_name, failure, second_opinion, settings_of
from ..checks.written import written_file
from ..errors import Cancelled, CTADefaceError, InputError, MaskError
from ..files.publish import publishing, refuse_existing
from ..files.read import count_different
from ..files.write import write_mask_new
from ..release import Outgoing, release
from ..survey import surveyed
from .folders import MASK_EXTENSION, mask_path, series_folder
from .grid import mask_on_stack, shows_more
from .headers import methods
from .patch import write_defaced
from .read import read_stack, volume_of
from .series import find_series
from .stack import stack_of
from .study import why_left_out
from .uids import NewUids


@dataclass
class PersonsMask:
    """A mask, bool (k, rows, columns) on a series' slices; if a model proposed it first, ``proposal``, the
    ``model``'s name and checksum, and ``how`` it ran (device, mirroring, step size), for the record's settings."""

    mask: np.ndarray
    proposal: np.ndarray | None = None
    model: dict | None = None
    how: dict = field(default_factory=dict)


@dataclass
class Face:
    """A mask and the grid it lies on; ``volume`` is that of the ``chosen`` series, already read.

    ``source`` 'model', 'file' or 'segmentation' (a person's); ``own`` the mask on the very slices of the chosen series,
    where that is known; ``proposal``, ``model`` and ``how`` as of ``PersonsMask``; ``survey`` the ``Survey`` of ``volume``,
    if any.
    """

    mask: np.ndarray
    geometry: object
    chosen: object
    volume: object
    source: str
    own: np.ndarray | None = None
    proposal: np.ndarray | None = None
    model: dict | None = None
    how: dict = field(default_factory=dict)
    survey: object = None


@dataclass
class Run:
    """What the series of one run share."""

    folder: Path
    hospital: Path
    options: object
    progress: object
    uids: NewUids
    clean_headers: object
    face: Face
    plan: object
    publication: object

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
        except CTADefaceError as error:
            result.note(error)
        except Exception as error:
            # It must not keep back the other series.
            result.error = failure(result.input, error).error
        result.seconds = round(time.monotonic() - started, 3)
        return result

    def _deface(self, series, result, progress):
        target = series_folder(self.folder, series)
        masks = Path(self.options.masks or (self.folder if self.options.mask_only else self.hospital))
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
        result.given_mask = self.options.mask and str(self.options.mask)
        result.model = (self.face.model or {}).get("name")
        result.device = device_name(self.options) if self.face.source == "model" else None
        result.mask_ml, result.mask = round(volume.geometry.millilitres(np.count_nonzero(mask)), 2), str(mask_file)
        if self.options.mask_only:
            with publishing([mask_file], self.options.overwrite, into=self.publication) as staged:
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
        if chosen and face.own is not None:
            return volume, face.own
        return volume, mask_on_stack(face.mask, face.geometry, stack)

    def _release(self, series, stack, volume, mask, target, mask_file, result, progress):
        options = self.options
        chosen = series.number == self.face.chosen.number
        survey = self.face.survey if chosen and self.face.survey else surveyed(volume)
        self.face.survey = None
        ears = survey.ears if options.ears else None
        if ears is not None and self.face.source != "segmentation":
            # A person's mask has what that person wants; here those of this series' own voxels are added.
            mask = ears.added_to(mask)
            result.mask_ml = round(volume.geometry.millilitres(np.count_nonzero(mask)), 2)
        stored, value = filling.filled(volume, mask, options.fill, survey.histogram, survey.frame, ears)
        hu = float(value) * volume.slope + volume.intercept
        result.fill, result.fill_hu = str(options.fill), round(hu, 2)
        changed = stored != volume.stored
        outgoing = self._outgoing(series, volume, mask, stored, value, result, survey, ears)
        if options.identity:
            outgoing.check_identity(progress.part(0.3, 0.5))
        meant = []

        def write(staged):
            staged.mkdir()
            meant.append(write_defaced(stack, changed, hu, staged, self.uids, self.clean_headers,
                                       progress.part(0.5, 0.8), options.keep_private))

        def verify(staged):
            expected = volume_of(stack, meant.pop(), volume.name)
            return written_file(staged, expected, expected.stored,
                                lambda path, stored: compare_series(path, stored, progress.part(0.8, 1)))

        released = release(outgoing, target, write, verify, mask_file,
                           lambda staged: write_mask_new(mask, volume.geometry, staged), self.hospital, options.overwrite,
                           options.release, MASK_EXTENSION, options.report, self.publication)
        result.checks = [check.as_dict() for check in outgoing.checks]
        result.was_released(target, released)

    def _outgoing(self, series, volume, mask, stored, value, result, survey, ears):
        options, own = self.options, series.number == self.face.chosen.number
        source = self.face.source if own else self.face.source + ", of another series"
        settings = settings_of(options, result) | self.face.how | {
            "headers_deidentified": options.deidentify_headers, "private_kept": options.keep_private, "mask": source,
            "methods": methods(options.keep_private, self.clean_headers and self.clean_headers.method)}
        # What the model proposed, nobody has edited; how a person did is known of that person's series only.
        proposal = mask if self.face.source == "model" else self.face.proposal if own else None
        return Outgoing(
            volume, mask, stored, value, settings, self.face.model, proposal, options.override, options.by,
            seconds=dict(self.progress.seconds), survey=survey, ears=ears,
            opinion=second_opinion(volume, options, survey) if self.face.source == "file" else None,
            names={"input": series.label, "defaced": series_folder(self.folder, series).name}
            if options.record_names else None)


def compare_series(path, stored, progress=None):
    """As ``compare_file``, of the one series in a folder, read from its files alone. Raises: InputError."""
    found = find_series(path).series
    if len(found) != 1:
        raise InputError(f"{path}: holds {len(found)} series instead of one.")
    volume = read_stack(stack_of(found[0]), path.name, progress)
    return volume, count_different(volume.stored, stored)

"""The series of a study, one after the other: mask, fill, gate, files, and the ``Result`` of each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..cases.options import Options
from ..cases.prepare import (
    SEGMENTATION,
    mask_by_model,
    model_settings,
    opinion_of_model,
    prepare,
    release_case,
    structure_writers,
    target_of,
    with_ears,
)
from ..cases.result import MODEL, Result, failure
from ..checks.check import Check
from ..checks.written import written_file
from ..errors import Cancelled, CTADefaceError, InputError, MaskError
from ..face.survey import Survey, surveyed
from ..files.publish import publishing, refuse_existing
from ..files.read import count_different
from ..files.storage.journal import Publication
from ..files.write import write_mask_new
from ..network.host import Networks
from ..progress import Progress, StageProgress
from ..release.outgoing import CaseMask, Outgoing, Scan
from ..voxels.kept import Structure
from ..voxels.volume import Geometry, Volume
from .folders import MASK_EXTENSION, mask_path, series_folder
from .headers.defacing_marks import methods
from .headers.deidentify import BasicProfile
from .headers.uids import NewUids
from .kept_structures import GivenStructure, kept_on_stack
from .mask_seg import seg_path, write_mask_seg
from .patch import HeaderRules, write_defaced
from .reading.grid import mask_on_stack, shows_more
from .reading.read_series import read_stack, volume_of
from .reading.series import Series, find_series
from .reading.stack import Stack, stack_of
from .study import Plan, why_left_out


@dataclass
class PersonsMask:
    """A mask, bool (k, rows, columns) on a series' slices.

    If a model proposed it first: its ``proposal``, the ``model``'s name and checksum, and ``how`` it was run (device,
    mirroring, step size), for the record's settings. ``kept``: structures on the same slices that are not filled.
    """

    mask: np.ndarray
    proposal: np.ndarray | None = None
    model: dict | None = None
    how: dict = field(default_factory=dict)
    kept: Sequence[Structure] = ()


@dataclass
class Face:
    """A mask and the grid it lies on; ``volume`` is that of the ``chosen`` series, already read.

    ``source`` 'model', 'file' or 'segmentation' (a person's); ``own`` the mask on the very slices of the chosen series,
    where that is known; ``proposal``, ``model`` and ``how`` as in ``PersonsMask``; ``survey`` the ``Survey`` of ``volume``,
    if any; ``kept`` the structures that are not filled.
    """

    mask: np.ndarray
    geometry: Geometry
    chosen: Series
    volume: Volume | None
    source: str
    own: np.ndarray | None = None
    proposal: np.ndarray | None = None
    model: dict | None = None
    how: dict = field(default_factory=dict)
    survey: Survey | None = None
    kept: Sequence[GivenStructure] = ()


@dataclass
class Run:
    """What the series of one run share."""

    folder: Path
    hospital: Path
    options: Options
    networks: Networks
    progress: Progress
    uids: NewUids
    clean_headers: BasicProfile | None
    face: Face
    plan: Plan
    publication: Publication

    def deface(self, series: Series, progress: StageProgress) -> Result:
        """``Result`` of one series, which also tells what went wrong, so that no error stops the other series."""
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
            # A fault in one series must not stop the others.
            wrong = failure(result.input, error)
            result.error, result.fault = wrong.error, wrong.fault
        result.seconds = round(time.monotonic() - started, 3)
        return result

    def _deface(self, series: Series, result: Result, progress: StageProgress) -> None:
        target = series_folder(self.folder, series)
        masks = Path(self.options.masks or (self.folder if self.options.mask_only else self.hospital))
        # A blocked run has left its mask there, for the person who corrects it.
        mask_file = mask_path(masks, series, free=masks == self.hospital and not self.options.overwrite)
        # One of an earlier mask must not stay beside a new mask.
        seg_file = seg_path(mask_file) if self.options.mask_seg or seg_path(mask_file).exists() else None
        masks_of_it = [path for path in (mask_file, seg_file) if path]
        refuse_existing(masks_of_it if self.options.mask_only else [*masks_of_it, target], self.options.overwrite)
        stack = self.plan.stacks[series.number]
        volume, mask = self._mask(series, stack, progress.part(0, 0.3))
        if not mask.any():
            result.status, result.reason = "not defaced", "the face does not reach into this series"
            return
        if series.number != self.face.chosen.number and shows_more(stack, self.face.mask, self.face.geometry):
            raise MaskError(
                f"{series.label}: shows more of the face than {self.face.chosen.label}, on which the mask "
                f"was made; run again with --series {series.number}."
            )
        survey = self._survey(series, volume)
        if self.face.source != SEGMENTATION:
            # A person's mask holds what that person wants; here the ears of this series' own voxels are added.
            mask = with_ears(mask, survey, self.options.ears)
        result.given_mask, result.mask = self.options.mask and str(self.options.mask), str(mask_file)
        if self.options.mask_only:
            made = CaseMask(mask, self.face.source, self.face.model)
            result.has_mask(volume, made)
            with publishing(masks_of_it, self.options.overwrite, into=self.publication) as staged:
                write_mask_new(mask, volume.geometry, staged[0])
                if seg_file:
                    write_mask_seg(stack, made, staged[1])
            result.status, result.mask_seg = "mask only", str(seg_file) if seg_file else None
            return
        scan = self._scan(series, volume, survey)
        kept = kept_on_stack(self.face.kept, stack, series.number == self.face.chosen.number)
        face = replace(self._case_mask(series, scan, mask), kept=kept)
        result.has_mask(volume, face)
        outgoing = prepare(scan, face, self.options, progress.part(0.3, 0.5))
        writer = SeriesWriter(self, outgoing, stack, progress)
        aim = replace(
            target_of(self.options, target, mask_file),
            structures=structure_writers(face, self.options, writer.write_on_grid),
            records=self.hospital,
            mask_extension=MASK_EXTENSION,
            into=self.publication,
            also=((seg_file, lambda staged: write_mask_seg(stack, face, staged)),) if seg_file else (),
        )
        result.mask_seg = str(seg_file) if seg_file else None
        release_case(outgoing, aim, writer, result)

    def _mask(self, series: Series, stack: Stack, progress: StageProgress) -> tuple[Volume, np.ndarray]:
        """(``Volume``, mask on its own grid) of a series."""
        face = self.face
        chosen = series.number == face.chosen.number
        if chosen and face.volume is not None:
            # Once used, its memory is free for the other series.
            volume, face.volume = face.volume, None
        else:
            volume = read_stack(stack, series.label, progress)
        if chosen and face.own is not None:
            return volume, face.own
        return volume, mask_on_stack(face.mask, face.geometry, stack)

    def _survey(self, series: Series, volume: Volume) -> Survey:
        survey = self.face.survey if series.number == self.face.chosen.number else None
        self.face.survey = None
        return survey or surveyed(volume)

    def _scan(self, series: Series, volume: Volume, survey: Survey) -> Scan:
        names = {"input": series.label, "defaced": series_folder(self.folder, series).name}
        return Scan(volume, survey, names=names if self.options.record_names else None, seconds=dict(self.progress.seconds))

    def _case_mask(self, series: Series, scan: Scan, mask: np.ndarray) -> CaseMask:
        face, options, own = self.face, self.options, series.number == self.face.chosen.number
        settings = (
            model_settings(options)
            | face.how
            | {
                "headers_deidentified": options.deidentify_headers,
                "private_kept": options.keep_private,
                "methods": methods(options.keep_private, self.clean_headers),
            }
            | ({} if self.clean_headers is None else {"pseudonyms": "keyed", "dates_moved": self.clean_headers.moves_dates})
        )
        source = face.source if own else face.source + ", of another series"
        if face.source == MODEL:
            # Nobody has edited what the model proposed.
            made = mask_by_model(mask, self.networks, options)
            return replace(made, source=source, settings=settings | {"device": made.settings["device"]})
        # How a person edited a mask is known of that person's series only.
        return CaseMask(
            mask,
            source,
            face.model,
            face.proposal if own else None,
            opinion_of_model(scan, self.networks, options) if face.model is None else None,
            settings,
            options.ears,
        )


@dataclass
class SeriesWriter:
    """Writes the original files of a series, with the face filled in them, as a new series."""

    run: Run
    outgoing: Outgoing
    stack: Stack
    progress: StageProgress

    def write(self, staged: Path) -> None:
        staged.mkdir()
        changed = self.outgoing.stored != self.outgoing.volume.stored
        planes = write_defaced(
            self.stack,
            changed,
            self.outgoing.fill_hu,
            staged,
            HeaderRules(self.run.uids, self.run.clean_headers, self.run.options.keep_private, self.outgoing.is_face_gone),
            self.progress.part(0.5, 0.8),
        )
        self._meant = volume_of(self.stack, planes, self.outgoing.volume.name)
        self._require_checked(changed)
        if not self.stack.uniform:
            # Each file has rounded the fill in its own slope; the record's hash is that of the files.
            self.outgoing.stored = self._meant.stored

    def _require_checked(self, changed: np.ndarray) -> None:
        """Raise ``InputError`` unless what was written is what was checked: the files are read anew to be written."""
        volume = self.outgoing.volume
        for now, before, filled in zip(self._meant.stored, volume.stored, changed):
            if (now != before)[~filled].any():
                raise InputError(f"{volume.name}: its files changed while they were defaced; run again when all are there.")

    def verify(self, staged: Path) -> Check:
        return written_file(
            staged,
            self._meant,
            self._meant.stored,
            lambda path, stored: compare_series(path, stored, self.progress.part(0.8, 1)),
        )

    def write_mask(self, staged: Path) -> None:
        self.write_on_grid(self.outgoing.mask, staged)

    def write_on_grid(self, mask: np.ndarray, staged: Path) -> None:
        write_mask_new(mask, self.outgoing.volume.geometry, staged)


def compare_series(path: Path, stored: np.ndarray, progress: StageProgress | None = None) -> tuple[Volume, int]:
    """As ``compare_file``, for the only series in a folder, read from its files alone. Raises: InputError."""
    found = find_series(path).series
    if len(found) != 1:
        raise InputError(f"{path}: holds {len(found)} series instead of one.")
    volume = read_stack(stack_of(found[0]), path.name, progress)
    return volume, count_different(volume.stored, stored)

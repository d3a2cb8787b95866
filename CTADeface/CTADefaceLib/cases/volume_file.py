"""Defaces one volume file, and tells what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..checks.check import Check
from ..checks.written import written_file
from ..errors import CTADefaceError
from ..face.mask import face_mask, require_face
from ..face.survey import Survey, surveyed
from ..files.free_text import text_warnings
from ..files.publish import output_paths, place_of, publishing, refuse_existing
from ..files.read import read_volume
from ..files.storage.journal import recover
from ..files.write import write_like, write_mask
from ..network.host import Networks, NetworksHere, overview_model
from ..progress import MODEL_STAGES, Progress
from ..release.hospital_folder import (
    masks_folder,
    new_mask_path,
    records_folder,
    require_apart,
    require_clean,
    require_hospital_writable,
    require_no_release,
    require_writable,
)
from ..release.outgoing import CaseMask, Outgoing, Scan
from ..release.record import voxels_sha256
from ..voxels.images import mask_on_grid
from ..voxels.memory import warn_of_memory
from ..voxels.volume import Volume
from .keep import keep_files, kept_files
from .options import Options
from .prepare import (
    FILE,
    mask_by_model,
    model_settings,
    opinion_of_model,
    prepare,
    release_case,
    structure_writers,
    target_of,
    with_ears,
)
from .result import Result


def deface_file(
    path: str | Path,
    folder: str | Path,
    options: Options = Options(),
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda text: None,
    networks: Networks | None = None,
) -> Result:
    """Deface one volume file into ``folder``.

    Parameters: ``warn`` is called with each one-sentence warning; ``networks`` holds the models (None: for this case).
    Returns: ``Result``. Raises: every ``CTADefaceError``; nothing was written then, except after ``ChecksFailed`` a record
    and the mask in the folder of records.
    """
    started = time.monotonic()
    progress, networks = progress or Progress(), networks or NetworksHere()
    options.require_sound()
    keep_files(options.keep)
    recover(_place(path, folder, options))
    # After recovery: a mask that a killed run left behind must not take the name that this run would choose.
    wanted = _wanted(path, folder, options)
    refuse_existing(wanted, options.overwrite)
    progress.begin(*_stages(options))
    progress.enter("read")
    volume = _read(path, options, networks, warn)
    with ThreadPoolExecutor(1) as pool:
        # Hashed while Python imports modules, which uses one core.
        before = None if options.mask_only else pool.submit(voxels_sha256, volume.stored)
        survey = _survey(volume, options, progress)
        names = {"input": Path(path).name, "defaced": wanted[0].name} if options.record_names else None
        scan = Scan(volume, survey, before, names, progress.seconds)
        face = _find_mask(scan, options, networks, progress)
    result = Result(str(path), given_mask=options.mask and str(options.mask), mask=str(wanted[-1]))
    result.has_mask(volume, face)
    if options.mask_only:
        progress.enter("write")
        with publishing(wanted, options.overwrite, options.release) as staged:
            write_mask(volume, face.mask, staged[0], progress.part(0, 1))
        result.status = "mask only"
    else:
        outgoing = prepare(scan, face, options, progress)
        progress.enter("write")
        writer = VolumeWriter(outgoing, progress)
        target = replace(target_of(options, *wanted), structures=structure_writers(face, options, writer.write_on_grid))
        release_case(outgoing, target, writer, result)
    progress.finish()
    result.stages = {stage: round(s, 3) for stage, s in progress.seconds.items()}
    result.seconds = round(time.monotonic() - started, 3)
    return result


@dataclass(frozen=True)
class VolumeWriter:
    """Writes a case as a file of the input's format, with its header."""

    outgoing: Outgoing
    progress: Progress

    def write(self, staged: Path) -> None:
        write_like(self.outgoing.volume, self.outgoing.stored, staged, self.progress.part(0, 0.7))

    def verify(self, staged: Path) -> Check:
        return written_file(staged, self.outgoing.volume, self.outgoing.stored)

    def write_mask(self, staged: Path) -> None:
        self.write_on_grid(self.outgoing.mask, staged)

    def write_on_grid(self, mask: np.ndarray, staged: Path) -> None:
        write_mask(self.outgoing.volume, mask, staged)


def _stages(options: Options) -> tuple[str, ...]:
    found = MODEL_STAGES if options.mask is None else ()
    if options.mask_only:
        return "read", *found, "write"
    return "read", *found, "fill", "check", *(["identity"] if options.identity else []), "write"


def _wanted(path: str | Path, folder: str | Path, options: Options) -> list[Path]:
    """Paths to write: [defaced, mask], or [mask]."""
    defaced, mask = output_paths(path, folder, options.naming, options.called)
    if options.mask_only:
        mask = mask if options.masks is None else Path(options.masks) / mask.name
        require_no_release(mask.parent, "Masks")
        require_writable(mask.parent)
        return [mask]
    # A wrong folder is refused before the computation, not after it.
    release = options.release or defaced.parent
    records = records_folder(release, options.records)
    masks = masks_folder(release, options.masks, options.records)
    # A batch has looked at all of its release folder.
    require_clean(defaced.parent, whole=options.release is None)
    require_apart([path, options.mask, options.proposal, *(path for path, _ in keep_files(options.keep))], release)
    if options.release is None:
        # A batch has asked for all of its cases.
        require_writable(release)
        require_hospital_writable([records, masks])
    if options.masks is None and not options.overwrite:
        return [defaced, new_mask_path(masks, mask.name)]
    return [defaced, masks / mask.name]


def _place(path: str | Path, folder: str | Path, options: Options) -> Path:
    """The folder that holds unfinished files."""
    if options.mask_only:
        return place_of(_wanted(path, folder, options), options.release)
    return records_folder(options.release or folder, options.records)


def _read(path: str | Path, options: Options, networks: Networks, warn: Callable[[str], None]) -> Volume:
    """The volume, after warnings about its size and its header; where a model is needed, it begins to load meanwhile."""

    def begun(volume: Volume) -> None:
        warn_of_memory(volume, warn)

    if options.mask is not None:
        volume = read_volume(path, begun=begun)
    else:
        # Python's imports and zlib's decompression use a core each.
        volume = read_volume(path, lambda: networks.begin(options.model), begun)
    for warning in text_warnings(path, volume.source):
        warn(warning)
    return volume


def _survey(volume: Volume, options: Options, progress: Progress) -> Survey:
    info = None
    if options.mask is None:
        with suppress(CTADefaceError):  # the networks raise it later, after faults of the input
            info = overview_model(options.model)
    return surveyed(volume, info, progress)


def _find_mask(scan: Scan, options: Options, networks: Networks, progress: Progress) -> CaseMask:
    volume = scan.volume
    kept = kept_files(options.keep, volume, options.record_names, options.keep_names)
    if options.mask is None:
        mask = face_mask(volume, networks, options.model_run, progress, scan.survey)
        require_face(mask, volume)
        return mask_by_model(with_ears(mask, scan.survey, options.ears), networks, options, kept)
    scan.survey.check()
    mask = with_ears(mask_on_grid(read_volume(options.mask), volume), scan.survey, options.ears)
    if options.mask_only:
        return CaseMask(mask, FILE)
    proposal = None if options.proposal is None else mask_on_grid(read_volume(options.proposal), volume)
    # A mask that another person made tells the edits, but is nothing to hold a mask against.
    opinion = opinion_of_model(scan, networks, options) if options.proposed_by is None else None
    return CaseMask(mask, FILE, options.proposed_by, proposal, opinion, model_settings(options), options.ears, kept)

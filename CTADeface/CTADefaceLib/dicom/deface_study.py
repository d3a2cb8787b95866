"""A DICOM study to defaced series: one mask, each series through its own gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..cases.keep import keep_files
from ..cases.options import Options
from ..cases.prepare import FILE, SEGMENTATION, model_facts
from ..cases.result import MODEL, Result
from ..checks.check import Check, failed
from ..errors import ChecksFailed, MaskError, NoFaceError, OutputError
from ..face.mask import face_mask, require_face
from ..face.survey import surveyed
from ..files.publish import publication
from ..files.read import read_volume
from ..files.storage.journal import recover
from ..network.host import Networks, NetworksHere, overview_model
from ..progress import MODEL_STAGES, Progress
from ..release.hospital_folder import (
    masks_folder,
    records_folder,
    require_apart,
    require_clean,
    require_hospital_writable,
    require_no_release,
    require_writable,
)
from ..voxels.memory import warn_of_memory
from ..voxels.volume import Volume
from .deface_series import Face, PersonsMask, Run
from .folders import refuse_nested
from .headers.deidentify import BasicProfile
from .headers.patient import patient_of
from .headers.patient_table import add_row, row_of
from .headers.pseudonym import Pseudonym
from .headers.secret_key import SecretKey, secret_key
from .headers.uids import NewUids
from .kept_structures import structure_on_series, structures_of_files
from .reading.dicom_packages import need_highdicom, no_values_in_warnings
from .reading.grid import even_mask, mask_on_stack, upright
from .reading.input_files import Source, files_and_folders
from .reading.read_series import read_stack
from .reading.series import Series, find_series
from .reading.stack import Stack
from .study import Plan, plan_study, redraw_warning

HEADERS_KEPT = (
    "DICOM headers are kept and still carry the patient's identity; --deidentify-headers cleans them, or use your own tool."
)
NO_PATIENT = (
    "The headers name no patient (neither ID, nor name and birth date): the pseudonym stands for this study alone, and "
    "another study of the same patient gets another one."
)
PRIVATE_KEPT = (
    "Private elements of DICOM files are kept: they may hold the face in another form, and the files do not claim "
    "that it is gone."
)


def deface_dicom(
    source: Source,
    folder: str | Path,
    options: Options,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda text: None,
    networks: Networks | None = None,
) -> list[Result]:
    """Deface the CT series of a study that share one frame of reference; ``source`` as for ``find_series``.

    Parameters: ``folder`` the release folder: each series becomes a folder "series_NN" in it; masks and records go into
    the hospital's folder; ``warn`` is called with each one-sentence warning; ``networks`` holds the models (None: for
    this study).
    All results of the study appear together at the end.
    Returns: one ``Result`` per series of the source, those that were not defaced included, with the reason.
    Raises: CTADefaceError when nothing at all could be done.
    """
    return _Study(source, Path(folder), options, progress or Progress(), warn).deface(networks or NetworksHere(), None)


def deface_dicom_with(
    given: Callable[[Volume], PersonsMask],
    source: Source,
    folder: str | Path,
    options: Options,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda text: None,
    networks: Networks | None = None,
) -> list[Result]:
    """As ``deface_dicom``, with the ``PersonsMask`` that ``given`` returns for the ``Volume`` of the chosen series."""
    return _Study(source, Path(folder), options, progress or Progress(), warn).deface(networks or NetworksHere(), given)


@dataclass(frozen=True)
class _Study:
    source: Source
    folder: Path
    options: Options
    progress: Progress
    warn: Callable[[str], None]

    @no_values_in_warnings()
    def deface(self, networks: Networks, given: Callable[[Volume], PersonsMask] | None) -> list[Result]:
        options, progress = self.options, self.progress
        options.require_sound()
        if options.mask_seg:
            need_highdicom()
        keep_files(options.keep)
        hospital = _hospital_folder(self.source, self.folder, options)
        place = Path(options.masks or self.folder) if options.mask_only else hospital
        recover(place)
        key = secret_key(options.pseudonym_key, options.patients or hospital, options.release or self.folder)
        needs_model = options.mask is None and given is None
        progress.begin("read", *(MODEL_STAGES if needs_model else ()), "write")
        progress.enter("read")
        if needs_model:
            networks.begin(options.model)
        series = find_series(self.source, progress.part(0, 0.3)).series
        plan = plan_study(series, options.series)
        _say_first(series, options, self.warn)
        uids = NewUids({uid for one in series for uid in (one.study, one.frame_of_reference)}, key)
        pseudonym = self._pseudonym([one for one in series if one.number in plan.stacks], key)
        clean_headers = BasicProfile(uids, pseudonym) if options.deidentify_headers else None
        face = self._find_face(plan, networks, given)
        progress.enter("write")
        # The series that the mask was made on comes first, because its voxels are in memory already.
        order = sorted(series, key=lambda s: s.number != face.chosen.number)
        with publication(place, release=None if options.mask_only else self.folder) as whole:
            run = Run(self.folder, hospital, options, networks, progress, uids, clean_headers, face, plan, whole)
            results = {
                one.number: run.deface(one, progress.part(n / len(order), (n + 1) / len(order))) for n, one in enumerate(order)
            }
            progress.check()
            if pseudonym is not None and any(result.status == "defaced" for result in results.values()):
                # Before anything appears in the release folder: a pseudonym that nobody can resolve must not leave.
                self._note(pseudonym, uids, hospital)
        progress.finish()
        return [results[one.number] for one in series]

    def _pseudonym(self, series: list[Series], key: SecretKey) -> Pseudonym | None:
        """That of the patient of ``series``, where headers are cleaned. Raises: as ``SecretKey.text``."""
        if not self.options.deidentify_headers or self.options.mask_only:
            return None
        pseudonym = Pseudonym(patient_of(series, self.warn), key, self.options.shift_dates)
        pseudonym.text  # noqa: B018 - a key that is missing is said before the work
        if not pseudonym.patient.is_known:
            self.warn(NO_PATIENT)
        if key.is_open_to_others:
            self.warn(f"{key.path}: others on this computer may read the key of the pseudonyms; take that away (chmod 600).")
        return pseudonym

    def _note(self, pseudonym: Pseudonym, uids: NewUids, hospital: Path) -> None:
        """Add patient and study to the hospital's table. Raises: OutputError."""
        new_study = uids(pseudonym.patient.study)
        warning = add_row(self.options.patients or hospital, row_of(pseudonym, new_study))
        if warning:
            self.warn(warning)

    def _find_face(self, plan: Plan, networks: Networks, given: Callable[[Volume], PersonsMask] | None) -> Face:
        """The ``Face`` of a given mask, or of the first candidate in which the model finds one."""
        options, progress = self.options, self.progress
        for chosen in plan.candidates:
            stack = plan.stacks[chosen.number]
            volume = read_stack(stack, chosen.label, progress.part(0.3, 0.9), lambda volume: warn_of_memory(volume, self.warn))
            if given is not None:
                return _persons_face(given(volume), chosen, volume, stack)
            if options.mask is not None:
                return self._with_kept(_face_of_file(options.mask, chosen, volume, stack), volume, stack)
            seen = volume if stack.upright else upright(volume, stack)
            survey = surveyed(seen, overview_model(options.model), progress)
            mask = face_mask(seen, networks, options.model_run, progress, survey)
            if mask.any():
                face = Face(mask, seen.geometry, chosen, volume, MODEL, model=model_facts(networks, options.model))
                face = self._with_kept(face, volume, stack)
                return replace(face, own=mask, survey=survey) if stack.upright else face
        if len(plan.candidates) > 1:
            raise NoFaceError(
                f"No face found in any of {len(plan.candidates)} CT series, nothing was written; "
                "check that it is a head CT, or give a mask of your own."
            )
        require_face(mask, volume)
        raise AssertionError("a study has a candidate")

    def _with_kept(self, face: Face, volume: Volume, stack: Stack) -> Face:
        """``face`` with the structures that the options name, on the series that it was made on."""
        keep, names = self.options.keep, self.options.record_names
        return replace(face, kept=structures_of_files(keep, face.chosen, volume, stack, names)) if keep else face


def require_defaced(results: list[Result], name: str, overrides: dict[str, str] | None = None) -> list[Result]:
    """``results`` when at least one series was defaced. Raises: ChecksFailed or OutputError that says why none was."""
    if any(result.status == "defaced" for result in results):
        return results
    blocked = next((result for result in results if result.status == "blocked"), None)
    if blocked is None:
        raise OutputError(" ".join(result.error or result.reason or result.status for result in results))
    checks = [Check.from_dict(check) for check in blocked.checks]
    raise ChecksFailed(name, failed(checks, overrides), checks, blocked.record, blocked.mask)


def _hospital_folder(source: Source, folder: Path, options: Options) -> Path:
    """Folder of masks and records, outside of the release folder and of the originals."""
    hospital = records_folder(folder, options.records)
    refuse_nested(source, [folder, hospital, options.masks])
    if not options.mask_only:
        masks = masks_folder(folder, options.masks, options.records)
        release, kept = options.release or folder, [path for path, _ in keep_files(options.keep)]
        require_apart([*files_and_folders(source), options.mask, *kept], release)
        require_clean(folder, whole=options.release is None)
        if options.release is None:
            # A batch has asked for all of its cases.
            require_writable(folder)
            require_hospital_writable([hospital, masks])
    else:
        require_no_release(options.masks or folder, "Masks")
        require_writable(options.masks or folder)
    return hospital


def _say_first(series: list[Series], options: Options, warn: Callable[[str], None]) -> None:
    if not options.deidentify_headers and not options.mask_only:
        warn(HEADERS_KEPT)
    if options.keep_private and not options.mask_only:
        warn(PRIVATE_KEPT)
    warning = redraw_warning(series)
    if warning:
        warn(warning)


def _face_of_file(path: str, chosen: Series, volume: Volume, stack: Stack) -> Face:
    given = read_volume(path)
    mask = given.as_mask()
    if not mask_on_stack(mask, given.geometry, stack).any():
        raise MaskError(f"{path}: the mask is empty or does not lie in {chosen.label}; make it on this series.")
    own = mask if mask.shape == volume.stored.shape and given.geometry.matches(volume.geometry) else None
    return Face(mask, given.geometry, chosen, volume, FILE, own)


def _persons_face(own: PersonsMask, chosen: Series, volume: Volume, stack: Stack) -> Face:
    if not own.mask.any():
        raise MaskError(f"{chosen.label}: the mask is empty, so that nothing would be removed; draw the face first.")
    mask, geometry = even_mask(own.mask, volume, stack)
    face = Face(mask, geometry, chosen, volume, SEGMENTATION, own.mask, own.proposal, own.model, own.how)
    return replace(face, kept=[structure_on_series(one, volume, stack) for one in own.kept])

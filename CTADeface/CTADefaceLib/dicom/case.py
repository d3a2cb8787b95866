"""A DICOM study to defaced series: one mask, each series through its own gate."""

from pathlib import Path

import numpy as np

from ..case import model_facts, require_sound
from ..checks.check import Check, failed
from ..errors import ChecksFailed, MaskError, NoFaceError, OutputError
from ..files.journal import recover
from ..files.publish import publication
from ..files.read import read_volume
from ..memory import warn_of_memory
from ..pipeline import face_mask, require_face
from ..progress import MODEL_STAGES, Progress
from ..records.folder import MASK, masks_folder, records_folder, require_no_mask
from ..segment import models
from ..survey import surveyed
from ..volume import Volume
from .deidentify import BasicProfile
from .folders import MASK_EXTENSION, refuse_nested
from .grid import mask_on_stack, upright
from .packages import no_values_in_warnings
from .read import read_stack
from .run import Face, Run
from .series import find_series
from .study import plan_study, redraw_warning
from .uids import NewUids

HEADERS_KEPT = ("DICOM headers are kept and still carry the patient's identity; --deidentify-headers cleans them, "
                "or use your own tool.")
PRIVATE_KEPT = ("Private elements of DICOM files are kept: they may hold the face in a form that nobody else knows, and the "
                "files do not claim that it is gone.")


@no_values_in_warnings()
def deface_dicom(source, folder, options, progress=None, warn=lambda text: None, given=None):
    """Deface the CT series of a study that share one frame of reference; ``source`` as for ``find_series``.

    Parameters: ``folder`` the release folder: each series becomes a folder "series_NN" in it; masks and records go into
    the hospital's folder; ``options`` ``Options``; ``warn`` is called with each one-sentence warning;
    ``given(volume)`` returns the ``PersonsMask`` on the ``Volume`` of the chosen series, in place of model and mask
    file.
    What is written of the study appears together at the end.
    Returns: one ``Result`` per series of the source, those that were not defaced included, with the reason.
    Raises: CTADefaceError when nothing at all could be done.
    """
    progress = progress or Progress()
    require_sound(options)
    hospital = _hospital_folder(source, folder, options)
    place = Path(options.masks or folder) if options.mask_only else hospital
    recover(place)
    needs_model = options.mask is None and given is None
    progress.begin("read", *(MODEL_STAGES if needs_model else ()), "write")
    progress.enter("read")
    if needs_model:
        models.begin(options.model)
    series = find_series(source, progress.part(0, 0.3)).series
    plan = plan_study(series, options.series)
    _say_first(series, options, warn)
    uids = NewUids({uid for one in series for uid in (one.study, one.frame_of_reference)}, hospital)
    clean_headers = BasicProfile(uids) if options.deidentify_headers else None
    face = _find_face(plan, given, options, progress, warn)
    progress.enter("write")
    # The one that the mask was made on first: its voxels are in memory already.
    order = sorted(series, key=lambda s: s.number != face.chosen.number)
    with publication(place, release=None if options.mask_only else folder) as whole:
        run = Run(Path(folder), hospital, options, progress, uids, clean_headers, face, plan, whole)
        results = {one.number: run.deface(one, progress.part(n / len(order), (n + 1) / len(order)))
                   for n, one in enumerate(order)}
        progress.check()
    progress.finish()
    return [results[one.number] for one in series]


def require_defaced(results, name, overrides=None):
    """``results`` when at least one series was defaced. Raises: ChecksFailed or OutputError that says why none was."""
    if any(result.status == "defaced" for result in results):
        return results
    blocked = next((result for result in results if result.status == "blocked"), None)
    if blocked is None:
        raise OutputError(" ".join(result.error or result.reason for result in results))
    checks = [Check.from_dict(check) for check in blocked.checks]
    raise ChecksFailed(name, failed(checks, overrides), checks, blocked.record, blocked.mask)


def _hospital_folder(source, folder, options):
    """Folder of masks and records, outside of the release folder and of the originals."""
    hospital = records_folder(folder, options.records)
    if not options.mask_only:
        masks_folder(folder, options.masks, options.records)
        for left in Path(folder).glob(f"*{MASK}*{MASK_EXTENSION}"):
            require_no_mask(left)
    refuse_nested(source, [folder, hospital, options.masks])
    return hospital


def _say_first(series, options, warn):
    if not options.deidentify_headers and not options.mask_only:
        warn(HEADERS_KEPT)
    if options.keep_private and not options.mask_only:
        warn(PRIVATE_KEPT)
    warning = redraw_warning(series)
    if warning:
        warn(warning)


def _find_face(plan, given, options, progress, warn):
    """The ``Face`` of a given mask, or of the first candidate in which the model finds one."""
    for chosen in plan.candidates:
        stack = plan.stacks[chosen.number]
        volume = read_stack(stack, chosen.label, progress.part(0.3, 0.9), lambda volume: warn_of_memory(volume, warn))
        if given is not None:
            return _persons_face(given(volume), chosen, volume, stack)
        if options.mask is not None:
            return _face_of_file(options, chosen, volume, stack)
        seen = volume if stack.upright else upright(volume, stack)
        survey = surveyed(seen, models.overview_model(options.model), progress)
        mask = face_mask(seen, options.model, options.device, options.mirroring, options.step_size, progress, survey,
                         options.ears)
        if mask.any():
            own, survey = (mask, survey) if stack.upright else (None, None)
            return Face(mask, seen.geometry, chosen, volume, "model", own, model=model_facts(options.model), survey=survey)
    if len(plan.candidates) > 1:
        raise NoFaceError(f"No face found in any of {len(plan.candidates)} CT series, nothing was written; "
                          "check that it is a head CT, or give a mask of your own.")
    require_face(mask, volume)


def _face_of_file(options, chosen, volume, stack):
    path = options.mask
    given = read_volume(path)
    mask = given.as_mask()
    if not mask_on_stack(mask, given.geometry, stack).any():
        raise MaskError(f"{path}: the mask is empty or does not lie in {chosen.label}; make it on this series.")
    own = mask if mask.shape == volume.stored.shape and given.geometry.matches(volume.geometry) else None
    return Face(mask, given.geometry, chosen, volume, "file", own)


def _persons_face(own, chosen, volume, stack):
    if not own.mask.any():
        raise MaskError(f"{chosen.label}: the mask is empty, so that nothing would be removed; draw the face first.")
    mask, geometry = own.mask, volume.geometry
    if not stack.upright:
        # On an even grid, from which it can be brought to the other series.
        even = upright(Volume(mask.astype(np.int16) * 1000, geometry), stack)
        mask, geometry = even.stored >= 500, even.geometry
    return Face(mask, geometry, chosen, volume, "segmentation", own.mask, own.proposal, own.model, own.how)

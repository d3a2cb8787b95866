"""The gate: a defaced volume leaves only when its checks pass or are overridden with a reason, and never without record."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .checks.check import failed
from .errors import ChecksFailed, first_line
from .files.journal import recover
from .files.publish import publication, refuse_existing
from .files.read import split_extension
from .records.folder import mask_name, new_record_path, records_folder, require_no_mask, require_outside
from .records.record import BLOCKED, RELEASED, known_voxels, make_record, same_record, write_record


@dataclass
class Outgoing:
    """A filled volume on its way out.

    ``volume`` the original ``Volume``; ``mask`` bool and ``stored`` the defaced stored values, both (k, j, i);
    ``value`` the stored value that was filled in;
    ``settings`` has 'fill' and 'fill_hu' at least; ``model``, ``proposal``, ``overrides``, ``by`` and ``names`` as for
    ``make_record``; ``seconds`` by stage; ``identity`` what ``check_identity`` found, None if it was not asked;
    ``before`` a ``Future`` of the SHA-256 of the original's voxels, where it is computed already; ``survey`` the
    original's ``Survey``, where there is one; ``opinion`` what a model calls face, where a mask was given that was not made
    from its proposal; ``ears`` the original's ``Ears``, where they were to go too.
    """

    volume: object
    mask: np.ndarray
    stored: np.ndarray
    value: float
    settings: dict
    model: dict | None = None
    proposal: np.ndarray | None = None
    overrides: dict | None = None
    by: str | None = None
    names: dict | None = None
    seconds: dict = field(default_factory=dict)
    identity: dict | None = None
    before: Future | None = None
    survey: object = None
    opinion: np.ndarray | None = None
    ears: object = None

    @cached_property
    def checks(self):
        # SciPy, which Slicer need not wait for when it starts.
        from .checks.every import run_checks

        known = self.proposal if self.opinion is None else self.opinion
        return run_checks(self.volume, self.mask, self.stored, self.value, self.survey, known, self.ears)

    def face_picture(self):
        """RGB uint8 (rows, columns, 3): the old skin with what is left of the face marked; None where no head was found."""
        from .checks.every import face_left
        from .checks.face_picture import face_picture
        from .head.locate import locate

        frame = self.survey.frame if self.survey is not None else locate(self.volume)
        return None if frame is None else face_picture(face_left(self.volume, self.stored, frame))

    def check_identity(self, progress=None):
        """Add the check for face detection and recognition. Raises: MissingPackages, DeviceError, Cancelled."""
        from .identity.check import identity_check

        volume = self.volume
        found = identity_check(volume.to_hu(volume.stored), volume.to_hu(self.stored), self.mask, volume.geometry, progress)
        self.identity = found.as_dict()
        self.checks.append(found.as_check())

    @cached_property
    def known(self):
        return known_voxels(self.volume, self.mask, self.stored, self.before and self.before.result())

    def record(self, status):
        return make_record(self.volume, self.mask, self.stored, self.checks, self.settings, self.model, self.proposal,
                           self.overrides, self.by, status, self.seconds, self.names, self.identity, self.known)


class Released(NamedTuple):
    """Paths of the ``record`` and of the ``report``, if there is one; ``problem`` says why there is none, if asked for."""

    record: Path
    report: Path | None = None
    problem: str | None = None


def release(outgoing, path, write, verify, mask_path=None, write_mask=None, records=None, overwrite=False, whole=None,
            mask_extension=None, report=False, into=None):
    """Write the defaced volume, and its mask if asked for, when the checks allow it; in any case a record.

    All of it appears together, or nothing (see ``files.journal``).
    Parameters: ``path`` of the defaced volume, a file or (DICOM) a folder, whose own folder is the release folder;
    ``write(staged path)`` writes it and ``verify(staged path)`` returns the ``Check`` of what was written;
    ``mask_path`` and ``write_mask`` likewise; ``mask_extension`` where it is not that of ``path``; ``records`` a folder
    outside of the release folder, as is that of ``mask_path`` (see ``records.folder``); ``whole`` the release folder
    when ``path`` lies deeper in it; ``report`` also a page with pictures beside the record; ``into`` as for
    ``publishing``.
    Returns: ``Released``. Raises: ChecksFailed, after a record that says so, and, for the person who will
    correct it, the mask were put into ``records``; OutputError; InputError for a folder inside the release folder, and
    for a mask that lies there.
    """
    path = Path(path)
    wanted = [mask_path, path] if mask_path else [path]
    given_away = whole or path.parent
    folder, own_name = records_folder(given_away, records), mask_name(path, mask_extension)
    if mask_path:
        require_outside(mask_path.parent, given_away, "Masks")
    require_no_mask(path.with_name(own_name))
    if into is None:
        recover(folder)
    refuse_existing(wanted, overwrite)
    name = (path.name if mask_extension else split_extension(path)[0]).removesuffix("_defaced")
    left = failed(outgoing.checks, outgoing.overrides)
    if left:
        # The name without a number first: what was kept before, and may be corrected already, lies there.
        kept = own_name if not mask_path or (folder / own_name).exists() else mask_path.name
        with publication(folder, into, given_away) as own:
            error = _blocked(outgoing, left, folder, name, folder / kept, write_mask, own)
        raise error
    with publication(folder, into, given_away) as own, ThreadPoolExecutor(1) as pool:
        *mask_staged, staged = [own.stage(one, overwrite, public=one == path) for one in wanted]
        write(staged)
        # One core packs the mask and hashes while the other one unpacks what was written.
        aside = pool.submit(lambda: (mask_path and write_mask(*mask_staged), outgoing.known))
        written = verify(staged)
        aside.result()
        outgoing.checks.append(written)
        if failed([written]):
            # No reason can make a file right that is not what it says.
            raise ChecksFailed(outgoing.volume.name, [written], outgoing.checks)
        record_path = _keep_record(outgoing.record(RELEASED), folder, name, own)
        return _with_report(outgoing, record_path, own) if report else Released(record_path)


def _blocked(outgoing, left, folder, name, mask_path, write_mask, own):
    """Stage record and mask; returns the error to raise."""
    kept = mask_path.exists()
    if write_mask is not None and not kept:
        kept = True
        write_mask(own.stage(mask_path))
    record_path = _keep_record(outgoing.record(BLOCKED), folder, name, own)
    # One from before, which may be corrected already, is the one to go on with.
    return ChecksFailed(outgoing.volume.name, left, outgoing.checks, record_path, mask_path if kept else None)


def _keep_record(record, folder, name, own):
    """Stage a record, unless the last one of the case says the same; returns its path."""
    path = same_record(record, folder, name)
    if path is None:
        path = new_record_path(folder, name)
        write_record(record, own.stage(path))
    return path


def _with_report(outgoing, record_path, own):
    """``Released`` with a report; one that cannot be made does not keep the rest back."""
    from .records.report import report_path, write_report

    path = report_path(record_path)
    try:
        with own.part():
            write_report(outgoing, own.stage(path, overwrite=True))
    except Exception as error:
        return Released(record_path, None, f"{record_path}: was released, but the report could not be written "
                                           f"({first_line(error)}).")
    return Released(record_path, path)

"""The gate: a defaced volume leaves only when its checks pass or are overridden with a reason, and never without record."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from ..checks.check import Check, failed
from ..errors import Cancelled, ChecksFailed, first_line
from ..files.publish import publication, refuse_existing
from ..files.read import split_extension
from ..files.storage.journal import Publication, recover
from .hospital_folder import (
    kept_path,
    kept_paths_beside,
    mask_name,
    new_record_path,
    records_folder,
    require_clean,
    require_outside,
)
from .known_folders import DEFACED
from .outgoing import Outgoing
from .record import BLOCKED, RELEASED, known_files, known_voxels, make_record, same_record, write_record
from .thumbnail import thumbnail_path, write_thumbnail


class Writer(Protocol):
    """How a case is written; each method gets a staged path."""

    def write(self, staged: Path) -> None:
        """Write the defaced volume."""

    def verify(self, staged: Path) -> Check:
        """Read back what was written."""

    def write_mask(self, staged: Path) -> None:
        """Write the mask, for the owner only."""


@dataclass(frozen=True)
class Target:
    """Where a case goes.

    ``path`` of the defaced volume, a file or (DICOM) a folder, whose own folder is the release folder, or ``whole`` when
    ``path`` lies deeper in it; ``mask`` the path of the mask, if it is asked for, and ``mask_extension`` where it is not
    that of ``path``; ``records`` a folder outside of the release folder, as is that of the mask (see
    ``hospital_folder``); ``report`` also a page with pictures beside the record, ``picture`` a PNG before and after,
    ``thumbnail`` a small one;
    ``into`` the ``Publication`` that this case is a part of; ``also``: (path, function that writes to a staged path) of what
    else the hospital gets beside the mask of a released case; ``structures``: functions that write each structure that is kept
    to a staged path beside the mask, in place of those that lie there (None: not asked for).
    """

    path: Path
    mask: Path | None = None
    records: Path | str | None = None
    overwrite: bool = False
    whole: Path | str | None = None
    mask_extension: str | None = None
    report: bool = False
    picture: bool = False
    into: Publication | None = None
    thumbnail: bool = False
    also: tuple[tuple[Path, Callable[[Path], None]], ...] = ()
    structures: tuple[Callable[[Path], None], ...] | None = None

    @property
    def given_away(self) -> Path:
        """The release folder."""
        return Path(self.whole) if self.whole else self.path.parent

    @property
    def name(self) -> str:
        """What record and report are called after."""
        return (self.path.name if self.mask_extension else split_extension(self.path)[0]).removesuffix(DEFACED)


class Released(NamedTuple):
    """Paths of the ``record``, the ``report`` and the ``picture``, where there is one; ``problem`` says why one that was asked
    for is missing."""

    record: Path
    report: Path | None = None
    picture: Path | None = None
    problem: str | None = None


def release(outgoing: Outgoing, target: Target, writer: Writer) -> Released:
    """Write the defaced volume, and its mask if asked for, when the checks allow it; in any case a record.

    All of it appears together, or none of it (see ``files.storage.journal``).
    Raises: ChecksFailed, after a record that says so, and, for the person who will correct it, the mask were put into
    the folder of records; OutputError; InputError for a folder inside the release folder, and for a mask that lies there.
    """
    others = [path for path, _write in target.also]
    wanted = [*([target.mask] if target.mask else []), *others, target.path]
    folder, own_name = records_folder(target.given_away, target.records), mask_name(target.path, target.mask_extension)
    for path in wanted[:-1]:
        require_outside(path.parent, target.given_away, "Masks")
    require_clean(target.path.parent)
    if target.into is None:
        recover(folder)
    refuse_existing(wanted, target.overwrite)
    left = failed(outgoing.checks, outgoing.overrides, outgoing.strict)
    if left:
        # The name without a number first: an earlier mask, which a person may have corrected, lies there.
        kept = own_name if not target.mask or (folder / own_name).exists() else target.mask.name
        with publication(folder, target.into, target.given_away) as own:
            place = _RecordAt(folder, target.name, own, outgoing if target.thumbnail else None)
            error = _blocked(outgoing, left, place, folder / kept, writer, target)
        raise error
    with publication(folder, target.into, target.given_away) as own:
        record = make_record(outgoing, RELEASED, _written(outgoing, target, writer, own))
        record_path = _RecordAt(folder, target.name, own, outgoing if target.thumbnail else None).keep(record)
        return _with_pictures(outgoing, record, target, record_path, own)


def _written(outgoing: Outgoing, target: Target, writer: Writer, own: Publication) -> dict:
    """Stage the mask, if it is asked for, and the defaced volume, read it back, and return the ``known_voxels`` and
    ``known_files``.

    Raises: ChecksFailed when the file does not hold what was meant to be written.
    """
    mask = own.stage(target.mask, target.overwrite) if target.mask else None
    also = [(write, own.stage(path, target.overwrite)) for path, write in target.also]
    if target.mask is not None:
        also += _structures(target, target.mask, own)
    staged = own.stage(target.path, target.overwrite, public=True)
    writer.write(staged)

    def mask_and_hashes() -> dict:
        if mask is not None:
            writer.write_mask(mask)
        for write, path in also:
            write(path)
        return known_voxels(outgoing) | known_files(staged)

    with ThreadPoolExecutor(1) as pool:
        # One core packs the mask and hashes while the other one unpacks what was written.
        aside = pool.submit(mask_and_hashes)
        check = writer.verify(staged)
        known = aside.result()
    outgoing.checks.append(check)
    if failed([check]):
        # No override can make right a file that does not hold what was meant.
        raise ChecksFailed(outgoing.volume.name, [check], outgoing.checks)
    return known


def _structures(target: Target, mask: Path, own: Publication) -> list[tuple[Callable[[Path], None], Path]]:
    """[(function, staged path for it)] of the structures that go beside a ``mask``; more of an earlier mask are removed."""
    if target.structures is None:
        return []
    paths = [kept_path(mask, number) for number in range(1, len(target.structures) + 1)]
    for left in kept_paths_beside(mask):
        if left not in paths:
            own.remove(left)
    # Whatever lies there belonged to a mask that is replaced, or gone.
    return [(write, own.stage(path, overwrite=True)) for write, path in zip(target.structures, paths)]


class _RecordAt(NamedTuple):
    """Where the records of a case lie: in ``folder``, called after ``name``, staged in ``own``.

    ``shown``: the case of which a thumbnail lies beside each record, None for no thumbnail.
    """

    folder: Path
    name: str
    own: Publication
    shown: Outgoing | None = None

    def keep(self, record: dict) -> Path:
        """Stage a record, unless the last one of the case says the same; returns its path."""
        path = same_record(record, self.folder, self.name)
        if path is None:
            path = new_record_path(self.folder, self.name)
            write_record(record, self.own.stage(path))
            if self.shown is not None:
                write_thumbnail(self.shown, self.own.stage(thumbnail_path(path), overwrite=True))
        return path


def _blocked(
    outgoing: Outgoing, left: list[Check], place: _RecordAt, mask_path: Path, writer: Writer, target: Target
) -> ChecksFailed:
    """Stage record and mask; returns the error to raise."""
    # An earlier mask stays, because a person may have corrected it.
    if not mask_path.exists():
        writer.write_mask(place.own.stage(mask_path))
        for write, staged in _structures(target, mask_path, place.own):
            write(staged)
    record_path = place.keep(make_record(outgoing, BLOCKED))
    # Only where it was to be replaced: the person believes that it is gone.
    earlier = target.path if target.path.exists() else None
    return ChecksFailed(outgoing.volume.name, left, outgoing.checks, record_path, mask_path, earlier)


def _with_pictures(outgoing: Outgoing, record: dict, target: Target, record_path: Path, own: Publication) -> Released:
    """``Released`` with the report and the picture that are asked for; what cannot be made does not keep the rest back."""
    if not (target.report or target.picture):
        return Released(record_path)
    from .report import before_after, picture_path, report_path, write_picture, write_report

    report, picture = (
        report_path(record_path) if target.report else None,
        picture_path(record_path) if target.picture else None,
    )
    try:
        with own.part():
            shown = before_after(outgoing)
            if report:
                write_report(outgoing, record, shown, own.stage(report, overwrite=True))
            if picture:
                write_picture(shown, own.stage(picture, overwrite=True))
    except Cancelled:
        raise
    except Exception as error:
        what = " and ".join(name for name, path in (("report", report), ("picture", picture)) if path)
        problem = f"{record_path}: was released, but the {what} could not be written ({first_line(error)})."
        return Released(record_path, problem=problem)
    return Released(record_path, report, picture)

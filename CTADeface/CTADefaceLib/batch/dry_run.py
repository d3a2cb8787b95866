"""What a batch would do, case by case, found by reading alone: nothing is written, not even a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..cases.options import Options
from ..cases.result import LEFT_OUT
from ..errors import CTADefaceError
from ..files.publish import output_paths
from ..files.read import described_volume, read_volume, split_extension
from ..voxels.ct_check import check_ct
from .case_kinds import why_labelmap
from .choice import EVERYTHING, Choice
from .find import OURS, Case, places
from .manifest import NAME, Manifest
from .numbering import may_be_labelmap
from .one_kind import names_of, require_same, what_it_is
from .todo import Todo

# Scans are packed to about one byte a voxel, labelmaps to a hundredth of one.
LABELMAP_BYTES_A_VOXEL = 0.1


@dataclass(frozen=True)
class Planned:
    """One case: ``why_not`` it would not be run, None if it would; ``targets`` its results, relative to the output folder,
    or for masks only to that of the masks; ``left_out`` what of it would not be defaced (series of a study)."""

    case: str
    kind: str
    why_not: str | None = None
    targets: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return {
            "case": self.case,
            "kind": self.kind,
            "would_run": self.why_not is None,
            "why_not": self.why_not,
            "targets": list(self.targets),
            "left_out": list(self.left_out),
        }

    def line(self) -> str:
        """As a person reads it."""
        if self.why_not is not None:
            return f"WOULD NOT RUN {self.case}: {self.why_not}"
        return f"WOULD RUN {self.case} -> {', '.join(self.targets)}" + "".join(f" ({text})" for text in self.left_out)


def dry_run(
    source: str | Path,
    target: str | Path,
    options: Options,
    retry_failed: bool = False,
    choice: Choice = EVERYTHING,
    warn: Callable[[str], None] = lambda text: None,
) -> Iterator[Planned]:
    """What ``run_batch`` with the same arguments would do, one ``Planned`` a case, in the order of their paths.

    Scans are told from labelmaps by their voxels only where their name, type or packed size makes them suspect, so that
    a listing is quick; in a run every one is looked at.
    Raises: InputError, ModelError and MissingPackages, as ``run_batch`` before its first case.
    """
    options.require_sound()
    where = places(source, target, options.records, options.masks)
    manifest = Manifest(where.hospital / NAME)
    header, entries, damaged = manifest.read()
    names = names_of(where, header, choice.names)
    todo = Todo(where, options, manifest, retry_failed, entries=entries)
    found = todo.find(choice, names, warn)
    what = what_it_is(where, options, manifest, names)
    if header is not None:
        require_same(where, header, what, retry_failed)
    if damaged:
        warn(f"{manifest.path}: {damaged} lines are damaged; their cases would run again.")
    for case in found.cases:
        yield _planned(case, todo)
    for case in found.excluded:
        yield Planned(case.id, case.kind, choice.why_not(case))
    for path in found.left_out:
        why = "a result of CTADeface" if OURS.search(split_extension(path)[0]) else "no CT, says its name in a BIDS dataset"
        yield Planned(path.relative_to(where.source).as_posix(), "file", f"left out by its name: {why}")


def _planned(case: Case, todo: Todo) -> Planned:
    why_not = todo.why_not(case)
    if why_not is not None:
        return Planned(case.id, case.kind, why_not)
    try:
        todo.require_alive(case)
        todo.require_room(case)
        look = _study if case.kind == "dicom" else _file
        return look(case, todo)
    except CTADefaceError as error:
        labelmap = why_labelmap(error, case)
        return Planned(case.id, case.kind, f"{LEFT_OUT}: {labelmap}" if labelmap else str(error))


def _file(case: Case, todo: Todo) -> Planned:
    """Raises: InputError for a file that cannot be read, LabelmapError for what is no scan."""
    path = todo.where.source / case.id
    if _is_suspect(path, case):
        check_ct(read_volume(path))
    defaced, mask = output_paths(path, case.folder, case.naming, case.called)
    return Planned(case.id, case.kind, None, ((mask if todo.options.mask_only else defaced).as_posix(),))


def _is_suspect(path: Path, case: Case) -> bool:
    """May a file hold a labelmap? Told without its voxels."""
    header = described_volume(path)
    packed = path.stat().st_size / max(header.stored.size, 1)
    return may_be_labelmap(case.id) or header.stored.dtype.itemsize == 1 or packed < LABELMAP_BYTES_A_VOXEL


def _study(case: Case, todo: Todo) -> Planned:
    """Raises: InputError for a study without a CT that can be defaced."""
    from ..dicom.folders import mask_path, series_folder
    from ..dicom.reading.series import find_series
    from ..dicom.study import plan_study, why_left_out

    series = find_series(todo.where.source / case.id).series
    plan = plan_study(series)
    kept, left_out = [], []
    for one in series:
        why = why_left_out(one, plan.candidates[0], plan) or plan.problems.get(one.number)
        if why is None:
            kept.append(one)
        else:
            left_out.append(f"{one.label}: {why}")
    where = mask_path if todo.options.mask_only else series_folder
    shown = kept if not todo.options.mask_only else plan.candidates[:1]
    return Planned(case.id, case.kind, None, tuple(where(case.folder, one).as_posix() for one in shown), tuple(left_out))

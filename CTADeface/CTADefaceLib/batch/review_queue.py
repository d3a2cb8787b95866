"""The queue of a finished batch for a person: look at the cases one by one, accept, correct or reject each.

Functions over a list of ``Item``; only ``mark`` writes, by adding a line to the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..release.record import this_user
from .input_stamp import Stamp
from .manifest import BLOCKED, DONE, FAILED, NAME, Manifest, now

ACCEPTED, CORRECTED, REJECTED = "accepted", "corrected", "rejected"
VERDICTS = (ACCEPTED, CORRECTED, REJECTED)


@dataclass(frozen=True)
class Item:
    """One case that ended; paths are absolute, None where nothing was written.

    ``status`` 'defaced', 'mask only', 'blocked' or 'failed'; ``failed_checks`` and ``warned_checks`` names;
    ``review`` one of ``VERDICTS`` or None, ``by`` whom; ``time`` (ISO 8601, UTC) of the last thing that happened to it.
    """

    case: str
    kind: str
    status: str
    input: Path
    outputs: tuple[Path, ...] = ()
    mask: Path | None = None
    record: Path | None = None
    failed_checks: tuple[str, ...] = ()
    warned_checks: tuple[str, ...] = ()
    error: str | None = None
    review: str | None = None
    by: str | None = None
    time: str | None = None


def load_queue(manifest: str | Path) -> list[Item]:
    """The ended cases in the order in which they first came up; ``manifest``: the file, or the folder that holds it.

    Raises: InputError when there is no manifest.
    """
    noted = manifest_at(manifest)
    header, entries, _damaged = noted.read()
    if header is None:
        raise InputError(f"{noted.path}: is no manifest of a batch; give the folder <output>-hospital-only.")
    return [item_of(noted, entry) for entry in entries.values() if entry.get("status") in (*DONE, BLOCKED, FAILED)]


def filtered(
    queue: list[Item],
    check: str | None = None,
    status: str | None = None,
    review: str | None = None,
    open_only: bool = False,
    failed: str | None = None,
    warned: str | None = None,
) -> list[Item]:
    """Items whose ``check`` failed or warned, that the check ``failed`` stopped, in which the check ``warned`` did so, with
    that ``status``, with that ``review``; ``open_only``: not reviewed yet."""
    return [
        item
        for item in queue
        if (check is None or check in item.failed_checks + item.warned_checks)
        and (failed is None or failed in item.failed_checks)
        and (warned is None or warned in item.warned_checks)
        and (status is None or item.status == status)
        and (review is None or item.review == review)
        and not (open_only and item.review)
    ]


def failed_checks(queue: list[Item]) -> dict[str, int]:
    """Check -> number of items that it stopped, the most frequent first: what a filter can offer."""
    return _counted(item.failed_checks for item in queue)


def warned_checks(queue: list[Item]) -> dict[str, int]:
    """Check -> number of items in which it warned, the most frequent first."""
    return _counted(item.warned_checks for item in queue)


def next_item(queue: list[Item], case: str | None = None) -> Item | None:
    """The item after ``case``, the first one for None; None after the last."""
    return _neighbour(queue, case, 1)


def previous_item(queue: list[Item], case: str | None = None) -> Item | None:
    """The item before ``case``, the last one for None; None before the first."""
    return _neighbour(queue, case, -1)


def next_open(queue: list[Item], case: str | None = None) -> Item | None:
    """The next item after ``case`` that nobody has reviewed, from the end back to the start; None when all are reviewed."""
    start = _position(queue, case) + 1 if case is not None else 0
    return next((item for item in queue[start:] + queue[:start] if not item.review), None)


def reviewed(queue: list[Item]) -> tuple[int, int]:
    """(number of items reviewed, number of items)."""
    return sum(item.review is not None for item in queue), len(queue)


def mark(
    manifest: str | Path,
    item: Item,
    review: str,
    by: str | None = None,
    outputs: Iterable[str | Path] | None = None,
    mask: str | Path | None = None,
    record: str | Path | None = None,
    error: str | None = None,
    stamp: Stamp | None = None,
) -> Item:
    """Note in the manifest what a person decided about an ``Item``; returns the updated ``Item``.

    Parameters: ``review`` one of ``VERDICTS``; ``by`` who (None: the user of this computer); ``outputs``, ``mask`` and
    ``record`` the paths that a correction wrote, ``error`` what went wrong in it (empty: nothing), ``stamp`` that of the
    input that it was made from; what is None stays as it was.
    Raises: InputError for another verdict, or when a case is accepted from which nothing was released; OutputError.
    """
    if review not in VERDICTS:
        raise InputError(f"{review}: is no verdict; choose from {', '.join(VERDICTS)}.")
    if review == ACCEPTED and not item.outputs:
        raise InputError(f"{item.case}: nothing was released, so there is nothing to accept; correct or reject it.")
    written = replace(
        item,
        review=review,
        by=by or this_user(),
        time=now(),
        mask=item.mask if mask is None else Path(mask),
        record=item.record if record is None else Path(record),
        outputs=item.outputs if outputs is None else tuple(Path(path) for path in outputs),
        error=item.error if error is None else error or None,
    )
    noted = manifest_at(manifest)
    line: dict[str, object] = {"case": written.case, "review": written.review, "by": written.by, "time": written.time}
    if mask is not None:
        line["mask"] = noted.relative(mask)
    if record is not None:
        line["record"] = noted.relative(record)
    if outputs is not None:
        line["outputs"] = [noted.relative(path) for path in written.outputs]
    if error is not None:
        line["error"] = written.error
    if stamp is not None:
        line["stamp"] = stamp
    noted.add(line)
    return written


def manifest_at(path: str | Path) -> Manifest:
    """The ``Manifest`` of a file, or of the folder that holds it."""
    path = Path(path)
    return Manifest(path / NAME if path.is_dir() else path)


def item_of(manifest: Manifest, entry: dict) -> Item:
    """The ``Item`` of a case from its entry in the manifest."""
    at = manifest.resolved
    return Item(
        entry["case"],
        entry["kind"],
        entry["status"],
        at(entry["input"]),
        tuple(at(path) for path in entry.get("outputs", ())),
        at(entry.get("mask")),
        at(entry.get("record")),
        tuple(entry.get("failed_checks", ())),
        tuple(entry.get("warned_checks", ())),
        entry.get("error"),
        entry.get("review"),
        entry.get("by"),
        entry.get("time"),
    )


def _counted(checks: Iterable[tuple[str, ...]]) -> dict[str, int]:
    names = [name for some in checks for name in some]
    return dict(sorted(((name, names.count(name)) for name in set(names)), key=lambda pair: (-pair[1], pair[0])))


def _position(queue: list[Item], case: str) -> int:
    for position, item in enumerate(queue):
        if item.case == case:
            return position
    raise InputError(f"{case}: is not in this queue; choose one that the filter lets through.")


def _neighbour(queue: list[Item], case: str | None, step: int) -> Item | None:
    if case is None:
        return (queue[0] if step > 0 else queue[-1]) if queue else None
    position = _position(queue, case) + step
    return queue[position] if 0 <= position < len(queue) else None

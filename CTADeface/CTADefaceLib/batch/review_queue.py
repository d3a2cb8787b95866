"""The queue of a finished batch for a person: look at the cases one by one, accept, correct or reject each.

Functions over a list of ``Item``; only ``mark`` writes, by adding a line to the manifest.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..release.record import this_user
from .manifest import BLOCKED, DONE, FAILED, NAME, Manifest, now

ACCEPTED, CORRECTED, REJECTED = "accepted", "corrected", "rejected"
VERDICTS = (ACCEPTED, CORRECTED, REJECTED)


@dataclass(frozen=True)
class Item:
    """One case that ended; paths are absolute, None where nothing was written.

    ``status`` 'defaced', 'mask only', 'blocked' or 'failed'; ``failed_checks`` names; ``review`` one of ``VERDICTS`` or
    None, ``by`` whom; ``time`` (ISO 8601, UTC) of the last thing that happened to it.
    """

    case: str
    kind: str
    status: str
    input: Path
    outputs: tuple = ()
    mask: Path | None = None
    record: Path | None = None
    failed_checks: tuple = ()
    error: str | None = None
    review: str | None = None
    by: str | None = None
    time: str | None = None


def load_queue(manifest):
    """The ended cases in the order in which they first came up; ``manifest``: the file, or the folder that holds it.

    Raises: InputError when there is no manifest.
    """
    manifest = manifest_at(manifest)
    header, entries, _damaged = manifest.read()
    if header is None:
        raise InputError(f"{manifest.path}: is no manifest of a batch; give the folder <output>-hospital-only.")
    return [item_of(manifest, entry) for entry in entries.values() if entry.get("status") in (*DONE, BLOCKED, FAILED)]


def filtered(queue, check=None, status=None, review=None, open_only=False):
    """Items of which ``check`` failed, with that ``status``, with that ``review``; ``open_only``: not reviewed yet."""
    return [item for item in queue
            if (check is None or check in item.failed_checks) and (status is None or item.status == status)
            and (review is None or item.review == review) and not (open_only and item.review)]


def failed_checks(queue):
    """Check -> number of items of which it failed, the most frequent first: what a filter can offer."""
    names = [name for item in queue for name in item.failed_checks]
    return dict(sorted(((name, names.count(name)) for name in set(names)), key=lambda pair: (-pair[1], pair[0])))


def next_item(queue, case=None):
    """The item after ``case``, the first one for None; None after the last."""
    return _neighbour(queue, case, 1)


def previous_item(queue, case=None):
    """The item before ``case``, the last one for None; None before the first."""
    return _neighbour(queue, case, -1)


def next_open(queue, case=None):
    """The next item after ``case`` that nobody has reviewed, going round once; None when all are."""
    start = _position(queue, case) + 1 if case is not None else 0
    return next((item for item in queue[start:] + queue[:start] if not item.review), None)


def reviewed(queue):
    """(number of items reviewed, number of items)."""
    return sum(item.review is not None for item in queue), len(queue)


def mark(manifest, item, review, by=None, outputs=None, mask=None, record=None, error=None,
         stamp=None):
    """Note in the manifest what a person decided about an ``Item``; returns it as it is then.

    Parameters: ``review`` one of ``VERDICTS``; ``by`` who (None: the user of this computer); ``outputs``, ``mask`` and
    ``record`` the paths that a correction wrote, ``error`` what went wrong in it (empty: nothing), ``stamp`` of the input
    that it was made from; None where they stay as they are.
    Raises: InputError for another verdict, or for accepting a case of which nothing was released; OutputError.
    """
    if review not in VERDICTS:
        raise InputError(f"{review}: is no verdict; choose from {', '.join(VERDICTS)}.")
    if review == ACCEPTED and not item.outputs:
        raise InputError(f"{item.case}: nothing was released of it, so that there is nothing to accept; correct or reject "
                         "it.")
    written = {key: Path(path) for key, path in (("mask", mask), ("record", record)) if path is not None}
    if outputs is not None:
        written["outputs"] = tuple(Path(path) for path in outputs)
    if error is not None:
        written["error"] = error or None
    item = replace(item, review=review, by=by or this_user(), time=now(), **written)
    manifest = manifest_at(manifest)
    line = {"case": item.case, "review": item.review, "by": item.by, "time": item.time}
    line |= {key: manifest.relative(written[key]) for key in ("mask", "record") if key in written}
    if outputs is not None:
        line["outputs"] = [manifest.relative(path) for path in item.outputs]
    if error is not None:
        line["error"] = item.error
    if stamp is not None:
        line["stamp"] = stamp
    manifest.add(line)
    return item


def manifest_at(path):
    """The ``Manifest`` of a file, or of the folder that holds it."""
    path = Path(path)
    return Manifest(path / NAME if path.is_dir() else path)


def item_of(manifest, entry):
    """The ``Item`` of a case from its entry in the manifest."""
    at = manifest.resolved
    return Item(entry["case"], entry["kind"], entry["status"], at(entry["input"]),
                tuple(at(path) for path in entry.get("outputs", ())), at(entry.get("mask")), at(entry.get("record")),
                tuple(entry.get("failed_checks", ())), entry.get("error"), entry.get("review"), entry.get("by"),
                entry.get("time"))


def _position(queue, case):
    for position, item in enumerate(queue):
        if item.case == case:
            return position
    raise InputError(f"{case}: is not in this queue; choose one that the filter lets through.")


def _neighbour(queue, case, step):
    if case is None:
        return (queue[0] if step > 0 else queue[-1]) if queue else None
    position = _position(queue, case) + step
    return queue[position] if 0 <= position < len(queue) else None

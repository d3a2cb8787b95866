"""What all results of one batch have in common, as the first line of its manifest says, so that no folder holds two kinds."""

from __future__ import annotations

from ..cases.options import Options
from ..errors import InputError, UsageError
from ..files.bids import is_bids
from ..models.store import find_model
from .find import Places
from .manifest import Manifest
from .numbering import BIDS, NUMBERED, PLAIN
from .pseudonym_key import FINGERPRINT, GIVEN

MASK_SEG = "mask_seg"


def names_of(where: Places, header: dict | None, wanted: str | None) -> str:
    """How results are called: 'bids', 'numbered' or 'plain'.

    ``wanted``: as asked for; None: as the batch was begun, which for manifests of earlier versions is plain, or numbered.
    Raises: UsageError when something is asked for in a BIDS dataset, whose names are pseudonyms already.
    """
    if is_bids(where.source):
        if wanted is not None:
            raise UsageError(f"--names {wanted}: {where.source} is a BIDS dataset, which keeps its names; leave --names out.")
        return BIDS
    begun = None if header is None else header.get("names", PLAIN)
    return wanted or (begun if begun in (PLAIN, NUMBERED) else NUMBERED)


def what_it_is(where: Places, options: Options, manifest: Manifest, names: str) -> dict[str, object]:
    """What all results have in common, as it stands in the first line of the manifest. Raises: ModelError."""
    what: dict[str, object] = {"input": manifest.relative(where.source), "names": names, "fill": options.fill}
    what |= {"deidentify_headers": options.deidentify_headers, "keep_private": options.keep_private, "ears": options.ears}
    what["strict"] = options.strict
    if options.mask_seg:
        # Only noted, for corrections: it changes nothing of what is released.
        what[MASK_SEG] = True
    return what if options.mask else {**what, "model": find_model(options.model).name}


def require_same(where: Places, header: dict, what: dict[str, object], retry_failed: bool) -> None:
    """Raise ``InputError`` when the batch of ``header`` has other things in common than ``what``."""
    for key, value in what.items():
        # Manifests of earlier versions lack some of these, and their names are plain.
        before = header.get(key, PLAIN if key == "names" and value != BIDS else value)
        if before != value and key not in (GIVEN, MASK_SEG) and not (key == "model" and retry_failed):
            retry = ", or give --retry-failed to run the failed and blocked cases with it" if key == "model" else ""
            raise InputError(
                f"{where.target}: holds a batch with {_said(key, before)}, not with "
                f"{_said(key, value)}; choose another output folder{retry}."
            )


def _said(key: str, value: object) -> str:
    if key == "deidentify_headers":
        return "headers cleaned" if value else "headers kept"
    if key == "keep_private":
        return "private elements kept" if value else "private elements removed"
    if key == "strict":
        return "cases stopped by warnings too" if value else "cases that may leave with a warning"
    if key == "ears":
        return "ears removed" if value else "ears kept"
    if key == "shift_dates":
        return "dates moved" if value else "dates removed"
    if key == FINGERPRINT:
        return f"pseudonyms of the key {value}"
    return f"{value} names" if key == "names" else f"{key} {value}"

"""One case in JSON: what was done to which voxels, by which model and settings, the checks, and who overrode them.

It holds no name, ID, UID or path of the patient's unless ``names`` are given; input and output are known by the
SHA-256 of their voxels. ``Resources/record.schema.json`` describes it.
"""

import getpass
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from .. import __version__
from ..checks.check import checked_overrides
from ..errors import OutputError
from ..files.private import open_private, private_folder
from ..voxels.slabs import for_slabs
from .hospital_folder import last_record_path

RELEASED, BLOCKED = "released", "blocked"


def voxels_sha256(array):
    """SHA-256 (hex) of the voxels of an array (k, j, i), in this order, little endian."""
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return hashlib.sha256(array.reshape(-1).view(np.uint8)).hexdigest()


def edits(mask, proposal):
    """How a person changed the model's ``proposal`` to ``mask`` (bool arrays): voxels added and removed, Dice."""
    ours = both = theirs = int(np.count_nonzero(mask))
    if proposal is not mask:
        both, theirs = int(np.count_nonzero(mask & proposal)), int(np.count_nonzero(proposal))
    return {"edited": both != ours or both != theirs, "added_voxels": ours - both, "removed_voxels": theirs - both,
            "dice": round(2 * both / max(ours + theirs, 1), 6)}


def known_voxels(volume, mask, stored_after, before=None):
    """What tells the voxels of a case apart: hashes of before, after and mask, and the number of changed voxels.

    ``before``: the hash of the volume's own voxels, where it is known.
    """
    with ThreadPoolExecutor(2) as pool:
        hashes = [pool.submit(voxels_sha256, voxels) for voxels in (stored_after, mask.view(np.uint8))]
        before = before or voxels_sha256(volume.stored)
        changed = for_slabs(lambda p: int(np.count_nonzero(volume.stored[p] != stored_after[p])), len(mask))
        return {"before": before, "after": hashes[0].result(), "mask": hashes[1].result(), "changed": sum(changed)}


def make_record(volume, mask, stored_after, checks, settings, model=None, proposal=None, overrides=None, by=None,
                status=RELEASED, seconds=None, names=None, identity=None, known=None):
    """The record of one case as a dict that ``record.schema.json`` allows.

    Parameters: ``volume`` the original; ``mask`` bool (k, j, i); ``stored_after`` the defaced stored values;
    ``settings`` JSON-able, such as the fill; ``model`` {"name", "sha256"} or None when no model made the mask;
    ``proposal`` the model's own mask, to measure a person's edits; ``overrides`` check -> reason; ``by`` who gave them
    (None: the user of this computer); ``seconds`` by stage; ``names`` of files, only when they are to be kept;
    ``identity`` the identity check's ``as_dict``; ``known`` the ``known_voxels``, where they have been found already.
    """
    overrides = checked_overrides(overrides)
    known = known or known_voxels(volume, mask, stored_after)
    failing = {check.name for check in checks if check.verdict == "fail"}
    voxels = int(np.count_nonzero(mask))
    by = by or this_user()
    return {
        "schema_version": 1,
        "tool": {"name": "CTADeface", "version": __version__},
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "status": status,
        "model": model,
        "settings": settings,
        "input": {"voxels_sha256": known["before"], **_grid(volume)},
        "output": {"voxels_sha256": known["after"], "changed_voxels": known["changed"]},
        "mask": {"voxels_sha256": known["mask"], "voxels": voxels,
                 "ml": round(volume.geometry.millilitres(voxels), 3),
                 "edits": None if proposal is None else edits(mask, proposal)},
        "checks": [check.as_dict() for check in checks],
        "overrides": [{"check": name, "reason": str(reason), "by": by} for name, reason in overrides.items()
                      if name in failing],
        "seconds": {stage: round(float(s), 3) for stage, s in (seconds or {}).items()},
        "names": names,
        "identity": identity,
    }


def write_record(record, path):
    """Write a record as JSON to ``path``, which the caller has chosen or staged. Raises: OutputError."""
    path = Path(path)
    try:
        private_folder(path.parent)
        with open_private(path, encoding="utf-8") as stream:
            stream.write(json.dumps(record, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"{path.parent}: the record cannot be written ({error.strerror}); free space or choose "
                          "another folder for records.") from None


def same_record(record, folder, name):
    """The path of the last record of a case in ``folder`` when it says what ``record`` says, but for the times; or None.

    So when a run was killed after all was written, and before anybody heard of it, the next one adds no second record.
    """
    path = last_record_path(folder, name)
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        return path if _timeless(before) == _timeless(json.loads(json.dumps(record))) else None
    except (AttributeError, OSError, ValueError):
        return None


def _timeless(record):
    return {key: value for key, value in record.items() if key not in ("created", "seconds")}


def _grid(volume):
    geometry = volume.geometry
    return {"voxels": list(volume.stored.shape[::-1]), "dtype": volume.stored.dtype.name,
            "slope": volume.slope, "intercept": volume.intercept,
            "spacing_mm": [float(s) for s in geometry.spacing], "origin_lps_mm": [float(o) for o in geometry.origin],
            "direction_lps": [float(d) for d in np.ravel(geometry.direction)]}


def this_user():
    """Who uses this computer, as far as it tells."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"

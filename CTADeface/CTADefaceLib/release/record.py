"""One case in JSON: what was done to which voxels, by which model and settings, the checks, and who overrode them.

It holds no name, ID, UID or path that identifies the patient, unless ``names`` are given; input and output are identified
by the SHA-256 of their voxels. ``Resources/record.schema.json`` describes it.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from .. import __version__
from ..checks.check import checked_overrides, stops
from ..errors import OutputError
from ..files.storage.private import open_private, private_folder
from ..voxels.kept import Kept
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume
from .hospital_folder import last_record_path
from .outgoing import Outgoing

RELEASED, BLOCKED = "released", "blocked"


def voxels_sha256(array: np.ndarray) -> str:
    """SHA-256 (hex) of the voxels of an array (k, j, i), in this order, little endian."""
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return hashlib.sha256(array.reshape(-1).view(np.uint8).data).hexdigest()


def file_digests(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 (hex) of each file in a folder, sorted by name, without its sub-folders. Raises: OSError."""
    digests = {}
    for path in sorted(path for path in folder.iterdir() if not path.is_dir()):
        with open(path, "rb") as stream:
            digests[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def files_sha256(digests: dict[str, str]) -> str:
    """SHA-256 (hex) of a list of ``file_digests``, one line each as the tool sha256sum prints it."""
    lines = (f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def edits(mask: np.ndarray, proposal: np.ndarray) -> dict[str, bool | int | float]:
    """How a person changed the model's ``proposal`` to ``mask`` (bool arrays): voxels added and removed, Dice."""
    ours = both = theirs = int(np.count_nonzero(mask))
    if proposal is not mask:
        both, theirs = int(np.count_nonzero(mask & proposal)), int(np.count_nonzero(proposal))
    return {
        "edited": both != ours or both != theirs,
        "added_voxels": ours - both,
        "removed_voxels": theirs - both,
        "dice": round(2 * both / max(ours + theirs, 1), 6),
    }


def known_voxels(outgoing: Outgoing) -> dict:
    """Facts about the voxels of a case: hashes of before, after and mask, and the number of changed voxels."""
    scan, mask, stored = outgoing.scan, outgoing.mask, outgoing.stored
    with ThreadPoolExecutor(2) as pool:
        hashes = [pool.submit(voxels_sha256, voxels) for voxels in (stored, mask.view(np.uint8))]
        before = voxels_sha256(scan.volume.stored) if scan.before is None else scan.before.result()
        changed = for_slabs(lambda p: int(np.count_nonzero(scan.volume.stored[p] != stored[p])), len(mask))
        return {"before": before, "after": hashes[0].result(), "mask": hashes[1].result(), "changed": sum(changed)}


def known_files(written: Path) -> dict:
    """Facts about what was written: for a folder the hash of its files, of which a single byte cannot change unnoticed."""
    return {"files": {"files_sha256": files_sha256(file_digests(written))}} if written.is_dir() else {}


def make_record(outgoing: Outgoing, status: str = RELEASED, known: dict | None = None) -> dict:
    """The record of an ``Outgoing`` case as a dict that ``record.schema.json`` allows.

    ``known``: its ``known_voxels``, where they have been found already, and the ``known_files`` of what was written.
    Overrides of checks that stop nothing are left out; who overrides is the user of this computer where nobody is named.
    """
    volume, mask, proposal = outgoing.volume, outgoing.mask, outgoing.face.proposal
    overrides = checked_overrides(outgoing.overrides)
    known = known or known_voxels(outgoing)
    stopping = {check.name for check in outgoing.checks if stops(check, outgoing.strict)}
    voxels = int(np.count_nonzero(mask))
    by = outgoing.by or this_user()
    return {
        "schema_version": 1,
        "tool": {"name": "CTADeface", "version": __version__},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": status,
        "model": outgoing.face.model,
        "settings": outgoing.settings,
        "input": {"voxels_sha256": known["before"], **_grid(volume)},
        "output": {"voxels_sha256": known["after"], "changed_voxels": known["changed"], **known.get("files", {})},
        "mask": {
            "voxels_sha256": known["mask"],
            "voxels": voxels,
            "ml": round(volume.geometry.millilitres(voxels), 3),
            "edits": None if proposal is None else edits(mask, proposal),
        },
        "kept": None if outgoing.face.kept is None else kept_facts(outgoing.face.kept, outgoing),
        "checks": [check.as_dict() for check in outgoing.checks],
        "overrides": [
            {"check": name, "reason": str(reason), "by": by} for name, reason in overrides.items() if name in stopping
        ],
        "seconds": {stage: round(float(s), 3) for stage, s in outgoing.scan.seconds.items()},
        "names": outgoing.scan.names,
        "identity": outgoing.identity,
    }


def kept_facts(kept: Kept, outgoing: Outgoing) -> dict:
    """The structures that were kept, and how much of the face mask was not filled because of them."""
    millilitres, spared = outgoing.volume.geometry.millilitres, kept.spared(outgoing.mask)
    return {
        "structures": [
            {
                "name": one.name,
                "voxels": one.voxels,
                "ml": round(millilitres(one.voxels), 3),
                "spared_ml": round(millilitres(one.in_mask(outgoing.mask)), 3),
            }
            for one in kept.structures
        ],
        "spared_voxels": spared,
        "spared_ml": round(millilitres(spared), 3),
    }


def write_record(record: dict, path: str | Path) -> None:
    """Write a record as JSON to ``path``, which the caller has chosen or staged. Raises: OutputError."""
    path = Path(path)
    try:
        private_folder(path.parent)
        with open_private(path, encoding="utf-8") as stream:
            stream.write(json.dumps(record, indent=1) + "\n")
    except OSError as error:
        raise OutputError(
            f"{path.parent}: the record cannot be written ({error.strerror}); free space or choose another folder for records."
        ) from None


def same_record(record: dict, folder: str | Path, name: str) -> Path | None:
    """The path of the last record of a case in ``folder`` when it equals ``record`` except for the times; or None.

    When a run was killed after it had written everything, but before it could say so, the next run adds no second record.
    """
    path = last_record_path(folder, name)
    if path is None:
        return None
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        return path if _timeless(before) == _timeless(json.loads(json.dumps(record))) else None
    except (AttributeError, OSError, ValueError):
        return None


def _timeless(record: dict) -> dict:
    return {key: value for key, value in record.items() if key not in ("created", "seconds")}


def _grid(volume: Volume) -> dict:
    geometry = volume.geometry
    return {
        "voxels": list(volume.stored.shape[::-1]),
        "dtype": volume.stored.dtype.name,
        "slope": volume.slope,
        "intercept": volume.intercept,
        "spacing_mm": [float(s) for s in geometry.spacing],
        "origin_lps_mm": [float(o) for o in geometry.origin],
        "direction_lps": [float(d) for d in np.ravel(geometry.direction)],
    }


def this_user() -> str:
    """The name of this computer's user, 'unknown' where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"

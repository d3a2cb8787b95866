"""The key by which a batch gives its patients pseudonyms: one for all cases, made before any is handed out."""

from __future__ import annotations

from pathlib import Path

from ..cases.options import Options
from ..dicom.headers.secret_key import SecretKey, secret_key
from ..errors import InputError
from .find import Places
from .manifest import Manifest

# In the first line of the manifest: by what the key is told from others, and where it lies, if a person gave it.
FINGERPRINT, GIVEN = "pseudonyms", "pseudonym_key"


def of_batch(options: Options, where: Places, manifest: Manifest, header: dict | None) -> dict[str, object]:
    """What the first line of the ``manifest`` says of pseudonyms; the key is made if need be.

    ``header``: that line of a batch that was begun before, else None.

    Raises: InputError when the key is missing or is none, OutputError when it cannot be made.
    """
    if not options.deidentify_headers:
        return {}
    key = secret_key(options.pseudonym_key, where.hospital, where.target)
    if FINGERPRINT in (header or {}):
        _require(key)
    given = {GIVEN: manifest.relative(key.path)} if options.pseudonym_key else {}
    return {FINGERPRINT: key.fingerprint, "shift_dates": options.shift_dates, **given}


def options_of_batch(manifest: Manifest, where: Places) -> dict[str, str]:
    """``Options`` by which a further run of a case gives the patient the same pseudonym as the batch gave.

    Raises: InputError when the batch's key is gone, or is another one now.
    """
    header = manifest.header() or {}
    given: Path | None = manifest.resolved(header.get(GIVEN))
    if FINGERPRINT in header:
        key = secret_key(given, where.hospital, where.target)
        _require(key)
        if key.fingerprint != header[FINGERPRINT]:
            raise InputError(f"{key.path}: is not the key that this batch was begun with; put that one back.")
    return {} if given is None else {GIVEN: str(given)}


def _require(key: SecretKey) -> None:
    if not key.path.is_file():
        raise InputError(f"{key.path}: the key of this batch's pseudonyms is gone; put back the copy that you have kept.")

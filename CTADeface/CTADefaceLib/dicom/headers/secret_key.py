"""The hospital's secret, from which new UIDs, pseudonyms and shifts of dates are computed.

Without it nobody can find the old value from the new one, or try out for which patient a pseudonym stands; with it the same
patient gets the same pseudonym again, in every run.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import sys
from functools import cached_property
from pathlib import Path

from ...errors import InputError, OutputError
from ...files.publish import publishing
from ...files.storage.private import open_private
from ...release.hospital_folder import require_outside
from ...release.known_folders import KEY

BYTES = 32
LEGAL = re.compile(f"(?:[0-9A-Fa-f]{{2}}){{{BYTES},}}")
# More than any key holds: what is given may be a disk, or a scan.
MOST_BYTES = 4096
# Windows' shell writes text so.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class SecretKey:
    """The key in the file ``path``: 64 or more hexadecimal digits. It is read, and unless it was ``given`` also made, when
    it is first needed. ``release``: as for ``publishing``."""

    def __init__(self, path: str | Path, given: bool = False, release: str | Path | None = None) -> None:
        self.path, self._given, self._release = Path(path), given, release

    @cached_property
    def text(self) -> str:
        """The digits. Raises: InputError for a key that is missing or is none, OutputError when it cannot be made."""
        if not self._given and not self.path.exists():
            self._make()
        try:
            with open(self.path, "rb") as stream:
                content = stream.read(MOST_BYTES)
        except FileNotFoundError:
            raise InputError(
                f"{self.path}: there is no such key; make it once, with (umask 077; openssl rand -hex {BYTES} > {self.path}), "
                "or leave --pseudonym-key out, and one is made in the folder of the records."
            ) from None
        except OSError as error:
            raise InputError(
                f"{self.path}: the key cannot be read ({error.strerror}); give a file that you may read."
            ) from None
        text = content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig", errors="replace").strip()
        if not LEGAL.fullmatch(text):
            raise InputError(
                f"{self.path}: is not a key of {2 * BYTES} or more hexadecimal digits; "
                + ("give the file that holds the key." if self._given else "put back the copy that you have kept.")
            )
        return text

    def digest(self, *what: str) -> bytes:
        """HMAC-SHA256 of texts, of which the first says what it is for; 32 bytes. Raises: as ``text``."""
        return hmac.new(bytes.fromhex(self.text), json.dumps(what).encode(), hashlib.sha256).digest()

    @property
    def fingerprint(self) -> str:
        """A text by which this key is told from others, and which tells nothing of it. Raises: as ``text``."""
        return self.digest("fingerprint")[:8].hex()

    @property
    def is_open_to_others(self) -> bool:
        """May other users of this computer read a key that was given? One that is made is for its owner only."""
        return self._given and sys.platform != "win32" and bool(os.stat(self.path).st_mode & 0o077)

    def _make(self) -> None:
        try:
            with publishing([self.path], release=self._release) as (staged,), open_private(staged, encoding="ascii") as stream:
                stream.write(secrets.token_hex(BYTES))
        except OutputError:
            # Another run may have made it meanwhile.
            if not self.path.exists():
                raise


def secret_key(chosen: str | Path | None, hospital: str | Path, release: str | Path) -> SecretKey:
    """The key that was ``chosen``, or else the one that lies in the folder ``hospital`` or is made there when needed.

    Raises: InputError when the chosen one lies in the folder ``release``.
    """
    if chosen is None:
        return SecretKey(Path(hospital) / KEY, release=release)
    require_outside(chosen, release, "Keys")
    return SecretKey(chosen, given=True)

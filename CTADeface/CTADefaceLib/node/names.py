"""What the node calls studies and files: names that tell nothing, and that are the same whenever the same one arrives."""

from __future__ import annotations

from pathlib import Path

from ..dicom.headers.secret_key import SecretKey

NAME = "node.key"
STUDY_DIGITS, FILE_DIGITS = 16, 24
SUFFIX = ".dcm"


class Names:
    """Names by the secret key in ``folder``, which is made when it is missing: without it no UID can be tried out."""

    def __init__(self, folder: str | Path) -> None:
        self._key = SecretKey(Path(folder) / NAME)

    def study(self, uid: str) -> str:
        """The name of a study, of hexadecimal digits. UIDs come from others, and are never used as names themselves."""
        return self._key.digest("study", uid).hex()[:STUDY_DIGITS]

    def file(self, uid: str) -> str:
        """The name of the file of an instance."""
        return self._key.digest("file", uid).hex()[:FILE_DIGITS] + SUFFIX

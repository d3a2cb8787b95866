"""Takes in one file at a time: when ``Spool.put`` returns, the disk has it, whatever happens next."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from ..dicom.reading.deflated import refuse_bomb
from ..dicom.reading.dicom_packages import need_pydicom, no_values_in_warnings
from ..errors import InputError, OutputError
from ..files.storage.moves import flush_folder
from ..files.storage.private import open_private, private_folder
from .arrivals import Arrivals
from .config import Config
from .names import Names

PARTS = ".parts"
TAGS = ("StudyInstanceUID", "SOPInstanceUID", "SOPClassUID")
# What became of a file.
NEW, AGAIN, CHANGED = "new", "again", "changed"


class NoRoom(OutputError):
    """The disk is nearly full."""


@dataclass(frozen=True)
class Taken:
    """``study`` and ``file`` by their names in the node; ``what``: NEW, AGAIN (the same file is there), or CHANGED (another
    content under a UID that came before)."""

    study: str
    file: str
    what: str


class Spool:
    """The folders of studies that arrive, and of those that are complete.

    ``known(study, file)`` is the SHA-256 of a file that the node has had and deleted since, or None.
    """

    def __init__(self, config: Config, arrivals: Arrivals, known: Callable[[str, str], str | None]) -> None:
        self._config, self._arrivals, self._known = config, arrivals, known
        self.names = Names(config.folder)
        # Held while a file gets its name, and while a study is moved.
        self.lock = threading.Lock()
        self._parts = private_folder(config.incoming / PARTS)
        for left in self._parts.iterdir():
            left.unlink()

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._config.folder).free

    def put(self, content: bytes, uid: str | None = None, sender: object = None) -> Taken:
        """Take in a DICOM file; ``uid``: what its SOP Instance UID must be, ``sender``: as for ``Arrivals.came``.

        Raises: NoRoom, OutputError when it cannot be written, InputError when it is not what it should be.
        """
        if self.free_bytes() - len(content) < self._config.keep_free_bytes:
            raise NoRoom(f"{self._config.folder}: less than {self._config.keep_free_bytes / 1e9:g} GB are free; make room.")
        part = self._parts / uuid4().hex
        try:
            with open_private(part, "wb") as stream:
                stream.write(content)
                stream.flush()
                study, file = self._named(part, uid)
                os.fsync(stream.fileno())
            return self._placed(part, Taken(study, file, NEW), content, sender)
        except OSError as error:
            raise NoRoom(f"{self._config.folder}: cannot be written ({error.strerror}); make room.") from None
        finally:
            part.unlink(missing_ok=True)

    @no_values_in_warnings()
    def _named(self, part: Path, uid: str | None) -> tuple[str, str]:
        pydicom = need_pydicom()
        try:
            refuse_bomb(part)
            header = pydicom.dcmread(part, specific_tags=list(TAGS), stop_before_pixels=True)
            study, instance, sop_class = (str(header.get(tag) or "") for tag in TAGS)
        except Exception as error:  # pydicom raises many kinds for damaged files
            raise InputError(f"the file cannot be read as DICOM ({type(error).__name__}); send it again.") from None
        if not study or not instance or not sop_class:
            raise InputError("the file names no study, instance or class; send one that does.")
        if uid is not None and uid != instance:
            raise InputError("the file is another instance than was announced; send it again.")
        return self.names.study(study), self.names.file(instance)

    def _placed(self, part: Path, taken: Taken, content: bytes, sender: object) -> Taken:
        """Give the file its name, unless it is there already."""
        with self.lock:
            folder = self._config.incoming / taken.study
            what = self._what(taken, content)
            if what != AGAIN:
                is_new = not folder.exists()
                private_folder(folder)
                os.replace(part, folder / taken.file)
                flush_folder(folder)
                if is_new:
                    flush_folder(self._config.incoming)
            if folder.exists():
                self._arrivals.came(taken.study, sender)
        return Taken(taken.study, taken.file, what)

    def _what(self, taken: Taken, content: bytes) -> str:
        there = [root / taken.study / taken.file for root in (self._config.incoming, self._config.studies)]
        for path in there:
            with suppress(FileNotFoundError):
                return AGAIN if path.read_bytes() == content else CHANGED
        known = self._known(taken.study, taken.file)
        if known is None:
            return NEW
        return AGAIN if known == hashlib.sha256(content).hexdigest() else CHANGED


def arriving(config: Config) -> list[str]:
    """The names of the studies that are not complete yet."""
    return folders_in(config.incoming)


def folders_in(place: Path) -> list[str]:
    """The names of the folders in ``place``, without hidden ones."""
    with suppress(FileNotFoundError):
        return sorted(path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    return []

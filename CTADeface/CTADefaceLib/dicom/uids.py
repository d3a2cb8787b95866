"""New UIDs for a study; the same old UID always gets the same new one.

UIDs of series and instances are random and new in every run, because different pixels must not share one UID. The UID of
the study stays the same when a further series is released. It is computed from the old one and a random key, which the
hospital keeps; without the key, the old one cannot be found from it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..files.private import open_private
from ..files.publish import publishing
from .dicom_packages import need_pydicom

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

KEY = "uids.key"
KEY_BYTES = 32

# UIDs of an instance and of what it belongs to. The frame of reference stays, unless headers are cleaned.
OF_INSTANCES = {
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "ReferencedSOPInstanceUID",
    "ReferencedSOPInstanceUIDInFile",
    "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
    "IrradiationEventUID",
    "StorageMediaFileSetUID",
    "DimensionOrganizationUID",
}


class NewUids:
    """Old UID -> new UID, for one run.

    Parameters: ``lasting`` the old UIDs (of studies, frames of reference) whose new ones are the same in every run with
    the same ``folder`` of the hospital, where the key is kept; it is made when it is first needed.
    """

    def __init__(self, lasting: Iterable[str | None] = (), folder: str | Path | None = None) -> None:
        self._lasting, self._folder = frozenset(lasting), folder
        self._new: dict[str, str] = {}
        self._made: set[str] = set()

    def __call__(self, uid: str) -> str:
        """The new UID of ``uid``; a new one stays as it is. Raises: OutputError when the key cannot be kept."""
        uid = str(uid)
        if uid in self._made:
            return uid
        if uid not in self._new:
            # Without sources it is a random number.
            sources = [self._key, uid] if uid in self._lasting else None
            self._new[uid] = need_pydicom().uid.generate_uid(entropy_srcs=sources)
            self._made.add(self._new[uid])
        return self._new[uid]

    def replace(self, element: DataElement) -> None:
        """Replace the UID or UIDs of a data element; empty ones stay."""
        if element.value:
            many = element.VM > 1
            element.value = [self(uid) for uid in element.value] if many else self(element.value)

    def replace_in(self, dataset: Dataset) -> None:
        """Replace all UIDs of instances, series and studies in ``dataset`` and its sequences."""
        for element in dataset.iterall():
            if element.VR == "UI" and element.keyword in OF_INSTANCES:
                self.replace(element)

    @cached_property
    def _key(self) -> str:
        assert self._folder is not None, "UIDs last only where the hospital's folder is known."
        path = Path(self._folder) / KEY
        try:
            with publishing([path]) as (staged,), open_private(staged, encoding="ascii") as stream:
                stream.write(secrets.token_hex(KEY_BYTES))
        except OutputError:
            if not path.exists():
                raise
        return path.read_text(encoding="ascii")

"""New UIDs for a study; the same old UID always gets the same new one.

UIDs of series and instances are random and new in every run, because different pixels must not share one UID. The UID of
a study stays the same when a further series is released, and when another study refers to it; so does that of a frame of
reference. They are computed from the old ones and a random key, which the hospital keeps; without the key, the old ones cannot
be found from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..reading.dicom_packages import need_pydicom
from .secret_key import SecretKey

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

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
# What stands here gets the same new UID in every run with the same key, also where another study is named.
LASTING = {"StudyInstanceUID", "FrameOfReferenceUID", "ReferencedFrameOfReferenceUID"}


class NewUids:
    """Old UID -> new UID, for one run.

    Parameters: ``lasting`` the old UIDs (of studies, frames of reference) whose new ones are the same in every run with
    the same ``key``; without a key none are.
    """

    def __init__(self, lasting: Iterable[str | None] = (), key: SecretKey | None = None) -> None:
        self._lasting, self._key = set(lasting), key
        self._new: dict[str, str] = {}
        self._made: set[str] = set()

    def __call__(self, uid: str) -> str:
        """The new UID of ``uid``; a new one stays as it is. Raises: as ``SecretKey.text``."""
        uid = str(uid)
        if uid in self._made:
            return uid
        if uid not in self._new:
            # Without sources it is a random number.
            sources = [self._key.text, uid] if self._key is not None and uid in self._lasting else None
            self._new[uid] = need_pydicom().uid.generate_uid(entropy_srcs=sources)
            self._made.add(self._new[uid])
        return self._new[uid]

    def replace(self, element: DataElement) -> None:
        """Replace the UID or UIDs of a data element; empty ones stay."""
        if element.value:
            if element.keyword in LASTING:
                self._lasting.update(map(str, element.value if element.VM > 1 else [element.value]))
            many = element.VM > 1
            element.value = [self(uid) for uid in element.value] if many else self(element.value)

    def replace_in(self, dataset: Dataset) -> None:
        """Replace all UIDs of instances, series and studies in ``dataset`` and its sequences."""
        for element in dataset.iterall():
            if element.VR == "UI" and element.keyword in OF_INSTANCES:
                self.replace(element)

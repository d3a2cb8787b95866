"""New UIDs for a study, the same new one wherever the same old one stood; random, and kept nowhere after the run."""

from .packages import need_pydicom

# What names an instance or what it belongs to. The frame of reference stays, unless headers are cleaned.
OF_INSTANCES = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "ReferencedSOPInstanceUID",
                "ReferencedSOPInstanceUIDInFile", "ConcatenationUID",
                "SOPInstanceUIDOfConcatenationSource", "IrradiationEventUID", "StorageMediaFileSetUID",
                "DimensionOrganizationUID"}


class NewUids:
    """Old UID -> new UID, for one run."""

    def __init__(self):
        self._new, self._made = {}, set()

    def __call__(self, uid):
        """The new UID of ``uid``; one of ours stays."""
        uid = str(uid)
        if uid in self._made:
            return uid
        if uid not in self._new:
            # A random number: nothing of the old one can be found from it.
            self._new[uid] = need_pydicom().uid.generate_uid()
            self._made.add(self._new[uid])
        return self._new[uid]

    def replace(self, element):
        """Replace the UID or UIDs of a data element; empty ones stay."""
        if element.value:
            many = element.VM > 1
            element.value = [self(uid) for uid in element.value] if many else self(element.value)

    def replace_in(self, dataset):
        """Replace all UIDs of instances, series and studies in ``dataset`` and its sequences."""
        for element in dataset.iterall():
            if element.VR == "UI" and element.keyword in OF_INSTANCES:
                self.replace(element)

"""Stands for ``slicer.dicomDatabase`` (ctkDICOMDatabase): an index of the DICOM files in one folder."""

from pathlib import Path


class DicomDatabase:
    """The functions that map instances, files, series and studies."""

    def __init__(self, folder):
        import pydicom

        self._files = {}
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
                self._files[str(path)] = tuple(
                    str(header.get(name, "")) for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
                )

    def fileForInstance(self, uid):
        """The file of an instance, an empty string for an unknown one."""
        return next((path for path, uids in self._files.items() if uids[0] == uid), "")

    def seriesForFile(self, path):
        return self._files[str(path)][1] if str(path) in self._files else ""

    def studyForSeries(self, series):
        return next((uids[2] for uids in self._files.values() if uids[1] == series), "")

    def seriesForStudy(self, study):
        return list(dict.fromkeys(uids[1] for uids in self._files.values() if uids[2] == study))

    def filesForSeries(self, series):
        return [path for path, uids in self._files.items() if uids[1] == series]

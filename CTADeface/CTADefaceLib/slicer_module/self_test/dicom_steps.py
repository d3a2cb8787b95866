"""A whole study through Slicer's DICOM database: in, defaced by the panel's button, out, and in again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import slicer

from ...dicom.transfer.association import Peer
from ...face.synthetic_head import AIR, head_parts
from ..scene import face_segment, volumes
from .made_study import BRIGHTER_HU, PATIENT_ID, SERIES, write_study
from .synthetic_scene import synthetic_head
from .tutorial_steps import override_failures

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest


FEW = 1e-4


class DicomSteps:
    """``case`` asserts, ``panel`` is the module's, files go to ``folder``, ``said`` holds what its windows would show."""

    def __init__(self, case: ScriptedLoadableModuleTest, panel: Any, folder: Path, said: list[str]) -> None:
        self.case, self.panel, self.folder, self.said = case, panel, folder, said
        self.ui = panel.ui

    def run(self) -> None:
        from DICOMLib import DICOMUtils

        head, _face = synthetic_head("DICOM head")
        write_study(volumes.engine_volume(head), self.folder / "in")
        with DICOMUtils.TemporaryDICOMDatabase(str(self.folder / "database")) as database:
            self.case.delayDisplay("DICOM: a study of three series, a localizer and an RTSTRUCT")
            DICOMUtils.importDicom(str(self.folder / "in"))
            (patient,) = database.patients()
            (study,) = database.studiesForPatient(patient)
            self.case.assertEqual(len(database.seriesForStudy(study)), len(SERIES) + 2)
            volume = loaded_series(self.folder / "in" / "1")
            output = self._export(volume)
            self._send()
            self._look_at_the_database(database, patient, study)
            self._compare(output)

    def _export(self, volume: VolumeNode) -> VolumeNode:
        """Deface the study by the button; returns the defaced node."""
        self.case.delayDisplay("DICOM: the whole study through the button")
        panel, ui = self.panel, self.ui
        panel.parameters.inputVolume = volume
        panel.parameters.fill = "air"
        hu, face, _brain, _bone = head_parts()
        # Slicer may store the axes another way round than the synthetic head.
        turned = self._turned(slicer.util.arrayFromVolume(volume), hu, face)
        face_segment.set_mask(face_segment.new_face(volume), turned, volume)
        panel.update()
        ui.checkButton.click()
        override_failures(panel)
        self.case.assertEqual(self.said, [])
        # Only where highdicom is installed: a self-test installs nothing.
        seg = find_spec("highdicom") is not None
        ui.wholeStudyCheckBox.checked = ui.deidentifyCheckBox.checked = True
        ui.maskSegCheckBox.checked = seg
        with patch.object(panel.export_section, "ask_folder", return_value=str(self.folder / "release")):
            ui.exportDicomButton.click()
        ui.wholeStudyCheckBox.checked = ui.deidentifyCheckBox.checked = ui.maskSegCheckBox.checked = False
        # One sentence, about the series that no mask can deface.
        self.case.assertEqual(len(self.said), 1, str(self.said))
        self.case.assertTrue("localizer" in self.said[0] and "RTSTRUCT" in self.said[0], self.said[0])
        released = sorted(path.name for path in (self.folder / "release").iterdir())
        self.case.assertEqual(len(released), len(SERIES), str(released))
        masks = list((self.folder / "release-hospital-only").glob("*.seg.dcm"))
        self.case.assertEqual(len(masks), len(SERIES) if seg else 0, "masks as DICOM SEG")
        self.case.assertFalse(
            [path for path in (self.folder / "release").rglob("*") if path.is_file() and path.suffix != ".dcm"]
        )
        return panel.segmentation.GetNodeReference(face_segment.DEFACED)

    def _send(self) -> None:
        """Send the release by the button to an archive on this computer; a release with one byte more is refused."""
        # A self-test installs nothing.
        if find_spec("pynetdicom") is None:
            return
        self.case.delayDisplay("DICOM: the release to a DICOM node")
        files = sorted((self.folder / "release").rglob("*.dcm"))
        with archive_here() as (peer, got), patch.object(self.panel.send_section, "ask_peer", return_value=peer):
            self.ui.sendDicomButton.click()
            self.case.assertEqual(sorted(got), sorted(_uid(path) for path in files))
            whole = files[0].read_bytes()
            files[0].write_bytes(whole + b"\0\0")
            del self.said[:], got[:]
            self.ui.sendDicomButton.click()
            files[0].write_bytes(whole)
            self.case.assertEqual((got, len(self.said)), ([], 1), str(self.said))
            del self.said[:]

    def _look_at_the_database(self, database: Any, patient: str, study: str) -> None:
        """The new study lies under a new patient, and the old patient has the old study alone."""
        from DICOMLib import DICOMUtils

        self.case.delayDisplay("DICOM: the release in the database")
        DICOMUtils.importDicom(str(self.folder / "release"))
        self.case.assertEqual(list(database.studiesForPatient(patient)), [study])
        self.case.assertEqual(len(database.seriesForStudy(study)), len(SERIES) + 2)
        (new_patient,) = set(database.patients()) - {patient}
        (new_study,) = database.studiesForPatient(new_patient)
        self.case.assertNotEqual(new_study, study)
        new_series = database.seriesForStudy(new_study)
        self.case.assertEqual(len(new_series), len(SERIES))
        for series in new_series:
            for path in database.filesForSeries(series):
                self.case.assertNotIn(PATIENT_ID, database.fileValue(path, "0010,0020"))
                self.case.assertNotIn("Synthetic", database.fileValue(path, "0010,0010"))

    def _compare(self, output: VolumeNode) -> None:
        """Load the released series again: the first equal to the defaced node voxel by voxel, all of them without a face."""
        hu, face, _brain, _bone = head_parts()
        for number, folder in enumerate(sorted((self.folder / "release").iterdir()), 1):
            again = loaded_series(folder)
            voxels = slicer.util.arrayFromVolume(again)
            if number == 1:
                self.case.assertTrue(np.array_equal(voxels, slicer.util.arrayFromVolume(output)), "the first series")
                self.case.assertTrue(np.allclose(volumes.grid_to_ras(again), volumes.grid_to_ras(output), atol=1e-3))
            original = hu + np.int16(BRIGHTER_HU if number == 3 else 0)
            ways = _ways(original, face, every=1 if number == 1 else 2)
            filled = any(_is_filled(voxels, *turned) for turned in ways if turned[0].shape == voxels.shape)
            self.case.assertTrue(filled, f"series {number} is the original with its face filled")

    def _turned(self, loaded: np.ndarray, hu: np.ndarray, face: np.ndarray) -> np.ndarray:
        for steps in itertools.product((1, -1), repeat=3):
            axes = tuple(slice(None, None, step) for step in steps)
            if np.array_equal(loaded, hu[axes]):
                return np.ascontiguousarray(face[axes])
        raise AssertionError("the series was not loaded as it was written")


@contextmanager
def archive_here() -> Iterator[tuple[Peer, list[str]]]:
    """A DICOM node on this computer: (``Peer``, UIDs of the files that it has taken)."""
    from pynetdicom import AE, StoragePresentationContexts, evt

    got: list[str] = []

    def take(event: Any) -> int:
        got.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    ae = AE("CTADEFACETEST")
    ae.supported_contexts = StoragePresentationContexts
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    assert server is not None
    try:
        yield Peer("127.0.0.1", server.server_address[1], ae.ae_title), got
    finally:
        server.shutdown()


def _uid(path: Path) -> str:
    from pydicom import dcmread

    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def _ways(hu: np.ndarray, face: np.ndarray, every: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Voxels and face with their axes turned in all ways, each ``every`` slices from either end."""
    for steps in itertools.product((1, -1), repeat=3):
        axes = tuple(slice(None, None, step) for step in steps)
        for start in range(every):
            yield hu[axes][start::every], face[axes][start::every]


def _is_filled(voxels: np.ndarray, original: np.ndarray, face: np.ndarray) -> bool:
    """Is the face air, and all else as it was, but for the few voxels by which a mask grows on another series?"""
    beside = voxels[~face][voxels[~face] != original[~face]]
    return bool((voxels[face] == AIR).all() and (beside == AIR).all() and len(beside) < FEW * voxels.size)


def loaded_series(folder: Path) -> VolumeNode:
    """Load the only series of a folder, which Slicer's DICOM database knows; returns its volume node."""
    from DICOMLib import DICOMUtils

    files = [str(path) for path in sorted(folder.rglob("*.dcm"))]
    (node,) = DICOMUtils.loadSeriesByUID([slicer.dicomDatabase.seriesForFile(files[0])])
    return slicer.mrmlScene.GetNodeByID(node)

"""What CTADefaceTest runs in Slicer and by CTest: the whole flow on a synthetic head with the bundled model."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ..checks.check import FAIL, PASS
from ..errors import ChecksFailed, OutputError
from ..face.synthetic_head import AIR, SPACING_MM, head_parts
from .packages.install import state
from .scene import face_segment, volumes
from .scene.application import layout_manager
from .scene.preview import SIDE_BY_SIDE, STATES

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

    from .logic import FaceLogic


class SelfTest:
    """``case`` is the test case that asserts; ``logic`` the module's."""

    def __init__(self, case: ScriptedLoadableModuleTest, logic: FaceLogic) -> None:
        self.case, self.logic = case, logic

    def run(self) -> None:
        """Segment, edit, look at, check, fill and export a synthetic head, also as DICOM. Raises: AssertionError."""
        volume, face = synthetic_head()
        before = slicer.util.arrayFromVolume(volume).copy()
        segmentation = self._segment(volume, face)
        mask = self.logic.faceMask(volume, segmentation)
        self._edit(volume, segmentation, mask)
        # The synthetic face is no real one: a person would paint what the network leaves of it.
        face_segment.set_mask(segmentation, mask | face, volume)
        self._preview_and_check(volume, segmentation)
        self._fill_and_export(volume, segmentation)
        self._dicom()
        self.case.assertTrue(np.array_equal(before, slicer.util.arrayFromVolume(volume)), "the input was changed")

    def _segment(self, volume: VolumeNode, face: np.ndarray) -> SegmentationNode:
        if not state().ready:
            # A build machine has no torch: everything after the network is tested with the true mask.
            self.case.delayDisplay("The network is not tested: " + state().reason)
            segmentation = face_segment.new_face(volume)
            face_segment.set_mask(segmentation, face, volume)
            face_segment.set_proposal(segmentation, face, volume)
            return segmentation
        self.case.delayDisplay("Segmenting a synthetic head")
        segmentation = self.logic.segmentFace(volume)
        mask = self.logic.faceMask(volume, segmentation)
        dice = 2 * (mask & face).sum() / (mask.sum() + face.sum())
        self.case.assertGreater(dice, 0.6)
        return segmentation

    def _edit(self, volume: VolumeNode, segmentation: SegmentationNode, mask: np.ndarray) -> None:
        self.case.assertFalse(self.logic.isEdited(volume, segmentation))
        self.logic.growMask(volume, segmentation, 3.0)
        grown = self.logic.faceMask(volume, segmentation)
        self.case.assertTrue((grown & mask).sum() == mask.sum() and grown.sum() > mask.sum())
        self.case.assertTrue(self.logic.isEdited(volume, segmentation))
        self.logic.restoreModelMask(volume, segmentation)
        self.case.assertFalse(self.logic.isEdited(volume, segmentation))

    def _preview_and_check(self, volume: VolumeNode, segmentation: SegmentationNode) -> None:
        if layout_manager() is not None:
            for state in (*STATES, SIDE_BY_SIDE):
                self.case.delayDisplay("Preview: " + state)
                self.logic.showPreview(volume, segmentation, state)
                self.case.assertEqual(self.logic.preview.state, state)
            self.logic.hidePreview()
        checks = {check.name: check.verdict for check in self.logic.runChecks(volume, segmentation)}
        self.case.assertTrue(checks["mask_filled"] == checks["outside"] == PASS, str(checks))

    def _dicom(self) -> None:
        """A series through Slicer's DICOM database: in, defaced, out, and in again; equal voxel by voxel."""
        if not hasattr(slicer.modules, "dicom"):
            self.case.delayDisplay("DICOM is not tested: this Slicer was built without its DICOM module")
            return
        from DICOMLib import DICOMUtils

        from ..dicom.new_series import as_slices, write_new_series

        self.case.delayDisplay("A series through the DICOM database")
        hu, face, _brain, _bone = head_parts()
        with tempfile.TemporaryDirectory() as name, DICOMUtils.TemporaryDICOMDatabase(str(Path(name, "database"))):
            folder = Path(name, "in")
            folder.mkdir()
            write_new_series(as_slices(volumes.engine_volume(synthetic_head()[0]), hu), folder)
            name_patient(folder)
            volume = loaded_series(folder)
            segmentation = face_segment.new_face(volume)
            # Slicer may store the axes another way round than the synthetic head.
            turned = self._turned(slicer.util.arrayFromVolume(volume), hu, face)
            face_segment.set_mask(segmentation, turned, volume)
            output = self.logic.applyFill(volume, segmentation, fill="air")
            failed = {c.name: "synthetic" for c in self.logic.runChecks(volume, segmentation, "air") if c.verdict == FAIL}
            results = self.logic.exportDicom(output, Path(name, "release"), overrides=failed, by="self-test")
            self.case.assertEqual([result.status for result in results], ["defaced"])
            again = loaded_series(Path(results[0].defaced or ""))
            self.case.assertIsNot(again, volume)
            self.case.assertTrue(np.array_equal(slicer.util.arrayFromVolume(output), slicer.util.arrayFromVolume(again)))
            self.case.assertTrue(np.allclose(volumes.grid_to_ras(output), volumes.grid_to_ras(again), atol=1e-3))

    def _turned(self, loaded: np.ndarray, hu: np.ndarray, face: np.ndarray) -> np.ndarray:
        for steps in itertools.product((1, -1), repeat=3):
            axes = tuple(slice(None, None, step) for step in steps)
            if np.array_equal(loaded, hu[axes]):
                return np.ascontiguousarray(face[axes])
        raise AssertionError("the series was not loaded as it was written")

    def _fill_and_export(self, volume: VolumeNode, segmentation: SegmentationNode) -> None:
        self.case.delayDisplay("Filling and exporting")
        mask = self.logic.faceMask(volume, segmentation)
        output = self.logic.applyFill(volume, segmentation, fill="air")
        voxels = slicer.util.arrayFromVolume(output)
        self.case.assertTrue((voxels[mask] == AIR).all())
        self.case.assertTrue(np.array_equal(voxels[~mask], slicer.util.arrayFromVolume(volume)[~mask]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "release", "head_defaced.nrrd")
            with self.case.assertRaises(ChecksFailed):
                self.logic.exportVolume(left_as_it_was(output, volume), path)
            output = self.logic.applyFill(volume, segmentation, fill="air")
            record = self.logic.exportVolume(output, path)
            self.case.assertEqual(record.parent.name, "release-hospital-only")
            with self.case.assertRaises(OutputError):
                self.logic.exportVolume(output, path)
            read = slicer.util.loadVolume(str(path))
            self.case.assertTrue(np.array_equal(voxels, slicer.util.arrayFromVolume(read)))
            self.case.assertTrue(np.allclose(volumes.grid_to_ras(read), volumes.grid_to_ras(volume)))


def name_patient(folder: Path) -> None:
    """Give the files of a folder a patient, whom Slicer's database wants."""
    import pydicom

    for path in folder.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.PatientName = "CTADeface", "Synthetic^Head"
        dataset.save_as(path)


def loaded_series(folder: Path) -> VolumeNode:
    """Import the only series of a folder into Slicer's DICOM database and load it; returns its volume node."""
    from DICOMLib import DICOMUtils

    files = [str(path) for path in sorted(folder.rglob("*.dcm"))]
    DICOMUtils.importDicom(str(folder))
    series = slicer.dicomDatabase.seriesForFile(files[0])
    (node,) = DICOMUtils.loadSeriesByUID([series])
    return slicer.mrmlScene.GetNodeByID(node)


def left_as_it_was(output: VolumeNode, volume: VolumeNode) -> VolumeNode:
    """The defaced node ``output`` with the original's voxels, as a fault would leave it."""
    slicer.util.updateVolumeFromArray(output, slicer.util.arrayFromVolume(volume))
    return output


def synthetic_head() -> tuple[VolumeNode, np.ndarray]:
    """A volume node with the synthetic head, and its face, bool (k, j, i)."""
    hu, face, _brain, _bone = head_parts()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Synthetic head")
    node.CreateDefaultDisplayNodes()
    slicer.util.updateVolumeFromArray(node, hu)
    node.SetSpacing([SPACING_MM] * 3)
    return node, face

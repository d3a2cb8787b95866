"""The functions of the Python console, which need no window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ...checks.check import PASS
from ...errors import ChecksFailed, OutputError
from ...face.synthetic_head import AIR
from ..packages.install import state
from ..scene import face_segment, volumes
from .synthetic_scene import structure_in, synthetic_head

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer import vtkMRMLSegmentationNode as SegmentationNode
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

    from ..logic import FaceLogic


class ConsoleSteps:
    """``case`` asserts, ``logic`` is the module's, files go to ``folder``."""

    def __init__(self, case: ScriptedLoadableModuleTest, logic: FaceLogic, folder: Path) -> None:
        self.case, self.logic, self.folder = case, logic, folder

    def run(self) -> None:
        """Segment, edit, keep, check, fill and export a synthetic head."""
        volume, face = synthetic_head()
        before = slicer.util.arrayFromVolume(volume).copy()
        segmentation = self._segment(volume, face)
        mask = self.logic.faceMask(volume, segmentation)
        self._edit(volume, segmentation, mask)
        # The synthetic face is no real one: a person would paint what the network leaves of it.
        face_segment.set_mask(segmentation, mask | face, volume)
        self._check(volume, segmentation)
        self._fill_and_export(volume, segmentation)
        self._keep(volume, segmentation, face)
        self.case.assertTrue(np.array_equal(before, slicer.util.arrayFromVolume(volume)), "the input was changed")

    def _segment(self, volume: VolumeNode, face: np.ndarray) -> SegmentationNode:
        if not state().ready:
            segmentation = face_segment.new_face(volume)
            face_segment.set_proposed_mask(segmentation, face, volume)
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

    def _check(self, volume: VolumeNode, segmentation: SegmentationNode) -> None:
        checks = {check.name: check.verdict for check in self.logic.runChecks(volume, segmentation)}
        self.case.assertTrue(checks["mask_filled"] == checks["outside"] == PASS, str(checks))

    def _fill_and_export(self, volume: VolumeNode, segmentation: SegmentationNode) -> None:
        self.case.delayDisplay("Filling and exporting")
        mask = self.logic.faceMask(volume, segmentation)
        output = self.logic.applyFill(volume, segmentation, fill="air")
        voxels = slicer.util.arrayFromVolume(output)
        self.case.assertTrue((voxels[mask] == AIR).all())
        self.case.assertTrue(np.array_equal(voxels[~mask], slicer.util.arrayFromVolume(volume)[~mask]))
        path = self.folder / "console" / "head_defaced.nrrd"
        with self.case.assertRaises(ChecksFailed):
            self.logic.exportVolume(left_as_it_was(output, volume), path)
        output = self.logic.applyFill(volume, segmentation, fill="air")
        record = self.logic.exportVolume(output, path)
        self.case.assertEqual(record.parent.name, "console-hospital-only")
        with self.case.assertRaises(OutputError):
            self.logic.exportVolume(output, path)
        read = slicer.util.loadVolume(str(path))
        self.case.assertTrue(np.array_equal(voxels, slicer.util.arrayFromVolume(read)))
        self.case.assertTrue(np.allclose(volumes.grid_to_ras(read), volumes.grid_to_ras(volume)))

    def _keep(self, volume: VolumeNode, segmentation: SegmentationNode, face: np.ndarray) -> None:
        structures, kept = structure_in(volume, face)
        before = slicer.util.arrayFromVolume(volume)
        voxels = slicer.util.arrayFromVolume(self.logic.applyFill(volume, segmentation, fill="air", keep=[structures]))
        self.case.assertTrue(kept.any() and np.array_equal(voxels[kept], before[kept]), "kept")
        self.case.assertIn("kept", [check.name for check in self.logic.runChecks(volume, segmentation, "air")])


def left_as_it_was(output: VolumeNode, volume: VolumeNode) -> VolumeNode:
    """The defaced node ``output`` with the original's voxels, as a fault would leave it."""
    slicer.util.updateVolumeFromArray(output, slicer.util.arrayFromVolume(volume))
    return output

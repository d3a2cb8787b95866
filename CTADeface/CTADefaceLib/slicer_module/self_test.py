"""What CTADefaceTest runs in Slicer and by CTest: the whole flow on a synthetic head with the bundled model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from ..errors import ChecksFailed, OutputError
from ..face.synthetic_head import AIR, SPACING_MM, head_parts
from .packages.install import state
from .scene import face_segment, volumes

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
        """Segment, edit, fill and export a synthetic head. Raises: AssertionError."""
        volume, face = synthetic_head()
        before = slicer.util.arrayFromVolume(volume).copy()
        segmentation = self._segment(volume, face)
        mask = self.logic.faceMask(volume, segmentation)
        self._edit(volume, segmentation, mask)
        # The synthetic face is no real one: a person would paint what the network leaves of it.
        face_segment.set_mask(segmentation, mask | face, volume)
        self._fill_and_export(volume, segmentation)
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

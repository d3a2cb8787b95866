"""The steps of the tutorial, one after the other, through the buttons of the panel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import slicer

from ...checks.check import PASS
from ...face.synthetic_head import AIR
from ..packages.install import state
from ..scene import face_segment
from ..scene.application import layout_manager
from ..scene.preview import SIDE_BY_SIDE, STATES
from .synthetic_scene import structure_in, synthetic_head, wait_for

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode as VolumeNode
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest


class TutorialSteps:
    """``case`` asserts, ``panel`` is the module's, files go to ``folder``, ``said`` holds what its windows would show."""

    def __init__(self, case: ScriptedLoadableModuleTest, panel: Any, folder: Path, said: list[str]) -> None:
        self.case, self.panel, self.folder, self.said = case, panel, folder, said
        self.ui = panel.ui
        self.volume, self.face = synthetic_head("Tutorial head")
        self.before = slicer.util.arrayFromVolume(self.volume).copy()

    @property
    def steps(self) -> dict[str, Callable[[], None]]:
        """Titles as in ``docs/tutorial-slicer.md``, and what is done; the batch of the last one is in ``review_steps``."""
        return {
            "Face mask": self.face_mask,
            "Look and correct": self.look_and_correct,
            "Fill": self.fill,
            "Checks": self.checks,
            "Export": self.export,
            "In one go": self.in_one_go,
        }

    def run(self) -> None:
        self.panel.parameters.inputVolume = self.volume
        self.panel.parameters.fill = "air"
        for title, step in self.steps.items():
            self.case.delayDisplay("Tutorial: " + title)
            step()
            self.case.assertEqual(self.said, [], title)
        self.case.assertTrue(np.array_equal(self.before, slicer.util.arrayFromVolume(self.volume)), "the input was changed")

    def face_mask(self) -> None:
        if state().ready:
            self.ui.segmentButton.click()
            wait_for(lambda: self.panel.segment_section.job is None)
            mask = self._mask()
            dice = 2 * (mask & self.face).sum() / (mask.sum() + self.face.sum())
            self.case.assertGreater(dice, 0.6)
        else:
            # A build machine has no torch: everything after the network is tested with the true mask.
            self.case.delayDisplay("The network is not tested: " + state().reason)
            self.ui.drawButton.click()
            face_segment.set_proposed_mask(self.panel.segmentation, self.face, self.volume)
        # Keep: a structure of the scene, ticked before anything is filled.
        structures, self.kept = structure_in(self.volume, self.face)
        self.panel.logic.keepSegments(self.panel.segmentation, [structures])
        self.panel.update()
        self.case.assertEqual(self.ui.keepButton.text, "Orbit")

    def look_and_correct(self) -> None:
        editor, proposed = self.panel.refine_section.editor.widget, self._mask()
        self.ui.growButton.click()
        grown = self._mask()
        self.case.assertTrue((grown & proposed).sum() == proposed.sum() and grown.sum() > proposed.sum())
        editor.undo()
        self.case.assertTrue(np.array_equal(self._mask(), proposed), "undo")
        editor.redo()
        self.case.assertTrue(np.array_equal(self._mask(), grown), "redo")
        self.ui.restoreButton.click()
        self.case.assertTrue(np.array_equal(self._mask(), proposed), "restore")
        # The synthetic face is no real one: a person would paint what the network leaves of it.
        face_segment.set_mask(self.panel.segmentation, proposed | self.face, self.volume)
        if layout_manager() is None:
            return
        buttons = dict(zip(STATES, (self.ui.originalButton, self.ui.maskButton, self.ui.defacedButton)))
        for shown, button in {**buttons, SIDE_BY_SIDE: self.ui.sideBySideButton}.items():
            button.click()
            self.case.assertEqual(self.panel.preview_section.state, shown)
        self.ui.obliqueButton.click()
        self.ui.sideBySideButton.click()
        self.case.assertIsNone(self.panel.preview_section.state)

    def fill(self) -> None:
        self.ui.applyButton.click()
        voxels, filled = slicer.util.arrayFromVolume(self._defaced()), self._mask() & ~self.kept
        self.case.assertTrue((voxels[filled] == AIR).all(), "filled")
        self.case.assertTrue(np.array_equal(voxels[~filled], self.before[~filled]), "all else is as it was, the structure too")

    def checks(self) -> None:
        self.ui.checkButton.click()
        section = self.panel.checks_section
        self.case.assertTrue(section.checks)
        self.case.assertEqual(self.ui.checksTable.rowCount, len(section.checks))
        verdicts = {check.name: check.verdict for check in section.checks}
        self.case.assertTrue(verdicts["mask_filled"] == verdicts["outside"] == PASS, str(verdicts))
        self.case.assertIn("kept", verdicts)
        override_failures(self.panel)
        self.case.assertEqual(section.open_failures(), [])

    def export(self) -> None:
        path = self.folder / "release" / "head_defaced.nii.gz"
        self.ui.exportMaskCheckBox.checked = True
        with patch.object(self.panel.export_section, "ask_file", return_value=str(path)):
            self.ui.exportButton.click()
        self.case.assertEqual(self.said, [])
        hospital = self.folder / "release-hospital-only"
        self.case.assertTrue(path.is_file() and (hospital / "head_facemask.nii.gz").is_file())
        record = json.loads((hospital / "head_record.json").read_text(encoding="utf-8"))
        self.case.assertEqual([one["name"] for one in record["kept"]["structures"]], ["Orbit"])
        self.case.assertTrue(record["mask"]["edits"]["edited"])
        self.case.assertIn("head_record.json", self.ui.exportedLabel.text)

    def in_one_go(self) -> None:
        self.panel.logic.keepSegments(self.panel.segmentation, [])
        self.panel.update()
        # With a mask in the scene it fills and checks.
        self.ui.defaceButton.click()
        self.case.assertTrue((slicer.util.arrayFromVolume(self._defaced())[self._mask()] == AIR).all())
        self.case.assertIsNotNone(self.panel.checks_section.checks)

    def _mask(self) -> np.ndarray:
        return self.panel.logic.faceMask(self.volume, self.panel.segmentation)

    def _defaced(self) -> VolumeNode:
        return self.panel.segmentation.GetNodeReference(face_segment.DEFACED)


def override_failures(panel: Any) -> None:
    """Give a reason for each check that stops the export, in the panel."""
    for check in panel.checks_section.open_failures():
        panel.checks_section.select(check)
        panel.ui.reasonEdit.text = "synthetic"
        panel.ui.overrideButton.click()

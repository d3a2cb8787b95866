"""The review of a batch through the panel: a small batch of synthetic heads is made, and each decision taken once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...batch.review_queue import load_queue
from ...batch.run_batch import run_batch
from ...cases.options import Options
from ...face.synthetic_head import SPACING_MM, head_parts
from ...files.write import write_new, write_new_mask
from ...voxels.volume import Geometry
from ..background import in_background
from .tutorial_steps import override_failures

if TYPE_CHECKING:
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

CASES = ("a.nii.gz", "b.nii.gz", "c.nii.gz")


class ReviewSteps:
    """``case`` asserts, ``panel`` is the module's, files go to ``folder``, ``said`` holds what its windows would show."""

    def __init__(self, case: ScriptedLoadableModuleTest, panel: Any, folder: Path, said: list[str]) -> None:
        self.case, self.panel, self.folder, self.said = case, panel, folder, said
        self.ui = panel.ui
        self.out, self.hospital = folder / "out", folder / "out-hospital-only"

    def run(self) -> None:
        self.case.delayDisplay("Review: a batch of three heads")
        in_background(self._make_batch)
        del self.said[:]
        self.ui.reviewFolderEdit.currentPath = str(self.hospital)
        self.ui.openReviewButton.click()
        self._shows(0)
        self.ui.nextButton.click()
        self._shows(1)
        self.ui.previousButton.click()
        self._shows(0)
        self.case.delayDisplay("Review: accept, correct, reject")
        self.ui.acceptButton.click()
        self._shows(1)
        released = self.out / "case-0002_defaced.nii.gz"
        before = released.read_bytes()
        self.ui.growButton.click()
        self.ui.boneButton.click()
        self.ui.correctButton.click()
        if self.panel.checks_section.open_failures():
            # The synthetic skull is thinner than the mask that was grown.
            override_failures(self.panel)
            del self.said[:]
            self.ui.correctButton.click()
        self.case.assertNotEqual(released.read_bytes(), before)
        self._shows(2)
        # The question is answered by yes.
        self.ui.rejectButton.click()
        self.case.assertFalse((self.out / "case-0003_defaced.nii.gz").exists())
        self.case.assertTrue((self.folder / "in" / CASES[2]).exists())
        decided = {item.case: item.review for item in load_queue(self.hospital)}
        self.case.assertEqual(decided, dict(zip(CASES, ("accepted", "corrected", "rejected"))))

    def _make_batch(self) -> None:
        hu, face, _brain, _bone = head_parts()
        geometry = Geometry.from_affine(np.diag([SPACING_MM] * 3 + [1.0]))
        (self.folder / "in").mkdir(parents=True)
        for name in CASES:
            write_new(hu, geometry, self.folder / "in" / name)
        mask = self.folder / "mask.nii.gz"
        write_new_mask(face, geometry, mask)
        run_batch(self.folder / "in", self.out, Options(mask=str(mask), second_opinion=False))

    def _shows(self, number: int) -> None:
        review = self.panel.review_section.review
        shown = review.item.case if review.item is not None else None
        self.case.assertEqual(shown, CASES[number], str(self.said))
        self.case.assertTrue(review.segmentation is not None and self.panel.volume is review.volume)
        self.case.assertTrue(self.panel.checks_section.checks)

"""The module's self-test: all of its parts, one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

from ..packages.install import state
from .console_steps import ConsoleSteps
from .dicom_steps import DicomSteps
from .review_steps import ReviewSteps
from .synthetic_scene import answered, opened_panel
from .tutorial_steps import TutorialSteps

if TYPE_CHECKING:
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

    from ..logic import FaceLogic


class SelfTest:
    """``case`` is the test case that asserts; ``logic`` the module's.

    It needs nothing but a synthetic head, installs nothing, and says what it leaves out and why.
    """

    def __init__(self, case: ScriptedLoadableModuleTest, logic: FaceLogic) -> None:
        self.case, self.logic = case, logic

    def run(self) -> None:
        """Go through the console's functions, the tutorial, DICOM and the review of a batch. Raises: AssertionError."""
        with tempfile.TemporaryDirectory() as name, answered() as said, opened_panel() as panel:
            folder = Path(name)
            self._timed("console", ConsoleSteps(self.case, self.logic, folder).run)
            if panel is None:
                self.case.delayDisplay("The panel is not tested: this application has none")
                return
            self._timed("tutorial", TutorialSteps(self.case, panel, folder, said).run)
            if hasattr(slicer.modules, "dicom"):
                self._timed("DICOM", DicomSteps(self.case, panel, folder / "dicom", said).run)
            else:
                self.case.delayDisplay("DICOM is not tested: this Slicer was built without its DICOM module")
            if state().ready:
                self._timed("review", ReviewSteps(self.case, panel, folder / "review", said).run)
            else:
                self.case.delayDisplay("The review is not tested: " + state().reason)

    def _timed(self, name: str, run: Callable[[], None]) -> None:
        begin = time.monotonic()
        run()
        print(f"CTADeface self-test, {name}: {time.monotonic() - begin:.1f} s")

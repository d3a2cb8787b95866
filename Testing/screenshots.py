"""Makes Resources/panel.png and panel_dark.png in the real Slicer, on the public head. To be run by Slicer itself:

Slicer --additional-module-path CTADeface --python-script Testing/screenshots.py [dark]
"""

import sys
import time
from pathlib import Path

import qt
import slicer

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1366, 768


def wait(done=lambda: True, seconds=1.0):
    """Let Slicer work until ``done()``, and ``seconds`` more."""
    end = None
    while end is None or time.monotonic() < end:
        slicer.app.processEvents()
        if end is None and done():
            end = time.monotonic() + seconds


def main(dark):
    if dark:
        slicer.app.setStyle("Dark Slicer")
        # As Slicer's settings do.
        slicer.app.setPalette(qt.QApplication.style().standardPalette())
    window = slicer.util.mainWindow()
    window.setGeometry(0, 0, WIDTH, HEIGHT)
    slicer.util.setDataProbeVisible(False)
    slicer.util.selectModule("CTADeface")

    from CTADefaceLib.files.public_head import public_head

    slicer.util.loadVolume(str(public_head()), properties={"name": "Cranium"})
    panel = slicer.modules.ctadeface.widgetRepresentation().self()
    wait()
    panel.ui.defaceButton.click()
    wait(lambda: panel.segment_section.job is None and panel.checks_section.checks is not None)
    panel.ui.lookStep.click()
    panel.ui.sideBySideButton.click()
    panel.ui.obliqueButton.click()
    wait()
    window.grab().save(str(ROOT / "Resources" / ("panel_dark.png" if dark else "panel.png")))


main("dark" in sys.argv)
slicer.util.exit()

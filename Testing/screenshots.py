"""Makes Resources/panel.png: the panel in the test host, and the three previews as Slicer's renderer draws them.

Segment Editor's tools are those of the host's stand-in. Usage: python Testing/screenshots.py
"""

import sys

import numpy as np

import slicer_host
from helpers.paths import ENGINE, ROOT

sys.path.insert(0, str(ENGINE))
WIDTH, MARGIN = 420, 40
VIEW = 330


def main():
    host = slicer_host.start()
    import slicer

    from CTADefaceLib.files.public_head import public_head
    from CTADefaceLib.files.read import read_volume
    from helpers.slicer_scene import MODULE, add_scan
    from slicer_host.rendering import picture

    add_scan(read_volume(public_head()), "Cranium")
    panel = host.open_widget(host.load_module(MODULE))
    panel.ui.defaceButton.click()
    host.spin(lambda: panel.segment_section.job is None, 120)
    view = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    pictures = []
    for button in (panel.ui.originalButton, panel.ui.maskButton, panel.ui.defacedButton):
        button.click()
        pair = []
        for camera in (panel.ui.frontButton, panel.ui.obliqueButton):
            camera.click()
            pair.append(picture(view, VIEW))
        pictures.append(np.hstack(pair))
    panel.ui.lookStep.click()
    host.spin(0.5)
    host.grab(panel, ROOT / "Resources" / "panel.png", (WIDTH, panel.form.sizeHint.height() + MARGIN))
    paste_beside(ROOT / "Resources" / "panel.png", np.vstack(pictures))
    host.close(panel)


def paste_beside(path, pixels):
    """Append a picture (rows, columns, 3) at the right of the PNG ``path``."""
    import SimpleITK as sitk

    panel = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[:, :, :3]
    height = max(len(panel), len(pixels))
    padded = [np.pad(p, ((0, height - len(p)), (0, 0), (0, 0)), constant_values=239) for p in (panel, pixels)]
    sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(np.hstack(padded)), isVector=True), str(path), True)


if __name__ == "__main__":
    main()

"""Reading the module's files: when Slicer starts, and again by the developer's Reload button.

Reload in a process of its own, as other tests hold on to the old library.
"""

import importlib
import os
import subprocess
import sys

import pytest

from helpers.paths import ENGINE, TESTING

SECONDS = 90


def test_reload_gives_new_code_and_a_working_panel():
    for package in ("slicer", "PySide6"):
        pytest.importorskip(package)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ENGINE), str(TESTING)])}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "reloaded"


def test_the_files_can_be_read_before_slicer_has_its_segmentations(host, monkeypatch):
    import slicer

    kept = {name: sys.modules[name] for name in list(sys.modules) if name.split(".")[0] == "CTADefaceLib"}
    for name in kept:
        del sys.modules[name]
    for name in ("vtkMRMLSegmentationNode", "vtkSegmentation", "vtkSegmentationConverter", "vtkMRMLSegmentEditorNode"):
        monkeypatch.delattr(slicer, name)
    try:
        assert importlib.import_module("CTADefaceLib.slicer_module.panel.widget").FaceWidget
        assert importlib.import_module("CTADefaceLib.slicer_module.logic").FaceLogic
    finally:
        for name in [n for n in sys.modules if n.split(".")[0] == "CTADefaceLib"]:
            del sys.modules[name]
        sys.modules.update(kept)


def main():
    import slicer_host
    from helpers import phantom
    from helpers.slicer_scene import MODULE, add_volume

    host = slicer_host.start()
    import slicer

    head = add_volume(phantom.head_parts()[0])
    panel = host.open_widget(host.load_module(MODULE))
    old = sys.modules["CTADefaceLib.slicer_module.logic"]
    panel.onReload()
    fresh = slicer.modules.CTADefaceWidget
    assert sys.modules["CTADefaceLib.slicer_module.logic"] is not old and fresh is not panel
    assert fresh.volume is head
    fresh.ui.segmentButton.click()
    assert host.spin(lambda: fresh.segment_section.job is None, SECONDS)
    assert fresh.segmentation is not None and not host.dialogs
    host.close(fresh)
    print("reloaded", flush=True)


if __name__ == "__main__":
    main()

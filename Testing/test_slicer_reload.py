"""The developer's Reload button loads the library anew: in a process of its own, as other tests hold on to the old one."""

import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 90


def test_reload_gives_new_code_and_a_working_panel():
    for package in ("slicer", "PySide6"):
        pytest.importorskip(package)
    done = subprocess.run([sys.executable, __file__], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "reloaded"


def main():
    import phantom
    import slicer_host
    from slicer_scene import MODULE, add_volume

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
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "CTADeface"))
    main()

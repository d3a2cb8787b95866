"""The estimate before a run."""

import numpy as np

from CTADefaceLib.voxels import memory
from CTADefaceLib.voxels.volume import Volume


def test_warning_names_volume_need_and_remedy_only_when_it_does_not_fit(head, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**40)
    assert memory.memory_warning(head) is None
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**28)
    warning = memory.memory_warning(head)
    assert warning.startswith("phantom: needs about") and "0.2 GB are free" in warning and "crop" in warning
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    assert memory.memory_warning(head) is None


def test_need_grows_with_the_volume(head):
    larger = Volume(np.broadcast_to(np.int16(0), (400, 512, 512)), head.geometry)
    assert memory.needed_bytes(larger) - memory.needed_bytes(head) > 2 * larger.stored.size * 2

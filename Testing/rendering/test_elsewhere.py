"""Pictures drawn in a process of their own are those that this process would draw, and the work behind them can be stopped."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from CTADefaceLib.errors import Cancelled, DeviceError, InputError
from CTADefaceLib.progress import Progress
from CTADefaceLib.rendering import camera, elsewhere, offscreen

needs_vtk = pytest.mark.skipif(find_spec("vtk") is None, reason="the optional package vtk is not installed")
FOCUS = camera.Focus((29.0, 29.0, 29.0), 40.0)
GRID = np.diag([2.0, 2.0, 2.0, 1.0])


def ball():
    k, j, i = np.indices((30, 30, 30)) - 14.5
    return np.where(k**2 + j**2 + i**2 < 100, 40, -1000).astype(np.int16)


@needs_vtk
def test_the_same_pictures_come_from_elsewhere(monkeypatch):
    views = (camera.FRONTAL, camera.OBLIQUE)
    here = offscreen.render_views(ball(), GRID, views, 120, FOCUS, "Original")
    with elsewhere.drawn_elsewhere(sys.executable, None, Progress()):
        monkeypatch.setattr(offscreen, "draw_views", lambda *_: pytest.fail("drawn in this process"))
        pictures = [offscreen.render_views(ball(), GRID, views, 120, FOCUS, "Original") for _ in range(2)]
    assert np.array_equal(here, pictures[0]) and np.array_equal(here, pictures[1]) and np.std(here) > 10
    monkeypatch.undo()
    assert np.array_equal(here, offscreen.render_views(ball(), GRID, views, 120, FOCUS, "Original"))


def test_a_drawing_that_is_cancelled_stops_and_its_process_ends():
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled), elsewhere.drawn_elsewhere(sys.executable, None, progress):
        drawing = elsewhere._elsewhere.get()
        try:
            offscreen.render_views(ball(), GRID, (camera.FRONTAL,), 120, FOCUS)
        finally:
            process = drawing._child.process
    assert process.wait(10) is not None


def test_what_goes_wrong_elsewhere_is_said_here(tmp_path):
    with elsewhere.drawn_elsewhere(sys.executable, None, Progress()):
        with pytest.raises(InputError):
            offscreen.render_views(np.zeros((3, 3)), GRID, (camera.FRONTAL,), 120, FOCUS)
        with pytest.raises(DeviceError, match="could not be drawn"):
            # A size that VTK does not take.
            offscreen.render_views(ball(), GRID, (camera.FRONTAL,), "wide", FOCUS)
    with (
        elsewhere.drawn_elsewhere(sys.executable, {"PYTHONHOME": str(tmp_path)}, Progress()),
        pytest.raises(DeviceError, match=r"ended \(exit code 1\); install OpenGL"),
    ):
        offscreen.render_views(ball(), GRID, (camera.FRONTAL,), 120, FOCUS)

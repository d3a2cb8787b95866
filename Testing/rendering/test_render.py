"""Pictures: where things appear, that storage order does not matter, and what is refused."""

import os
import subprocess
import sys
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.errors import DeviceError, InputError, OutputError
from CTADefaceLib.rendering import camera, offscreen, pictures

SIZE = 160
FOCUS = camera.Focus((0.0, 0.0, 0.0), 60.0)
HEAD_MM = 40.0
NOSE, RIGHT, TOP = (0, 42, 0), (42, 0, 0), (0, 0, 42)
PACKAGE = Path(offscreen.__file__).parents[2]

needs_vtk = pytest.mark.skipif(find_spec("vtk") is None, reason="the optional package vtk is not installed")


def phantom(*bumps, spacing=2.0, extent=64.0, edge=260.0, inside=40.0):
    """A ball around the origin with small balls at ``bumps`` (RAS mm): array (k, j, i) in HU and its matrix.

    HU rise from air by ``edge`` per mm up to ``inside``.
    """
    axis = np.arange(-extent, extent, spacing) + spacing / 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    depth = HEAD_MM - np.sqrt(x**2 + y**2 + z**2)
    for r, a, s in bumps:
        depth = np.maximum(depth, 9.0 - np.sqrt((x - r) ** 2 + (y - a) ** 2 + (z - s) ** 2))
    hu = np.clip(-480 + edge * depth, -1000, inside)
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = axis[0]
    return hu.astype(np.int16), matrix


def draw(volume, *views, size=SIZE, focus=FOCUS):
    return offscreen.render_views(*volume, views, size, focus)


def changed(first, second):
    """Pixels (rows, columns) in which two pictures differ visibly; there must be some."""
    pixels = np.argwhere(np.abs(first.astype(int) - second).sum(2) > 30)
    assert len(pixels) > 0
    return pixels


def difference(first, second):
    return np.abs(first.astype(int) - second).mean()


def air():
    hu, matrix = phantom()
    return np.full_like(hu, -1000), matrix


@needs_vtk
def test_ball_is_centred_round_and_of_the_right_size():
    ball = changed(draw(phantom(), camera.FRONTAL)[0], draw(air(), camera.FRONTAL)[0])
    assert np.allclose(ball.mean(0), (SIZE - 1) / 2, atol=1.5)
    distance = FOCUS.radius / np.sin(np.radians(camera.VIEW_ANGLE_DEG / 2))
    silhouette = np.tan(np.arcsin(HEAD_MM / distance)) / np.tan(np.radians(camera.VIEW_ANGLE_DEG / 2))
    assert np.allclose(np.ptp(ball, axis=0) + 1, silhouette * SIZE, rtol=0.05)


@needs_vtk
@pytest.mark.parametrize("bump, row, column", [(RIGHT, 0, -1), (TOP, -1, 0), (NOSE, 0, 0)])
def test_frontal_view_is_that_of_an_observer_facing_the_patient(bump, row, column):
    pixels = changed(draw(phantom(bump), camera.FRONTAL)[0], draw(phantom(), camera.FRONTAL)[0])
    offset = pixels.mean(0) - (SIZE - 1) / 2
    expected = np.array([row, column]) * SIZE * 0.35
    assert np.allclose(offset, expected, atol=SIZE * 0.05)


@needs_vtk
@pytest.mark.parametrize(
    "view, row, column",
    [(camera.OBLIQUE, 0, -1), (camera.View("other side", 0, -35), 0, 1), (camera.View("from above", 35, 0), 1, 0)],
)
def test_nose_moves_away_from_the_side_of_the_camera(view, row, column):
    offset = changed(draw(phantom(NOSE), view)[0], draw(phantom(), view)[0]).mean(0) - (SIZE - 1) / 2
    expected = np.array([row, column]) * SIZE * 0.23
    assert np.allclose(offset, expected, atol=SIZE * 0.05)


@needs_vtk
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1, 2)])
def test_flipped_storage_gives_the_same_picture(axes):
    hu, matrix = phantom(NOSE, RIGHT)
    flip = np.eye(4)
    for axis in axes:
        flip[2 - axis, 2 - axis] = -1
        flip[2 - axis, 3] = hu.shape[axis] - 1
    views = (camera.FRONTAL, camera.OBLIQUE)
    flipped = np.flip(hu, axes), matrix @ flip
    for first, second in zip(draw((hu, matrix), *views), draw(flipped, *views), strict=True):
        assert difference(first, second) < 0.5


@needs_vtk
def test_permuted_storage_gives_the_same_picture():
    hu, matrix = phantom(NOSE, RIGHT)
    sagittal = hu.transpose(2, 0, 1), matrix[:, [1, 2, 0, 3]]
    assert difference(draw((hu, matrix), camera.OBLIQUE)[0], draw(sagittal, camera.OBLIQUE)[0]) < 0.5


@needs_vtk
def test_colour_and_brightness_do_not_depend_on_voxel_size():
    middle = slice(SIZE // 3, SIZE - SIZE // 3)
    colours = []
    for spacing in (2.0, 1.0, 0.4):  # the last is drawn from fewer voxels
        ball = phantom(spacing=spacing, edge=60.0, inside=400.0)  # shaded where it is seen: no flat inside
        colours.append(draw(ball, camera.FRONTAL)[0][middle, middle].mean((0, 1)))
    assert np.allclose(colours[0], colours[1], rtol=0.02)
    assert np.allclose(colours[1], colours[2], rtol=0.02)
    red, green, blue = colours[0]
    assert red > 1.3 * green > 1.3 * blue  # CT-Muscle shows soft tissue brown, on a blue background


@needs_vtk
def test_air_gives_the_plain_background():
    hu, matrix = air()
    picture = offscreen.render_views(hu, matrix, (camera.FRONTAL,), SIZE)[0]
    assert picture.shape == (SIZE, SIZE, 3) and picture.dtype == np.uint8
    assert np.ptp(picture.astype(int), axis=1).max() <= 1
    assert np.allclose(picture[0, 0], (116, 120, 190), atol=2)  # Slicer's, darker at the top
    assert np.allclose(picture[-1, 0], (193, 195, 232), atol=2)


@needs_vtk
def test_values_outside_hu_are_drawn_as_air_or_metal():
    hu, matrix = phantom(TOP)
    metal = np.arange(len(hu))[:, None, None] > 50
    usual = np.select([hu < -300, metal], [-1024, 3071], hu)
    beyond = np.select([hu < -300, metal], [-3024, 20000], hu).astype(np.float32)
    beyond[8] = np.nan  # a plane below the ball
    assert np.array_equal(*(draw((values, matrix), camera.FRONTAL)[0] for values in (beyond, usual)))


def test_focus_leaves_out_couch_and_shoulders():
    hu = np.full((120, 100, 120), -1000, np.int16)  # 3 mm voxels: 360 x 300 x 360 mm
    matrix = np.diag([3.0, 3.0, 3.0, 1.0])
    hu[40:110, 20:80, 35:85] = 40
    head = camera.tissue_focus(hu, matrix)
    assert np.allclose(head.centre, (178.5, 148.5, 223.5), atol=3) and 105 < head.radius <= 135
    hu[:, 17:20, :] = 100  # a couch that the head touches
    hu[:40, 20:80, 5:115] = 40  # shoulders
    both = camera.tissue_focus(hu, matrix)
    assert np.allclose(both.centre[:2], head.centre[:2], atol=5)
    assert both.radius < 160


@needs_vtk
def test_before_after_picture_shows_both_under_one_camera(tmp_path):
    (original, matrix), (defaced, _) = phantom(NOSE), phantom()
    path = tmp_path / "pair.png"
    path.write_bytes(pictures.before_after_png(original, defaced, matrix, SIZE))
    whole = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    step = SIZE + pictures.GAP_PIXELS
    assert whole.shape == (step + SIZE, step + SIZE, 3)
    panels = [whole[r : r + SIZE, c : c + SIZE] for r in (0, step) for c in (0, step)]
    focus = camera.tissue_focus(original, matrix)
    views = (camera.FRONTAL, camera.OBLIQUE)
    below_caption = slice(int(SIZE * 0.15), None)
    drawn = draw((original, matrix), *views, focus=focus) + draw((defaced, matrix), *views, focus=focus)
    for panel, picture in zip(panels, drawn, strict=True):
        assert difference(panel[below_caption], picture[below_caption]) < 0.1
        assert difference(panel[: SIZE // 8, : SIZE // 2], picture[: SIZE // 8, : SIZE // 2]) > 1  # the caption


def test_unwritable_picture_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        pictures.write_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "absent" / "pair.png")


def test_volumes_of_different_shape_are_refused():
    hu, matrix = phantom()
    with pytest.raises(InputError, match="differ in shape"):
        pictures.before_after_png(hu, hu[:-1], matrix)


def test_other_than_three_dimensions_are_refused():
    with pytest.raises(InputError, match="3-D"):
        camera.tissue_focus(np.zeros((4, 4)), np.eye(4))


def test_missing_vtk_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "vtk", None)
    with pytest.raises(DeviceError, match='pip install "vtk>='):
        offscreen.render_views(*phantom(), (camera.FRONTAL,))


@needs_vtk
@pytest.mark.skipif(
    sys.platform != "linux" or find_library("OSMesa") is not None,
    reason="only Linux without OSMesa can be left without OpenGL",
)
def test_missing_opengl_is_explained_and_does_not_kill_the_process():
    program = (
        "import numpy as np; from CTADefaceLib.errors import DeviceError\n"
        "from CTADefaceLib.rendering import camera, offscreen\n"
        "try: offscreen.render_views(np.zeros((9, 9, 9)), np.eye(4), [camera.FRONTAL])\n"
        "except DeviceError as error: print(error)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    environment |= {"PYTHONPATH": str(PACKAGE), "__EGL_VENDOR_LIBRARY_DIRS": os.devnull}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "libegl-mesa0" in done.stdout

"""What is learnt while a file is still being read: the same as afterwards, and nothing left on failure."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.checks.check import TITLES
from CTADefaceLib.checks.every import run_checks
from CTADefaceLib.errors import Cancelled, InputError
from CTADefaceLib.face.survey import surveyed
from CTADefaceLib.filling.fill import filled
from CTADefaceLib.network.host import overview_model
from CTADefaceLib.network.model_grid import PIECE, ModelGrid, grid_shape, intensity, spline_weights
from CTADefaceLib.network.resample import to_model_grid
from CTADefaceLib.progress import Progress
from CTADefaceLib.voxels.histogram import Histogram
from CTADefaceLib.voxels.volume import Geometry, Volume, ras_view
from helpers import phantom

ORIENTATIONS = ["RAS", "LPS", "PIR", "SAR", "ILP"]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_model_sees_the_same_volume_whatever_axis_its_planes_are_stored_along(parts, orientation):
    image = phantom.image(parts[0], orientation)
    volume = Volume(sitk.GetArrayFromImage(image), Geometry.from_image(image))
    info = overview_model()
    seen = surveyed(volume, info).seen_by(info)
    view = volume.ras()
    shape = grid_shape(view.shape, volume.geometry.ras_spacing(), info)
    assert np.allclose(seen, to_model_grid(view, volume.to_hu, shape, intensity(info)), atol=1e-4)


def test_checks_ask_the_survey_for_the_brain_as_often_as_they_like(head, parts):
    survey, mask = surveyed(head), np.asarray(ras_view(parts[1], head.geometry))
    stored, value = filled(head, mask)
    known = [run_checks(head, mask, (stored, value), survey) for _ in range(2)]
    assert known[0] == known[1] == run_checks(head, mask, (stored, value))


def test_another_models_grid_is_not_taken_for_this_ones(head):
    from dataclasses import replace

    info = overview_model()
    survey = surveyed(head, info)
    assert survey.seen_by(info) is not None
    assert survey.seen_by(replace(info, mean=info.mean + 1)) is None
    assert survey.seen_by(replace(info, spacing=tuple(2 * s for s in info.spacing))) is None
    assert surveyed(head).seen_by(info) is None


@pytest.mark.parametrize("plane", [(3, 5), (64, 64), (50, PIECE // 10 + 1)])
def test_pieces_of_any_size_add_up(plane):
    values = np.random.default_rng(5).integers(-2000, 2000, (21, *plane)).astype(np.int16)
    grid = ModelGrid(values.shape, (7, 4, 5), (-900.5, 1200.25, 10.0, 300.0))
    for start in (16, 0):
        grid.add(slice(start, min(start + 16, 21)), values[start : start + 16])
    weights = [spline_weights(n, m).astype(float) for n, m in zip(values.shape, (7, 4, 5))]
    normalised = (np.clip(values.astype(float), -900.5, 1200.25) - 10) / 300
    expected = np.einsum("zs,ya,xr,sar->zyx", *weights, normalised)
    assert np.abs(grid.result() - np.clip(expected, -910.5 / 300, 1190.25 / 300)).max() < 1e-5


def test_no_weight_is_too_small_to_be_multiplied_quickly():
    """Subnormal weights made the resampling of a scan take 15 s instead of 0.3 on Intel's processors."""
    weights = spline_weights(512, 60)
    assert np.abs(weights[weights != 0]).min() > 1e-12
    assert np.allclose(weights.sum(1), 1, atol=1e-6)


def test_an_axis_of_the_models_own_spacing_does_not_wait_for_torch():
    """In a process of its own where torch is still half imported, as when a file is read while the model loads."""
    code = (
        "import sys, types; sys.modules['torch'] = types.ModuleType('torch'); import numpy as np;"
        "from CTADefaceLib.network.model_grid import spline_weights;"
        "assert (spline_weights(7, 7) == np.eye(7)).all() and spline_weights(7, 5).shape == (5, 7); print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", "i1", "u1"])
@pytest.mark.parametrize("percent", [0, 10, 55.5, 100])
def test_percentile_is_numpys(dtype, percent):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    stored = np.random.default_rng(6).integers(low, high, (7, 20, 30), endpoint=True).astype(dtype)
    histogram = Histogram(stored.dtype)
    for part in (stored[:4], stored[4:]):
        histogram.add(part)
    assert histogram.percentile(percent) == pytest.approx(np.percentile(stored, percent), rel=1e-12)
    without = histogram.values < 5
    expected = np.percentile(stored[stored >= 5], percent)
    assert histogram.percentile(percent, without) == pytest.approx(expected, rel=1e-12)


@pytest.fixture
def scan(tmp_path, parts):
    path = tmp_path / "head.nii.gz"
    sitk.WriteImage(phantom.image(parts[0], "RAS"), str(path))
    return path


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-4], lambda data: data[: len(data) // 2], lambda data: data[:-8] + bytes(8)]
)
def test_damage_found_after_all_planes_were_looked_at_still_writes_nothing(scan, tmp_path, damage):
    scan.write_bytes(damage(scan.read_bytes()))
    with pytest.raises(InputError, match="truncated"):
        deface_file(scan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", ["read", "fill", "check", "write"])
@pytest.mark.parametrize("given_mask", [False, True])
def test_cancelling_leaves_nothing(cranium, tmp_path, stage, given_mask):
    options, out = Options(), tmp_path / "out"
    if given_mask:
        image = sitk.ReadImage(str(cranium))
        mask = np.zeros(image.GetSize()[::-1], np.uint8)
        mask[5:20, 10:40, 100:150] = 1
        marked = sitk.GetImageFromArray(mask)
        marked.CopyInformation(image)
        sitk.WriteImage(marked, str(tmp_path / "mask.nii.gz"))
        options = Options(
            mask=str(tmp_path / "mask.nii.gz"), fill="air", override=dict.fromkeys(TITLES, "no face, to be quick")
        )
    reports = itertools.count()
    # Not at the first report of the stage, but in its midst where it has one.
    progress = Progress(lambda r: r.stage == stage and (next(reports) > 0 or stage in ("fill", "check")) and progress.cancel())
    with pytest.raises(Cancelled):
        deface_file(cranium, out, options, progress)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "mask.nii.gz"] == []


def test_preloading_leaves_the_garbage_collector_on():
    """In a process of its own, as torch is imported only once."""
    code = (
        "import gc, threading; from CTADefaceLib.network.host import NetworksHere;"
        "networks = NetworksHere(); networks.begin();"
        "[t.join() for t in threading.enumerate() if t is not threading.current_thread()];"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000; n = gc.get_freeze_count();"
        "networks.begin('none');"
        "[t.join() for t in threading.enumerate() if t is not threading.current_thread()];"
        "assert gc.isenabled() and gc.get_freeze_count() == n; print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr

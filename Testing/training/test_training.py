"""From annotated heads to a model folder that the extension can use, with nnU-Net's own code."""

import json
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.training import synthesis
from CTADefaceLib.training.dataset import find_heads, split_cases
from CTADefaceLib.training.variants import Head, can_grow_dome, crop_field_of_view, draw_variant, grow_dome, pose
from helpers import phantom

SPACING = phantom.SPACING_MM


@pytest.fixture(scope="module")
def parts():
    hu, face, brain, bone = phantom.head_parts()
    return hu.astype(np.float32), face, brain, bone


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("add", [synthesis.add_table, synthesis.add_head_rest])
def test_background_stays_outside_the_body(parts, rng, add):
    hu = np.pad(parts[0], 12, constant_values=-1000)
    body = synthesis.body_mask(hu)
    changed = add(hu, body, SPACING, rng) != hu
    assert changed.sum() > 100 and not (changed & body).any()


def test_contrast_and_metal_change_what_they_should(parts, rng):
    hu, face, _, _ = parts
    body = synthesis.body_mask(hu)
    assert (synthesis.add_contrast(hu, body, SPACING, rng) - hu).max() > 100
    assert synthesis.add_metal(hu, face, SPACING, rng).max() >= 2000


def test_device_belongs_to_the_face_only_within_reach(parts):
    hu, face, _, _ = parts
    grown = 0
    for seed in range(12):
        new_hu, new_face = synthesis.add_device(hu, synthesis.body_mask(hu), face, SPACING, np.random.default_rng(seed))
        added = new_face & ~face
        grown += added.any()
        assert not (added & (new_hu == hu)).any()
        assert np.array_equal(new_face & face, face)
    assert grown >= 3


def test_padding_circle_is_padding_only(parts, rng):
    padded, outside = synthesis.pad_outside_circle(parts[0], rng)
    assert np.isin(padded[outside], synthesis.PADDING_VALUES).all()
    assert np.array_equal(padded[~outside], parts[0][~outside])


def test_pose_keeps_the_faces_volume(parts):
    head = Head(parts[0], parts[1], (SPACING,) * 3)
    _, turned = pose(head, 4.0, (25, -20, 15), 1.0)
    assert abs(turned.sum() * 64 / (parts[1].sum() * 27) - 1) < 0.05
    _, larger = pose(head, 4.0, (0, 0, 0), 1.1)
    assert abs(larger.sum() * 64 / (parts[1].sum() * 27) / 1.1**3 - 1) < 0.05


def test_dome_closes_a_cut_skull_and_adds_no_face(parts, rng):
    cut = Head(parts[0][:64], phantom.middle_face()[:64], (SPACING,) * 3)
    assert can_grow_dome(cut)
    domed = grow_dome(cut, rng)
    above = domed.hu[64:]
    assert (above > -300).any() and not (above[-3:] > -300).any()
    assert domed.face.sum() == cut.face.sum()


@pytest.mark.parametrize("kind, has_face", [("head", True), ("top", True), ("bottom", True), ("brain", False)])
def test_fields_of_view_without_a_face_have_none(parts, kind, has_face, rng):
    _, face = crop_field_of_view(parts[0], phantom.middle_face(), SPACING, rng, kind)
    assert face.any() == has_face


def test_variants_depend_on_the_seed_alone(parts):
    head = Head(parts[0], parts[1], (SPACING,) * 3)
    first, again, other = (draw_variant(head, 4.0, np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert first[0].shape != other[0].shape or not np.array_equal(first[0], other[0])


def test_split_is_deterministic_and_disjoint():
    names = [f"case{n:02d}" for n in range(22)]
    training, held = split_cases(names, 11)
    assert held == ["case05", "case16"] and not set(training) & set(held) and len(training) + len(held) == 22
    assert split_cases(names, 0) == (names, [])


def command(*arguments):
    process = subprocess.run(
        [sys.executable, "-m", "CTADefaceLib", "train", "run", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]


def test_data_folder_to_usable_model_folder(parts, tmp_path):
    """Prepare, train from scratch, continue and package for real, as small as nnU-Net allows."""
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    for number, case in enumerate(("a", "b")):
        hu = parts[0] + number
        sitk.WriteImage(phantom.image(hu.astype(np.int16), "LPS"), str(data / f"{case}_image.nii.gz"))
        sitk.WriteImage(phantom.image(parts[1].astype(np.uint8), "LPS"), str(data / f"{case}_mask.nii.gz"))
    (data / "lonely_image.nii.gz").write_bytes(b"no mask beside it")
    assert [head.name for head in find_heads(data)] == ["a", "b"]
    small = ["--from", "scratch", "--variants", 2, "--hold-out-every", 0, "--iterations", 1, "--work", work]
    command(data, "-o", tmp_path / "first", "--epochs", 1, *small)
    command(data, "-o", tmp_path / "model", "--epochs", 2, *small, "--resume")

    from CTADefaceLib.models.loader import verify_model
    from CTADefaceLib.models.store import find_model

    model = verify_model(find_model(tmp_path / "model"))
    assert model.info.spacing == (3.0, 3.0, 3.0) and model.mirror_axes == (2,)
    assert json.loads((tmp_path / "model" / "dataset.json").read_text())["labels"] == {"background": 0, "face": 1}
    log = (tmp_path / "model" / "training_log.txt").read_text()
    assert "Epoch 0" in log and "Epoch 1" in log and str(tmp_path) not in log

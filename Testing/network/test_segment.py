"""Resampling and sliding window: nnU-Net's answer, faster and with less memory."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from CTADefaceLib.face.locate import predict_face
from CTADefaceLib.network.host import NetworksHere
from CTADefaceLib.network.inference import _face_box
from CTADefaceLib.network.model_grid import BACKGROUND_LOGIT, spline_weights
from CTADefaceLib.network.resample import from_model_grid, linear_weights, to_model_grid
from CTADefaceLib.network.sliding_window import sliding_window_logits
from CTADefaceLib.voxels.volume import Geometry, Volume

NO_NORMALISATION = (-5000.0, 5000.0, 0.0, 1.0)

NETWORKS = NetworksHere()


@pytest.fixture(scope="module")
def volume(small_cranium):
    return Volume(sitk.GetArrayFromImage(small_cranium), Geometry.from_image(small_cranium), name="cranium")


def filled(found, shape):
    mask = np.zeros(shape, bool)
    mask[found.region] = found.logits > 0
    return mask


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_logit_weights_are_torchs_linear_interpolation():
    signal = torch.randn(1, 1, 9)
    expected = torch.nn.functional.interpolate(signal, size=31, mode="linear", align_corners=False)
    assert np.allclose(linear_weights(9, 31, slice(None)) @ signal[0, 0].numpy(), expected[0, 0], atol=1e-5)


def test_image_resampling_is_nnunets(volume):
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    stored = np.ascontiguousarray(volume.ras())
    normalised = ((np.clip(stored.astype(np.float32), -600, 500) + 60) / 190)[None]
    expected = resample_data_or_seg_to_shape(normalised, (41, 60, 59), (3, 3, 3), (4, 4, 4), order=3, order_z=0)[0]
    result = to_model_grid(stored, lambda a: a, (41, 60, 59), (-600, 500, -60, 190))
    assert np.abs(result - expected).max() < 0.01


def test_slabs_do_not_show():
    stored = np.random.default_rng(1).integers(-1000, 1000, (41, 30, 29)).astype(np.int16)
    result = to_model_grid(stored, lambda a: a, (20, 15, 14), NO_NORMALISATION)
    weights = [spline_weights(n, m) for n, m in zip(stored.shape, result.shape)]
    expected = np.einsum("zs,ya,xr,sar->zyx", *weights, stored.astype(np.float32), optimize=True)
    assert np.allclose(result, expected, atol=1e-2)


def test_a_region_is_the_same_as_the_whole_cut_out():
    coarse = np.random.default_rng(2).normal(0, 3, (12, 11, 10)).astype(np.float32)
    region = (slice(5, 40), slice(0, 9), slice(20, 33))
    whole = from_model_grid(coarse, (48, 44, 40), tuple(slice(0, n) for n in (48, 44, 40)))
    assert np.array_equal(from_model_grid(coarse, (48, 44, 40), region), whole[region])


def test_the_network_is_that_of_stock_nnunet():
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    model = NETWORKS.loaded()
    plan = PlansManager(str(model.info.folder / "plans.json")).get_configuration(model.configuration)
    stock = get_network_from_plans(
        plan.network_arch_class_name,
        plan.network_arch_init_kwargs,
        plan.network_arch_init_kwargs_req_import,
        1,
        model.info.num_classes,
        allow_init=False,
        deep_supervision=False,
    )
    stock.load_state_dict(model.parameters[0])
    patch = torch.randn(1, 1, 32, 48, 32)
    with torch.inference_mode():
        expected = stock.eval()(patch)
        assert torch.allclose(model.network(patch), expected, atol=1e-2) and expected.std() > 1


def test_same_face_as_stock_nnunet(volume):
    """The reference is ``nnUNetPredictor`` itself with the same weights, without mirroring."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    model = NETWORKS.loaded()
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_mirroring=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
        perform_everything_on_device=False,
    )
    predictor.initialize_from_trained_model_folder(str(model.info.folder), ("all",))
    ras = np.ascontiguousarray(volume.ras()).astype(np.float32)[None]
    stock = predictor.predict_single_npy_array(ras, {"spacing": volume.geometry.ras_spacing()}) == model.info.labels["face"]
    assert dice(stock, filled(predict_face(volume, NETWORKS.network()), stock.shape)) >= 0.99


@pytest.fixture(scope="module")
def windows():
    """As a function of a box's planes: logits in the box by all patches, by those around it, and all of the latter.

    Of an image two patches high.
    """
    model, data = NETWORKS.loaded(), torch.randn(100, 70, 70).cumsum(0) / 5

    def around(planes):
        box = (slice(*planes), slice(5, 60), slice(5, 60))
        part = sliding_window_logits(model, data, torch.device("cpu"), box=box)
        return whole[box], part[box], part

    whole = sliding_window_logits(model, data, torch.device("cpu"))
    return around


def test_patches_around_a_box_give_the_same_logits_within_it(windows):
    whole, inside, part = windows((10, 20))
    assert torch.allclose(whole, inside, atol=1e-3)
    assert (part[83:] == BACKGROUND_LOGIT).all()


def test_at_the_border_the_only_patch_is_visited(windows):
    whole, inside, part = windows((97, 100))
    assert torch.allclose(whole, inside, atol=1e-3)
    assert (part[:20] == BACKGROUND_LOGIT).all()


def test_a_patch_that_touches_with_its_rim_adds_next_to_nothing(windows):
    whole, inside, part = windows((10, 26))
    assert (part[83:] == BACKGROUND_LOGIT).all()
    assert (whole - inside).abs().max() <= 0.02 * (whole.max() - whole.min())


def test_face_box_holds_torn_and_second_faces_but_no_shoulders():
    odds = np.full((60, 90, 150), -5.0, np.float32)
    odds[20:40, 40:60, 30:50] = 4
    face = _face_box(odds, (3.0, 3.0, 3.0))
    odds[20:40, 40:60, 60:61] = 4  # 30 mm beside it, as a seam leaves it
    odds[5:8, 5:8, 140:143] = 4
    assert face == (slice(20, 40), slice(40, 60), slice(30, 50))
    assert _face_box(odds, (3.0, 3.0, 3.0)) == (slice(20, 40), slice(40, 60), slice(30, 61))
    odds[0:10, 0:10, 100:120] = 4  # a quarter of the evidence, 150 mm off
    assert _face_box(odds, (3.0, 3.0, 3.0)) == (slice(0, 40), slice(0, 60), slice(30, 120))
    assert _face_box(np.full_like(odds, -1), (3.0, 3.0, 3.0)) is None


def test_a_large_model_runs_only_where_the_locator_found_a_face(volume):
    shape = volume.ras().shape
    whole = filled(predict_face(volume, NETWORKS.network()), shape)
    located = predict_face(volume, NETWORKS.network(), locator=NETWORKS.network())
    assert np.prod(located.logits.shape) < 0.8 * np.prod(shape)
    assert dice(whole, filled(located, shape)) > 0.9


def test_no_tissue_means_no_patch_and_no_face(volume):
    empty = Volume(np.full_like(volume.stored, -1000), volume.geometry)
    assert predict_face(empty, NETWORKS.network()) is None

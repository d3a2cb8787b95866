"""The bundled model with refinement against the reference masks of real heads, where these are at hand."""

import numpy as np
import pytest

from CTADefaceLib.face.mask import face_mask
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.network.host import NetworksHere
from helpers.paths import CHECK_DATA

# Every sixth one; ``benchmarks/accuracy.py`` takes all of them.
HEADS = sorted(CHECK_DATA.glob("*/*_image.nii.gz"))[::6]
LEAST_DICE = 0.80
LEAST_MEAN_DICE = 0.90

# Held for all heads: the model is loaded once.
NETWORKS = NetworksHere()
pytestmark = pytest.mark.skipif(not HEADS, reason="the check heads are not beside the repository and may not be in it")


@pytest.fixture(scope="module")
def scores():
    return {}


@pytest.mark.parametrize("path", HEADS, ids=lambda p: p.name.removesuffix("_image.nii.gz"))
def test_dice_of_each_head(path, scores):
    mask = face_mask(read_volume(path), NETWORKS)
    reference = read_volume(path.with_name(path.name.replace("_image", "_mask"))).stored > 0
    scores[path.name] = 2 * (mask & reference).sum() / (mask.sum() + reference.sum())
    assert scores[path.name] >= LEAST_DICE


def test_mean_dice(scores):
    assert len(scores) == len(HEADS)
    assert np.mean(list(scores.values())) >= LEAST_MEAN_DICE

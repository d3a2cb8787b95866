"""The fit of the average head: what it maximises, and that its slopes are those of what it maximises."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.head import fit
from CTADefaceLib.head.atlas import EVIDENCE_MM, LOW_MM
from CTADefaceLib.head.frame import rotation, rotation_slope


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def evidence(random):
    return fit.Evidence(random.normal(size=(3, 9, 8, 7)).astype(np.float32))


def samples(random, number):
    """Places (3, N) in head mm within the box of the evidence and beside it, and their kinds."""
    places = LOW_MM[:, None] + EVIDENCE_MM * random.uniform(-2, (9, 10, 11), (number, 3)).T
    return places.astype(np.float32), random.integers(0, 3, number).astype(np.uint8)


def test_evidence_is_linear_between_its_points_and_nothing_outside(evidence, random):
    places, kinds = samples(random, 500)
    inside, values, _ = evidence.at(places, kinds)
    grid = (places - LOW_MM[:, None]) / EVIDENCE_MM
    expected = np.array([ndi.map_coordinates(part, grid, order=1, cval=0.0) for part in evidence.grids])
    found = np.zeros(500)
    found[inside] = values
    assert 50 < len(inside) < 300
    assert found == pytest.approx(expected[kinds, np.arange(500)], abs=1e-5)


@pytest.mark.parametrize("length", [0.0, 1e-6, 0.3, 2.5])
def test_the_slope_of_a_rotation_is_that_of_its_matrix(random, length):
    vector, by_matrix = random.normal(size=3), random.normal(size=(3, 3))
    vector *= length / np.linalg.norm(vector)
    steps = 1e-6 * np.eye(3)
    expected = [(by_matrix * (rotation(vector + step) - rotation(vector - step))).sum() / 2e-6 for step in steps]
    assert rotation_slope(vector, by_matrix) == pytest.approx(expected, abs=1e-6)


def test_the_slope_that_the_search_follows_is_that_of_the_value(random):
    # Evidence that grows along all axes, and with their products, so that every parameter matters.
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, size) for size in (7, 8, 9)), indexing="ij")
    grids = np.stack([1000 * (x + y * z), 1000 * (y - x * z), 1000 * (z + x * y)])
    evidence = fit.Evidence(grids.transpose(0, 3, 2, 1).astype(np.float32))
    places, kinds = samples(random, 4000)
    middle = places.mean(1)
    parameters = np.concatenate([[0.3, -0.2, 0.1], middle, [0.3, -0.2, 0.25]])
    _, slope = fit._value(evidence, places - middle[:, None], kinds, parameters)
    steps = fit.UNITS / 400
    moves = np.diag(steps)
    up, down = (
        np.array([fit._value(evidence, places - middle[:, None], kinds, parameters + sign * move)[0] for move in moves])
        for sign in (1, -1)
    )
    found, expected = slope * fit.UNITS, (up - down) / 2 / steps * fit.UNITS
    assert found == pytest.approx(expected, rel=0.03, abs=1e-3)

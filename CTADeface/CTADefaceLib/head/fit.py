"""Fit the pose and size of the average head to an image's samples."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import product

import numpy as np

from .atlas import BONE, EVIDENCE_MM, LOW_MM
from .frame import Frame, rotation, rotation_slope
from .samples import Samples

# Samples of a first fit of each candidate, and of the last one of the best.
FEW, MANY = 2_500, 10_000
FEW_STEPS, MANY_STEPS = 20, 40
# With less bone in its known part, the average head lies beside the head, in air: a newborn's skull has twice as much.
LEAST_BONE_ML = 40.0
# Share of the average head's box that most images fill.
LEAST_IN_BOX = 0.5
# What a sample in the known part of the average head costs, in nats; those of a head that is well in place bring 0.4 and more
# on average. Without it, a pose that has more air of a cut image in its box would win.
PRICE = 0.25
# By so much the price makes heads larger and moves them along the head's axes, over a fit without it, by which the maps of the
# skin were made. Median of every eighth training head.
LARGER, MOVED_MM = 1.035, np.array([0.0, 5.5, -5.0])
# Cost in nats per squared logarithm of the scale along each head axis, and of its difference from the mean of the three.
SIZE_COST, PROPORTION_COST = 0.5, 2.0
# Steps that change the score by about as much for each parameter: radians, mm, log of scale.
UNITS = np.array([1 / 80] * 3 + [1] * 3 + [1 / 100] * 3)


class Evidence:
    """Log-odds of the kinds of tissue (see ``Atlas.evidence``) and their slopes, at any place of a head."""

    def __init__(self, grids: np.ndarray) -> None:
        """``grids`` float32 (3, S, A, R)."""
        self.grids = grids.transpose(0, 3, 2, 1).copy()
        # A sample that leaves the box must not make the score jump.
        for axis in (1, 2, 3):
            border: list[slice | list[int]] = [slice(None)] * 4
            border[axis] = [0, -1]
            self.grids[tuple(border)] = 0
        self._last = np.array(self.grids.shape[1:]) - 1
        self._strides = np.array([self.grids.shape[2] * self.grids.shape[3], self.grids.shape[3], 1])

    @cached_property
    def _cells(self) -> np.ndarray:
        """(N, 8) float32: the corners (x, y, z) of a cell beside each other, so that a sample reads one place in memory."""
        steps = [int(np.dot(corner, self._strides)) for corner in product((0, 1), repeat=3)]
        flat = np.pad(self.grids.ravel(), (0, max(steps)))
        return np.stack([flat[step : step + self.grids.size] for step in steps], 1)

    def at(self, places: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which of the places (3, N) in head mm lie in the box, and there the log-odds (M,) and their slope (3, M) in 1 / mm.

        Linear between the grid's points, in float32; the slope is that of the interpolation itself, because another one
        misleads the search along a line.
        """
        grid = ((places - LOW_MM[:, None]) / EVIDENCE_MM).astype(np.float32)
        corner = np.floor(grid)
        inside = np.flatnonzero(self._within(corner))
        corner = corner.take(inside, 1)
        x, y, z = grid.take(inside, 1) - corner
        first = kinds.take(inside) * np.intp(self.grids[0].size)
        for index, stride in zip(corner.astype(np.intp), self._strides):
            first += index * stride
        low, high = np.ascontiguousarray(self._cells.take(first, 0).T).reshape(2, 2, 2, -1)
        along_x = high - low
        low, high = low + along_x * x
        along_y = high - low
        low, high = low + along_y * y
        along_z = high - low
        near, far = along_x[0] + (along_x[1] - along_x[0]) * y
        slopes = np.stack([near + (far - near) * z, along_y[0] + (along_y[1] - along_y[0]) * z, along_z])
        return inside, low + along_z * z, slopes / np.float32(EVIDENCE_MM)

    def score(self, places: np.ndarray, kinds: np.ndarray, sample_mm3: float) -> float:
        """Mean log-odds in nats of the samples at places (3, N) in head mm that lie in the average head's box, each of
        ``sample_mm3``.

        A pose that has less of the image in the box than most images of heads have does not gain by that.
        """
        inside, values, _ = self.at(places, kinds)
        least = LEAST_IN_BOX * self._last.prod() * EVIDENCE_MM**3 / sample_mm3
        return float(values.sum(dtype=float) / max(len(inside), least))

    def _within(self, corner: np.ndarray) -> np.ndarray:
        """Bool (N,): cells of the grid, whose lowest corner is (3, N)."""
        within = [(index >= 0) & (index < last) for index, last in zip(corner, self._last)]
        return within[0] & within[1] & within[2]


class Evidences:
    """The ``Evidence`` of an atlas: ``smooth`` for the search and the first fits, ``sharp`` for the last fit, and ``plain``,
    whose samples cost nothing, for the score. ``larger`` and ``moved_mm``: see ``LARGER``."""

    def __init__(self, grids: np.ndarray, price: float = PRICE) -> None:
        """``grids`` as ``Atlas.evidence``; ``price`` as ``PRICE``, or 0."""
        from scipy import ndimage as ndi

        self._known = (grids != 0).any(0)
        priced = grids - np.float32(price) * self._known
        self.smooth = Evidence(np.stack([ndi.gaussian_filter(part, 1.0) for part in priced]))
        self.sharp, self.plain = Evidence(priced), Evidence(grids)
        self.larger: float = LARGER if price else 1.0
        self.moved_mm: np.ndarray = MOVED_MM if price else np.zeros(3)

    def share_seen(self, frame: Frame, samples: Samples) -> float:
        """Share of the known part of the average head that holds samples."""
        seen = np.count_nonzero(self._in_known(frame, samples.points)) * samples.mm3 * np.prod(frame.scale)
        return float(seen / (np.count_nonzero(self._known) * EVIDENCE_MM**3))

    def bone_ml(self, frame: Frame, samples: Samples) -> float:
        """Millilitres of bone in the known part of the average head."""
        bone = samples.points[samples.kinds == BONE]
        return float(np.count_nonzero(self._in_known(frame, bone)) * samples.mm3 / 1000)

    def _in_known(self, frame: Frame, points: np.ndarray) -> np.ndarray:
        index = np.rint((frame.to_head(points) - LOW_MM) / EVIDENCE_MM).astype(int)[:, ::-1]
        return self._known[tuple(index[((index >= 0) & (index < self._known.shape)).all(1)].T)]


def best_pose(
    samples: Samples,
    starts: Iterable[tuple[np.ndarray, np.ndarray]],
    middle: np.ndarray,
    reach_mm: float,
    evidences: Evidences,
    last_fits: int = 1,
) -> Frame | None:
    """``Frame`` of the best fit, None without a start or where hardly any bone lies in the average head.

    Parameters: ``starts`` [(RAS mm of the head's middle, rotation vector)]; ``middle`` in head mm; ``reach_mm`` from it to
    the atlas's corners; ``evidences`` the ``Evidences`` of the atlas; so many of the first fits as ``last_fits`` are fitted
    to the end, of which the one with the best score is taken.
    """
    points, kinds, sample_mm3 = samples
    random = np.random.default_rng(0)
    fits: list[tuple[float, np.ndarray, np.ndarray, np.ndarray]] = []
    for at, turn in starts:
        near = np.flatnonzero(np.linalg.norm(points - at, axis=1) < reach_mm)
        few = random.permutation(near)[:FEW]
        parameters = np.concatenate([turn, middle, np.zeros(3)])
        value, parameters = _maximise(evidences.smooth, points[few] - at, kinds[few], parameters, FEW_STEPS)
        fits.append((value * len(near), parameters, at, near))
    if not fits:
        return None
    last = list[Frame]()
    for _, parameters, at, near in sorted(fits, key=lambda fit: -fit[0])[:last_fits]:
        many = random.permutation(near)[:MANY]
        _, parameters = _maximise(evidences.sharp, points[many] - at, kinds[many], parameters, MANY_STEPS)
        matrix = np.eye(4)
        matrix[:3, :3] = np.exp(parameters[6:])[:, None] * rotation(parameters[:3])
        matrix[:3, 3] = parameters[3:6] - matrix[:3, :3] @ at - evidences.moved_mm
        matrix[:3] /= evidences.larger
        places = matrix[:3, :3] @ points[many].T + matrix[:3, 3:]
        score = evidences.plain.score(places, kinds[many], sample_mm3 * len(near) / max(len(many), 1))
        frame = Frame(matrix, score)
        if evidences.bone_ml(frame, samples) >= LEAST_BONE_ML:
            last.append(frame)
    return max(last, key=lambda frame: frame.score, default=None)


def _maximise(
    evidence: Evidence, points: np.ndarray, kinds: np.ndarray, parameters: np.ndarray, steps: int
) -> tuple[float, np.ndarray]:
    """(value, parameters): rotation vector, shift in head mm, log of the scale along each head axis."""
    from scipy.optimize import minimize

    columns = np.ascontiguousarray(points.T, np.float32)

    def cost(units: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _value(evidence, columns, kinds, units * UNITS)
        return -value, -slope * UNITS

    found = minimize(cost, parameters / UNITS, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return -found.fun, found.x * UNITS


def _value(evidence: Evidence, points: np.ndarray, kinds: np.ndarray, parameters: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean log-odds of the samples (3, N) less the cost of size and proportion, and its derivative."""
    turn, scale = rotation(parameters[:3]), np.exp(parameters[6:])
    matrix = (scale[:, None] * turn).astype(np.float32)
    inside, values, slopes = evidence.at(matrix @ points + parameters[3:6, None].astype(np.float32), kinds)
    by_turned = scale[:, None] * (slopes @ points.take(inside, 1).T)
    sizes, count = parameters[6:], points.shape[1]
    off = sizes - sizes.mean()
    value = values.sum(dtype=float) / count - SIZE_COST * (sizes**2).sum() - PROPORTION_COST * (off**2).sum()
    by_scale = (by_turned * turn).sum(1) / count - 2 * SIZE_COST * sizes - 2 * PROPORTION_COST * off
    by_turn = rotation_slope(parameters[:3], by_turned)
    return value, np.concatenate([by_turn / count, slopes.sum(1, dtype=float) / count, by_scale])

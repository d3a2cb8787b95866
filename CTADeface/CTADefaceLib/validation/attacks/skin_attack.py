"""Trained attackers: the removed skin predicted from the released file, against the same from its skull alone.

Each attacker learns on other heads that were defaced in the same way, and knows the head's frame. ``depth map``: the
mean depth of skin over the file's border, or over its bone, for each direction. ``ray``: gradient boosting on what each
ray and its neighbours up to 16 degrees off meet: position, bone, its hulls, the tissue left, the curvature of them all,
and the HU behind the border. ``wide``: the same with wider means around the ray, the skin that stays, and the shape of
the whole head.

Every file keeps what bone tells; the gain is what the rest of the file adds to it. Bone tells also from afar, where a ray
meets none: all attackers know the surfaces that balls rolled over the skull cannot pass (``Rays.hulls``), so that a border
made of bone alone adds nothing. Every source has the same attacker with as many features, so that none guesses better by
its means alone: ``SKULL`` sees a file in which only bone is left. The skin that stays around the face tells of the face
too, whatever the fill: ``AROUND`` sees that skin, and bone where the face was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from .face_frame import ZONES
from .rays import AZIMUTH, ELEVATION, Rays

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

SKULL, AROUND, FILE = "skull", "around", "file"
GAINS = {"depth map": (SKULL, FILE), "ray": (SKULL, FILE), "wide": (SKULL, AROUND, FILE)}
SMOOTH = (1.0, 3.0, 7.0)
OFFSETS = (3, 8)
COMPONENTS = 8
# For training, every n-th ray of a head.
EVERY = 2
# Random draws of heads, for the intervals.
DRAWS = 200
# Share of rays with a value, after smoothing, from which on the smoothed value is taken.
LEAST_WEIGHT = 0.02
TREES, LEAVES, LEARNING_RATE, LEAST_RAYS = 120, 24, 0.12, 60


def smoothed(map_: np.ndarray, sigma: float) -> np.ndarray:
    """``map_`` (elevation, azimuth) with its gaps filled from around, smoothed by ``sigma`` rays."""
    known = np.isfinite(map_)
    if not known.any():
        return np.full(map_.shape, 80.0)
    values = np.where(known, map_, 0.0)
    result, enough = np.zeros(map_.shape), np.zeros(map_.shape, bool)
    # Wider ones for where nothing is near; the widest takes what is left.
    for width in (sigma, 12.0, 40.0):
        weight = ndi.gaussian_filter(known.astype(float), width, mode="nearest")
        part = ndi.gaussian_filter(values, width, mode="nearest") / np.maximum(weight, 1e-9)
        result = np.where(enough, result, part)
        enough |= weight > LEAST_WEIGHT
    return result


def _surroundings(map_: np.ndarray, wide: bool) -> list[np.ndarray]:
    """Features of one map, each (elevation, azimuth): itself, itself smoothed, and its neighbours."""
    layers = [smoothed(map_, sigma) for sigma in (SMOOTH if wide else SMOOTH[:2])]
    base = layers[0]
    margin = max(OFFSETS)
    edges = np.pad(base, margin, mode="edge")
    for offset in OFFSETS:
        for rows, columns in ((-offset, 0), (offset, 0), (0, -offset), (0, offset)):
            top, left = margin + rows, margin + columns
            layers.append(edges[top : top + base.shape[0], left : left + base.shape[1]])
    return [np.where(np.isfinite(map_), map_, -1.0), ndi.laplace(layers[1]), *layers]


@dataclass
class Shapes:
    """The main ways in which maps differ between heads (principal components), as features of a whole head."""

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, maps: Sequence[np.ndarray]) -> Shapes:
        """The shapes that tell ``maps`` (elevation, azimuth) apart."""
        flat = np.stack([smoothed(m, SMOOTH[0])[::2, ::2].ravel() for m in maps])
        mean = flat.mean(0)
        return cls(mean, np.linalg.svd(flat - mean, full_matrices=False)[2][:COMPONENTS])

    def __call__(self, map_: np.ndarray) -> np.ndarray:
        return self.axes @ (smoothed(map_, SMOOTH[0])[::2, ::2].ravel() - self.mean)


@dataclass(frozen=True)
class Seen:
    """What an attacker may know of a head, as in ``Rays`` and ``Surface``; ``skin`` is there to learn from.

    ``around``: the skin that stays, spread over the face.
    """

    skin: np.ndarray
    bone: np.ndarray
    hulls: np.ndarray
    left: np.ndarray
    muscle: np.ndarray
    behind: np.ndarray
    around: np.ndarray
    planes: np.ndarray

    @classmethod
    def of(cls, head: Rays, source: str) -> Seen:
        """What ``source`` (``SKULL``, ``AROUND`` or ``FILE``) shows of ``head``."""
        shows, of_bone = vars(head.file), vars(head.skull)
        if source == SKULL:
            return cls(head.skin, head.bone, head.hulls, **of_bone, around=np.zeros(head.bone.shape), planes=np.zeros(2))
        around = smoothed(np.where(head.removed, np.nan, head.file.left), SMOOTH[0])
        if source == FILE:
            return cls(head.skin, head.bone, head.hulls, **shows, around=around, planes=head.planes)
        mixed = {name: np.where(head.removed, of_bone[name], shows[name]) for name in shows}
        return cls(head.skin, head.bone, head.hulls, **mixed, around=around, planes=np.zeros(2))


class Attacker:
    """Predicts ``Rays.skin`` from ``source``: ``SKULL``, ``AROUND`` or ``FILE``.

    It sees each ray and its neighbours up to 16 degrees off. ``wide``: also wider means around the ray, the skin that stays,
    and the shape of the whole head.
    """

    def __init__(self, source: str, wide: bool = True) -> None:
        self.source, self.wide = source, wide

    def fit(self, heads: Sequence[Rays]) -> Attacker:
        """Learn from ``heads``; returns itself."""
        shown = [self._seen(h) for h in heads]
        names = ("bone", "left", "around") if self.wide else ()
        self._shapes = {name: Shapes.of([getattr(h, name) for h in shown]) for name in names}
        self._learn_depths(shown)
        parts = [
            (self._features(h)[lines], self._bases(h)[:, lines], h.skin[lines]) for h in shown for lines in [_training_rays(h)]
        ]
        features, skin = np.concatenate([p[0] for p in parts]), np.concatenate([p[2] for p in parts])
        bases = np.concatenate([p[1] for p in parts], 1)
        self._models = [_regressor(seed).fit(features, skin - base) for seed, base in enumerate(bases)]
        return self

    def regressed(self, head: Rays) -> np.ndarray:
        """mm of the skin on each ray of ``head``: the mean of the guesses from different bases."""
        seen = self._seen(head)
        features, bases = self._features(seen), self._bases(seen)
        flat = features.reshape(-1, features.shape[-1])
        return np.mean([model.predict(flat).reshape(base.shape) + base for model, base in zip(self._models, bases)], 0)

    def _seen(self, head: Rays) -> Seen:
        return Seen.of(head, self.source)

    def mapped(self, head: Rays) -> np.ndarray:
        """mm of the skin, from the mean depth of tissue over what served best in each direction: bone, or what is left."""
        return np.take_along_axis(self._borders(self._seen(head)) + self._depths, self._best[None], 0)[0]

    def _borders(self, head: Seen) -> np.ndarray:
        """Maps from which the depth may be counted, (n, elevation, azimuth): bone at three scales, its hulls, the origin,
        tissue left."""
        bone = [smoothed(head.bone, sigma) for sigma in SMOOTH] + [smoothed(hull, SMOOTH[0]) for hull in head.hulls]
        return np.stack([*bone, np.zeros(head.bone.shape), smoothed(head.left, SMOOTH[0])])

    def _learn_depths(self, heads: Sequence[Seen]) -> None:
        depth = np.stack([h.skin - self._borders(h) for h in heads])
        known = np.isfinite(depth).sum(0)
        mean = np.nansum(depth, 0) / np.maximum(known, 1)
        spread = np.nansum((depth - mean) ** 2, 0) / np.maximum(known, 1)
        self._depths = np.stack([smoothed(np.where(k > 2, m, np.nan), SMOOTH[0]) for k, m in zip(known, mean)])
        self._best = np.stack([smoothed(np.where(k > 2, s, np.nan), SMOOTH[1]) for k, s in zip(known, spread)]).argmin(0)

    def _bases(self, head: Seen) -> np.ndarray:
        """Maps from which the skin's distance is learnt, (2, elevation, azimuth)."""
        return np.stack([smoothed(head.bone, SMOOTH[1]), smoothed(head.left, SMOOTH[0])])

    def _features(self, head: Seen) -> np.ndarray:
        """(elevation, azimuth, features)."""
        shape = head.bone.shape
        maps = [
            *np.broadcast_arrays(ELEVATION[:, None], AZIMUTH[None]),
            np.broadcast_to(np.abs(AZIMUTH), shape),
            *_surroundings(head.bone, self.wide),
            smoothed(np.isfinite(head.bone).astype(float), 4.0),
            *(feature for hull in head.hulls for feature in _surroundings(hull, self.wide)),
            *_surroundings(head.left, self.wide),
            head.left - smoothed(head.bone, SMOOTH[1]),
            *(head.left - smoothed(hull, SMOOTH[0]) for hull in head.hulls),
            head.muscle - head.left,
            *head.behind,
            smoothed(head.left - head.muscle, 4.0),
        ]
        whole = [number for name, shapes in self._shapes.items() for number in shapes(getattr(head, name))]
        if self.wide:
            maps.append(head.around)
            whole += [*head.planes]
        return np.stack([*maps, *(np.full(shape, number) for number in whole)], -1).astype(np.float32)


def _regressor(seed: int) -> HistGradientBoostingRegressor:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=LEAST_RAYS,
        l2_regularization=1.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )


def _training_rays(head: Seen) -> np.ndarray:
    lines = np.isfinite(head.skin)
    every = np.zeros_like(lines)
    every[::EVERY, ::EVERY] = every[1::EVERY, 1::EVERY] = True
    return lines & every


@dataclass(frozen=True)
class Guesses:
    """|error| in mm of each attacker on the rays of one head; ``zone`` index into ``ZONES``; all (n,)."""

    zone: np.ndarray
    errors: dict[tuple[str, str], np.ndarray]


def attacked(attackers: Mapping[tuple[str, str], Attacker], head: Rays) -> Guesses:
    """``Guesses`` of the fitted ``attackers`` (as ``fitted`` makes them) on a head that none of them learnt from."""
    lines = np.isfinite(head.skin)
    errors = {}
    for (name, source), attacker in attackers.items():
        guess = attacker.mapped(head) if name == "depth map" else attacker.regressed(head)
        errors[name, source] = np.abs(guess - head.skin)[lines]
    return Guesses(head.zone[lines], errors)


def fitted(heads: Sequence[Rays]) -> dict[tuple[str, str], Attacker]:
    """The ``Attacker``s, by name and source as in ``GAINS``."""
    made = {("wide", source): Attacker(source).fit(heads) for source in GAINS["wide"]}
    made |= {("ray", source): Attacker(source, wide=False).fit(heads) for source in GAINS["ray"]}
    # Depth maps are learnt along with every regressor.
    return made | {("depth map", source): made["ray", source] for source in GAINS["depth map"]}


def cross_validated(heads: Sequence[Rays], folds: int = 3) -> list[Guesses]:
    """``Guesses`` of each of ``heads`` by attackers that learnt from the other folds."""
    found: dict[int, Guesses] = {}
    for fold in range(folds):
        attackers = fitted([h for n, h in enumerate(heads) if n % folds != fold])
        for n in range(fold, len(heads), folds):
            found[n] = attacked(attackers, heads[n])
    return [found[n] for n in range(len(heads))]


def gains(guesses: Sequence[Guesses]) -> list[dict[str, str | float]]:
    """One row per zone, and one for all.

    ``zone``, ``rays``, and per attacker of ``GAINS`` the median |error| in mm from each source (``"ray file_mm"``), how
    much better the file is than the skull (``"ray gain_mm"``, with its 95 % interval over heads, ``"ray gain_low_mm"`` and
    ``"ray gain_high_mm"``) and, for ``wide``, than skull and skin around (``"wide border_mm"``).
    """
    rows = []
    for number, name in [*enumerate(ZONES), (None, "all")]:
        parts = [np.ones(g.zone.shape, bool) if number is None else g.zone == number for g in guesses]
        row: dict[str, str | float] = {"zone": name, "rays": int(sum(part.sum() for part in parts))}
        for attacker, sources in GAINS.items():
            errors = {source: [g.errors[attacker, source][part] for g, part in zip(guesses, parts)] for source in sources}
            found = {source: _median(of_heads) for source, of_heads in errors.items()}
            row |= {f"{attacker} {source}_mm": mm for source, mm in found.items()}
            row[f"{attacker} gain_mm"] = found[SKULL] - found[FILE]
            row[f"{attacker} gain_low_mm"], row[f"{attacker} gain_high_mm"] = _interval(errors[SKULL], errors[FILE])
            if AROUND in found:
                row[f"{attacker} border_mm"] = found[AROUND] - found[FILE]
        rows.append(row)
    return rows


def _median(of_heads: Sequence[np.ndarray]) -> float:
    errors = np.concatenate(of_heads)
    return float(np.median(errors)) if errors.size else np.nan


def _interval(skull: Sequence[np.ndarray], file: Sequence[np.ndarray]) -> tuple[float, float]:
    """95 % interval of the gain: the rays of one head are not independent, so heads are drawn."""
    used = [n for n, errors in enumerate(skull) if errors.size]
    if not used:
        return np.nan, np.nan
    drawn = np.random.default_rng(0).choice(used, (DRAWS, len(used)))
    found = [_median([skull[n] for n in heads]) - _median([file[n] for n in heads]) for heads in drawn]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)

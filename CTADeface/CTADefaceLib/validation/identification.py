"""Whether defaced heads are recognised: each is compared with a gallery of all originals.

Recognition is by each recogniser, by all of them together, and by an attacker who learns. Every head was scanned once, so
that a defaced head and its own original share noise, pose and field of view: the figures are an upper bound of what
another scan or a photograph would give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from .attacks.retrained import ATTACKERS, retrained, stretch
from .intervals import auc_interval, stretched
from .statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ALL = "all"
RETRAINED = tuple(f"retrained-{name}" for name in ATTACKERS)
WHO = {
    "facenet": "FaceNet",
    "dlib": "dlib",
    ALL: "All recognisers",
    "retrained-distances": "Retrained, distances",
    "retrained-elements": "Retrained, elements",
}


class Identified(TypedDict):
    """How well heads are found in a gallery, see ``identified``."""

    heads: int
    rank1: int
    rank1_low: float
    rank1_high: float
    auc: float
    auc_low: float
    auc_high: float
    chance: float


@dataclass(frozen=True)
class Identification:
    """One kind of probes against the originals.

    ``probes`` and ``gallery`` {recogniser: (heads, views, numbers)}, NaN for a view that is not there; ``pairs`` of
    (probe's view, gallery's view), which may be none.
    """

    probes: dict[str, np.ndarray]
    gallery: dict[str, np.ndarray]
    pairs: tuple[tuple[int, int], ...]

    @cached_property
    def _learned(self) -> dict[str, np.ndarray]:
        return retrained(list(self.probes.values()), list(self.gallery.values()), self.pairs)

    def _distances(self, who: str) -> np.ndarray:
        if not self.pairs:
            return _nobody(len(next(iter(self.probes.values()))))
        if who in RETRAINED:
            return self._learned[who.partition("-")[2]]
        if who == ALL:
            return fused([self._distances(name) for name in self.probes])
        return distance_matrix(self.probes[who], self.gallery[who], self.pairs)

    def found(self, who: str) -> Identified:
        """``identified`` of one of ``WHO``."""
        distances = self._distances(who)
        heads = int(np.isfinite(distances.diagonal()).sum())
        return identified(distances, range(len(distances)), stretch(heads) if who in RETRAINED else 1.0)


def auc(near: Sequence[float] | np.ndarray, far: Sequence[float] | np.ndarray) -> float:
    """ROC-AUC of telling ``near`` distances (same head) from ``far`` ones (different heads); NaN without any."""
    from sklearn.metrics import roc_auc_score

    if not len(near) or not len(far):
        return np.nan
    same = np.r_[np.ones(len(near)), np.zeros(len(far))]
    return float(roc_auc_score(same, -np.r_[near, far]))


def distance_matrix(probes: ArrayLike, gallery: ArrayLike, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """(probe heads, gallery heads): the median over ``pairs`` of views of the Euclidean distance of two heads.

    Parameters: ``probes`` and ``gallery`` (heads, views, numbers), NaN for a view that is not there; ``pairs`` of
    (probe's view, gallery's view). Without a pair that both have: NaN.
    """
    first, second = np.asarray(probes, float), np.asarray(gallery, float)
    each = np.stack([np.linalg.norm(first[:, None, a] - second[None, :, b], axis=2) for a, b in pairs])
    seen = np.isfinite(each).any(0)
    result = np.full(seen.shape, np.nan)
    result[seen] = np.nanmedian(each[:, seen], axis=0)
    return result


def fused(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of several recognisers' distance matrices, each in units of its own median; NaN where one has none."""
    return np.mean([m / np.nanmedian(m) if np.nanmedian(m) > 0 else m for m in matrices], axis=0)


def identified(distances: np.ndarray, own: Sequence[int], stretch: float = 1.0) -> Identified:
    """How well heads are found in the gallery, with 95 % intervals.

    Parameters: ``distances`` (probes, gallery); ``own`` for each probe the index of its own head in the gallery;
    ``stretch`` the interval of the AUC by this factor, where distances were learned (``retrained.stretch``).
    Returns: dict of ``heads``, ``rank1`` (how many have their own head nearest, a tie counts against the attacker) with
    ``rank1_low`` and ``rank1_high`` (shares, Wilson), ``chance`` (expected rank-1 of guessing) and ``auc`` of same
    against different heads with ``auc_low`` and ``auc_high`` (``intervals``). Probes without a finite distance to their
    own head are left out of ``heads``.
    """
    same: list[float] = []
    different: list[float] = []
    pairs: list[tuple[int, int]] = []
    heads, first, sizes = [], 0, []
    for row, mine in zip(distances, own, strict=True):
        others = [n for n in np.flatnonzero(np.isfinite(row)).tolist() if n != mine]
        if not np.isfinite(row[mine]) or not others:
            continue
        same.append(row[mine])
        heads.append(mine)
        different += row[others].tolist()
        pairs += [(mine, n) for n in others]
        first += bool(row[mine] < row[others].min())
        sizes.append(len(others) + 1)
    area = auc(same, different)
    low, high = stretched(area, *auc_interval(same, heads, different, pairs), stretch) if same else (math.nan, math.nan)
    rank1_low, rank1_high = wilson(first, len(same))
    return {
        "heads": len(same),
        "rank1": int(first),
        "rank1_low": rank1_low,
        "rank1_high": rank1_high,
        "auc": area,
        "auc_low": low,
        "auc_high": high,
        "chance": float(np.mean(1 / np.array(sizes))) if sizes else math.nan,
    }


def _nobody(heads: int) -> np.ndarray:
    """A distance matrix that says nothing of so many heads."""
    return np.full((heads, heads), np.nan)

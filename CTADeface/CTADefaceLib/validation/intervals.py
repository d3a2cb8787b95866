"""An interval of an AUC whose pairs are not independent: each head is in many of them.

Heads are drawn, not pairs (the bootstrap of vertices: Snijders and Borgatti, Connections 1999;22:161), and a pair counts
as often as both of its heads were drawn. Few heads make the percentiles too narrow: they are taken farther out, as far as
Student's t demands (the expanded percentile interval: Hesterberg, Am Stat 2015;69:371).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SAMPLES = 2000
SEED = 0


def auc_interval(
    same: ArrayLike, same_heads: ArrayLike, different: ArrayLike, different_heads: ArrayLike, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) of the ROC-AUC of telling near distances from far ones; (nan, nan) without either.

    Parameters: ``same`` (n,) distances of the heads ``same_heads`` (n,) to themselves; ``different`` (m,) distances of
    the pairs of heads ``different_heads`` (m, 2); heads are integers. The seed is fixed.
    """
    same, different = np.asarray(same, float), np.asarray(different, float)
    if not len(same) or not len(different):
        return math.nan, math.nan
    names, index = np.unique(np.r_[np.ravel(same_heads), np.ravel(different_heads)], return_inverse=True)
    mine, pairs = index[: len(same)], index[len(same) :].reshape(-1, 2)
    order = np.argsort(different)
    # The first of the sorted distances that is as far as the own one, and the first that is farther.
    places = [np.searchsorted(different[order], same, side) for side in ("left", "right")]
    random, found = np.random.default_rng(SEED), []
    for drawn in random.multinomial(len(names), np.full(len(names), 1 / len(names)), SAMPLES):
        weights = drawn[pairs[order]].prod(1)
        below, own = np.r_[0, np.cumsum(weights)], drawn[mine]
        if own.sum() and below[-1]:
            nearer = (below[places[0]] + below[places[1]]) / (2 * below[-1])
            found.append(1 - own @ nearer / own.sum())
    if not found:
        return math.nan, math.nan
    heads = len(np.unique(mine))
    tail = _tail(heads, level)
    low, high = np.quantile(found, (tail, 1 - tail))
    return _bounded(float(low), float(high), heads, level)


def stretched(value: float, low: float, high: float, factor: float) -> tuple[float, float]:
    """(low, high) ``factor`` times as far from ``value``, within 0 to 1."""
    return max(0.0, value - factor * (value - low)), min(1.0, value + factor * (high - value))


def _tail(heads: int, level: float) -> float:
    """The share of draws beyond either limit."""
    from scipy.stats import norm, t

    if heads < 2:
        return 0.0
    return float(norm.cdf(-math.sqrt(heads / (heads - 1)) * t.ppf((1 + level) / 2, heads - 1)))


def _bounded(low: float, high: float, heads: int, level: float) -> tuple[float, float]:
    """The limits, or Wilson's where every head is told from all others, or none is, so that no draw differs.

    The AUC is at least the share of heads that are told from all others: Wilson's interval of that share bounds it.
    """
    if low == high == 1:
        return wilson(heads, heads, level)[0], 1.0
    if low == high == 0:
        return 0.0, wilson(0, heads, level)[1]
    return low, high

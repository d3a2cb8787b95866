"""The paper's tests, by scipy and statsmodels; a p that cannot be computed (no differences, too few heads) is None."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

LEAST_PAIRS = 3


class PairedT(TypedDict):
    """What ``paired_t`` found."""

    shapiro_p: float | None
    normal: bool | None
    p: float | None


def wilson(found: int, number: int, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of Wilson's interval of ``found`` in ``number``; (nan, nan) of none."""
    from scipy.stats import binomtest

    if not number:
        return math.nan, math.nan
    interval = binomtest(int(found), int(number)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_p(before: ArrayLike, after: ArrayLike) -> float:
    """Exact p of McNemar's test of paired Booleans."""
    from statsmodels.stats.contingency_tables import mcnemar

    first, second = np.asarray(before, bool), np.asarray(after, bool)
    table = [[int((a & b).sum()) for b in (second, ~second)] for a in (first, ~first)]
    return float(mcnemar(table, exact=True).pvalue)


def friedman(groups: Sequence[np.ndarray]) -> float | None:
    """p of Friedman's test of equally long paired ``groups`` (three or more), or None."""
    from scipy.stats import friedmanchisquare

    if len(groups) < 3 or len(groups[0]) < LEAST_PAIRS:
        return None
    return _quiet(lambda: friedmanchisquare(*groups).pvalue)


def signed_rank(
    groups: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """Wilcoxon's signed-rank test of each of ``pairs`` of names of ``groups``: dict pair -> (p, p after Bonferroni)."""
    raw = [_wilcoxon_p(groups[first], groups[second]) for first, second in pairs]
    return dict(zip(pairs, zip(raw, bonferroni(raw))))


def _wilcoxon_p(first: np.ndarray, second: np.ndarray) -> float | None:
    from scipy.stats import wilcoxon

    if len(first) < LEAST_PAIRS or not np.any(np.asarray(first) != np.asarray(second)):
        return None
    return _quiet(lambda: wilcoxon(first, second).pvalue)


def bonferroni(values: Sequence[float | None]) -> list[float | None]:
    """p after Bonferroni's correction for as many tests as there are ``values``, None staying None."""
    from statsmodels.stats.multitest import multipletests

    if not values:
        return []
    corrected = multipletests([1.0 if v is None else v for v in values], method="bonferroni")[1]
    return [None if v is None else float(c) for v, c in zip(values, corrected)]


def paired_t(first: np.ndarray, second: np.ndarray, alpha: float) -> PairedT:
    """``shapiro_p`` of the differences, ``normal`` (whether that is above ``alpha``) and ``p`` of the paired t-test.

    ``p`` is given also where the differences are not normal; there the signed-rank test is the one to read.
    """
    from scipy.stats import shapiro, ttest_rel

    difference = np.subtract(first, second)
    if len(difference) < LEAST_PAIRS or np.ptp(difference) == 0:
        return {"shapiro_p": None, "normal": None, "p": None}
    check = _quiet(lambda: shapiro(difference).pvalue)
    return {
        "shapiro_p": check,
        "normal": None if check is None else bool(check > alpha),
        "p": _quiet(lambda: ttest_rel(first, second).pvalue),
    }


def _quiet(test: Callable[[], float]) -> float | None:
    """A finite float, or None, without SciPy's warnings of ties and small samples, which n and the raw figures show."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = float(test())
        except ValueError:
            return None
    return value if math.isfinite(value) else None

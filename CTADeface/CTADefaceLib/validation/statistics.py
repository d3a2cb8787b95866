"""The paper's tests, by scipy and statsmodels; a p that cannot be computed (no differences, too few heads) is None."""

import math
import warnings

import numpy as np

LEAST_PAIRS = 3


def wilson(found, number, level=0.95):
    """(low, high) of Wilson's interval of ``found`` in ``number``; (nan, nan) of none."""
    from scipy.stats import binomtest

    if not number:
        return math.nan, math.nan
    interval = binomtest(int(found), int(number)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_p(before, after):
    """Exact p of McNemar's test of paired Booleans."""
    from statsmodels.stats.contingency_tables import mcnemar

    before, after = np.asarray(before, bool), np.asarray(after, bool)
    table = [[int((a & b).sum()) for b in (after, ~after)] for a in (before, ~before)]
    return float(mcnemar(table, exact=True).pvalue)


def friedman(groups):
    """p of Friedman's test of equally long paired ``groups`` (three or more), or None."""
    from scipy.stats import friedmanchisquare

    if len(groups) < 3 or len(groups[0]) < LEAST_PAIRS:
        return None
    return _quiet(lambda: friedmanchisquare(*groups).pvalue)


def signed_rank(groups, pairs):
    """Wilcoxon's signed-rank test of each of ``pairs`` of names of ``groups``: dict pair -> (p, p after Bonferroni)."""
    from scipy.stats import wilcoxon

    raw = [_quiet(lambda a=a, b=b: wilcoxon(groups[a], groups[b]).pvalue) if len(groups[a]) >= LEAST_PAIRS
           and np.any(np.asarray(groups[a]) != np.asarray(groups[b])) else None for a, b in pairs]
    return dict(zip(pairs, zip(raw, bonferroni(raw))))


def bonferroni(values):
    """p after Bonferroni's correction for as many tests as there are ``values``, None staying None."""
    from statsmodels.stats.multitest import multipletests

    if not values:
        return []
    return [None if v is None else float(c) for v, c in zip(
        values, multipletests([1.0 if v is None else v for v in values], method="bonferroni")[1])]


def paired_t(first, second, alpha):
    """dict of ``shapiro_p`` of the differences, ``normal`` (above ``alpha``) and ``p`` of the paired t-test.

    Where the differences are not normal ``p`` is still given, and the signed-rank test is the one to read.
    """
    from scipy.stats import shapiro, ttest_rel

    difference = np.subtract(first, second)
    if len(difference) < LEAST_PAIRS or np.ptp(difference) == 0:
        return {"shapiro_p": None, "normal": None, "p": None}
    check = _quiet(lambda: shapiro(difference).pvalue)
    return {"shapiro_p": check, "normal": None if check is None else bool(check > alpha),
            "p": _quiet(lambda: ttest_rel(first, second).pvalue)}


def _quiet(test):
    """A finite float, or None; scipy warns of ties and small samples, which n and the raw figures beside it show."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = float(test())
        except ValueError:
            return None
    return value if math.isfinite(value) else None

"""Numbers as the tables say them; empty where there is none."""

import numpy as np

from .statistics import wilson


def mean_sd(array, digits):
    good = array[np.isfinite(array)]
    if not len(good):
        return ""
    spread = f" ± {good.std(ddof=1):.{digits}f}" if len(good) > 1 else ""
    return f"{good.mean():.{digits}f}{spread}"


def _spread(array, digits, low, high):
    good = array[np.isfinite(array)]
    if not len(good):
        return ""
    # Adding zero takes the sign from a rounded -0.
    least, middle, most = np.round(np.percentile(good, (low, 50, high)), digits) + 0.0
    return f"{middle:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def median_range(array, digits):
    return _spread(array, digits, 0, 100)


def quartiles(array, digits):
    return _spread(array, digits, 25, 75)


def estimate(value, low, high, digits):
    """A figure with its interval."""
    if value is None or not np.isfinite(value):
        return ""
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def percent(share):
    return "" if not np.isfinite(share) else f"{100 * share:.0f} %"


def p_text(p):
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def rate(found):
    return rate_of(int(np.sum(found)), len(found))


def rate_of(found, number):
    if not number:
        return ""
    low, high = wilson(found, number)
    return f"{found}/{number}, {100 * found / number:.0f} % ({100 * low:.0f} to {100 * high:.0f})"

"""The cells of the report's tables: our figures as text, empty where there is none, and the published figures.

Every published figure was read in its source. ``PAPER``: Mahmutoglu et al., Eur Radiol Exp 2024;8:111,
doi 10.1186/s41747-024-00510-9, n = 50 external CTAs: the abstract, and figures of its text as this project's brief gives
them. The numbers behind its box plots are not at hand. ``PUBLISHED_AUC``: telling the same patient from
others after defacing, published by others for CTA-DEFACE and TotalSegmentator's face mask.
"""

from __future__ import annotations

import numpy as np

from ..statistics import wilson

PAPER = "Mahmutoglu et al. 2024"
PAPER_N = 50
PAPER_DICE, PAPER_DICE_SD = 0.94, 0.02
# Share of pictures in which MTCNN finds a face, by our method of the same kind.
PAPER_DETECTION = {"original": 0.84, "box-published": 0.74, "ours-published": 0.62}
PAPER_MINUTES = {"box-published": 36.3, "ours-published": 0.2}
PAPER_MINUTES_ON = {"box-published": "", "ours-published": " on a GPU"}
PUBLISHED_AUC = {"CTA-DEFACE": 0.60, "TotalSegmentator": 0.55}


def mean_sd(array: np.ndarray, digits: int) -> str:
    good = array[np.isfinite(array)]
    if not len(good):
        return ""
    spread = f" ± {good.std(ddof=1):.{digits}f}" if len(good) > 1 else ""
    return f"{good.mean():.{digits}f}{spread}"


def _spread(array: np.ndarray, digits: int, low: float, high: float) -> str:
    good = array[np.isfinite(array)]
    if not len(good):
        return ""
    # Adding zero takes the sign from a rounded -0.
    least, middle, most = np.round(np.percentile(good, (low, 50, high)), digits) + 0.0
    return f"{middle:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def median_range(array: np.ndarray, digits: int) -> str:
    return _spread(array, digits, 0, 100)


def quartiles(array: np.ndarray, digits: int) -> str:
    return _spread(array, digits, 25, 75)


def estimate(value: float | None, low: float, high: float, digits: int) -> str:
    """A figure with its interval."""
    if value is None or not np.isfinite(value):
        return ""
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def percent(share: float) -> str:
    return "" if not np.isfinite(share) else f"{100 * share:.0f} %"


def p_text(p: float | None) -> str:
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def rate(found: np.ndarray) -> str:
    return rate_of(int(np.sum(found)), len(found))


def rate_of(found: int, number: int) -> str:
    if not number:
        return ""
    low, high = wilson(found, number)
    return f"{found}/{number}, {100 * found / number:.0f} % ({100 * low:.0f} to {100 * high:.0f})"

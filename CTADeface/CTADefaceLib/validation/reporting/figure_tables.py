"""The tables of the report's figures: what each box plot shows in numbers, and its tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..methods import ORIGINAL, TITLES
from ..statistics import friedman, paired_t, signed_rank
from .study_summary import Summary
from .table_cells import p_text, quartiles

PAIRS = (
    (ORIGINAL, "box-published"),
    (ORIGINAL, "atlas-published"),
    (ORIGINAL, "ours-published"),
    (ORIGINAL, "ours-levelled"),
    ("box-published", "ours-published"),
    ("box-published", "ours-levelled"),
    ("atlas-published", "ours-levelled"),
    ("ours-published", "ours-levelled"),
    ("reference-levelled", "ours-levelled"),
)


@dataclass(frozen=True)
class Table:
    """``rows`` are lists of text as long as ``columns``; the first cell names the row."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


# Title, (heads,) by method, whether the original is shown too, note.
FIGURES: dict[str, tuple[str, Callable[[Summary, str], np.ndarray], bool, str]] = {
    "probability": (
        "Detection probability (as Fig. 3)",
        lambda s, state: np.mean(s.probability(state), axis=1),
        True,
        "MTCNN's confidence of the surest counted box, 0 without one, mean over the views of a head.",
    ),
    "distance": (
        "Distance to the original, FaceNet (as Fig. 4)",
        lambda s, state: s.distance(state, "facenet", "crop"),
        False,
        "Euclidean, median over the views of a head, in the same square around the face. In MTCNN's "
        "boxes, as the paper did, only where the original has one.",
    ),
}


def values(summary: Summary, figure: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """(states, {state: (heads,)}) of one of ``FIGURES``."""
    _, function, with_original, _ = FIGURES[figure]
    states = [s for s in summary.states if with_original or s != ORIGINAL]
    return states, {state: function(summary, state) for state in states}


def figure_table(summary: Summary, figure: str) -> Table:
    """The numbers of a box plot, and Friedman's test over the heads that all methods have."""
    title, _, _, note = FIGURES[figure]
    states, by_state = values(summary, figure)
    complete = np.all([np.isfinite(v) for v in by_state.values()], axis=0)
    p = friedman([v[complete] for v in by_state.values()])
    columns = ["Method", "Paper", "n", "Median (quartiles)"]
    rows: list[list[str]] = []
    extra = [("facenet", "face"), ("dlib", "crop"), ("dlib", "face")] if figure == "distance" else []
    columns += [
        f"{ {'facenet': 'FaceNet', 'dlib': 'dlib'}[r] }, {'MTCNN box' if k == 'face' else 'square'} (n)" for r, k in extra
    ]
    for state in states:
        more = [summary.distance(state, r, k) for r, k in extra]
        rows.append(
            [
                TITLES[state],
                "box plot only",
                number_of_heads(by_state[state]),
                quartiles(by_state[state], 2),
                *[f"{quartiles(v, 2)} ({number_of_heads(v)})" for v in more],
            ]
        )
    return Table(
        title,
        columns,
        rows,
        f"{note} Friedman over {int(complete.sum())} heads that all have: p {p_text(p)} (paper: p < 0.001 "
        "for less detection and similarity than the baseline).",
    )


def posthoc_table(summary: Summary, figure: str) -> Table:
    """Pairwise tests after Friedman's."""
    title, (states, by_state) = FIGURES[figure][0], values(summary, figure)
    pairs = [pair for pair in PAIRS if all(state in states for state in pair)]
    complete = np.all([np.isfinite(v) for v in by_state.values()], axis=0)
    groups = {state: v[complete] for state, v in by_state.items()}
    ranks, rows = signed_rank(groups, pairs), []
    for first, second in pairs:
        t = paired_t(groups[first], groups[second], summary.protocol.alpha)
        apart = groups[second] - groups[first]
        rows.append(
            [
                f"{TITLES[first]} / {TITLES[second]}",
                str(len(apart)),
                quartiles(apart, 2),
                p_text(ranks[first, second][0]),
                p_text(ranks[first, second][1]),
                p_text(t["shapiro_p"]),
                "" if t["normal"] is None else "yes" if t["normal"] else "no",
                p_text(t["p"]),
            ]
        )
    return Table(
        f"Pairs: {title[0].lower()}{title[1:]}",
        ["Pair", "n", "Second less first", "Wilcoxon p", "after Bonferroni", "Shapiro p", "normal", "Paired t p"],
        rows,
        "The paired t-test counts only where the differences are normal.",
    )


def number_of_heads(array: np.ndarray) -> str:
    """How many have a number."""
    return str(int(np.isfinite(array).sum()))

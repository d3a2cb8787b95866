"""The report's pictures by matplotlib: box plots as Figs. 3 and 4 of the paper, and a montage as its Fig. 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..methods import ORIGINAL, TITLES
from .figure_tables import FIGURES, values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..results_store import Store
    from .study_summary import Summary

SHORT = {
    ORIGINAL: "Original",
    "reference-published": "Reference\npublished",
    "reference-levelled": "Reference\nlevelled",
    "ours-published": "CTADeface\npublished",
    "ours-levelled": "CTADeface\nlevelled",
    "box-published": "Box",
    "atlas-published": "Atlas",
}
DPI = 110


@dataclass(frozen=True)
class Picture:
    """A matplotlib ``figure`` with its ``title`` and the text below it."""

    title: str
    figure: Figure
    note: str


def box_plot(summary: Summary, figure: str) -> Picture:
    """``Picture`` of one of ``figure_tables.FIGURES``, each head a point."""
    from matplotlib.figure import Figure

    title, _, _, note = FIGURES[figure]
    states, by_state = values(summary, figure)
    shown = [by_state[s][np.isfinite(by_state[s])] for s in states]
    drawn = Figure(figsize=(1.3 * len(states) + 1.5, 4.2), layout="constrained")
    axes = drawn.subplots()
    axes.boxplot(shown, tick_labels=[f"{SHORT[s]}\nn = {len(v)}" for s, v in zip(states, shown)], showfliers=False)
    spread = np.random.default_rng(0)
    for place, points in enumerate(shown, 1):
        axes.plot(place + spread.uniform(-0.12, 0.12, len(points)), points, ".", color="#1565c0", alpha=0.7)
    axes.set_ylabel(title.partition(" (")[0])
    axes.grid(axis="y", alpha=0.3)
    return Picture(title, drawn, note)


def montage(summary: Summary, store: Store, heads: Sequence[str] | None = None) -> Picture | None:
    """``Picture`` of heads (rows) by methods (columns), anterior view; None without pictures.

    Parameters: ``store`` the run's ``results_store.Store``; ``heads`` names, by default the protocol's number of heads, those
    with the finest voxels first, since coarse ones show little.
    """
    import SimpleITK as sitk
    from matplotlib.figure import Figure

    originals = {head: found for head in summary.heads if (found := summary.result(head, ORIGINAL))}
    finest = sorted(originals, key=lambda head: float(np.prod(originals[head]["spacing_mm"])))
    rows = heads or finest[: summary.protocol.montage_heads]
    if not rows:
        return None
    drawn = Figure(figsize=(1.7 * len(summary.states), 1.8 * len(rows) + 0.4), layout="constrained")
    grid = drawn.subplots(len(rows), len(summary.states), squeeze=False)
    for line, head in zip(grid, rows):
        for axes, state in zip(line, summary.states):
            axes.set_xticks([]), axes.set_yticks([])
            path = store.path(head, state, ".png")
            if summary.result(head, state) and path.is_file():
                axes.imshow(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
            else:
                axes.text(0.5, 0.5, "failed", ha="center", va="center")
        line[0].set_ylabel(head, fontsize=7)
    for axes, state in zip(grid[0], summary.states):
        axes.set_title(SHORT[state], fontsize=8)
    return Picture(
        "Heads before and after (as Fig. 2)",
        drawn,
        f"CT-Muscle rendering, {summary.protocol.published_view}. "
        + "; ".join(f"{SHORT[s]}: {TITLES[s]}" for s in summary.states[1:]).replace("\n", " ")
        + ".",
    )

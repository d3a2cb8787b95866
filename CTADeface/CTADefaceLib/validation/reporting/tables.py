"""The report's tables as text cells: one for each figure of the paper, and more for what the paper lacks."""

from __future__ import annotations

import numpy as np

from ..faces import DETECTORS
from ..identification import ALL, RETRAINED, WHO, Identified
from ..methods import ORIGINAL, TITLES
from ..statistics import bonferroni, mcnemar_p
from .figure_tables import Table, figure_table, number_of_heads, posthoc_table
from .study_summary import Summary
from .table_cells import (
    PAPER,
    PAPER_DETECTION,
    PAPER_DICE,
    PAPER_DICE_SD,
    PAPER_MINUTES,
    PAPER_MINUTES_ON,
    PAPER_N,
    PUBLISHED_AUC,
    estimate,
    mean_sd,
    median_range,
    p_text,
    percent,
    rate,
    rate_of,
)

NOT_REPORTED = "not reported"


def all_tables(summary: Summary) -> list[Table]:
    """List of ``Table``s of a ``Summary``, the main one first."""
    return [
        main_table(summary),
        mask_table(summary),
        *(detection_table(summary, detector) for detector in DETECTORS),
        figure_table(summary, "probability"),
        posthoc_table(summary, "probability"),
        figure_table(summary, "distance"),
        posthoc_table(summary, "distance"),
        gallery_table(summary),
        attack_table(summary),
        time_table(summary),
        failure_table(summary),
        head_table(summary),
    ]


def main_table(summary: Summary) -> Table:
    """What the README shows."""
    before, after = (percent(PAPER_DETECTION[state]) for state in (ORIGINAL, "ours-published"))
    rows = [
        [
            f"CTA-DEFACE, {PAPER}",
            str(PAPER_N),
            f"{PAPER_DICE:.2f} ± {PAPER_DICE_SD:.2f}",
            "",
            "",
            f"{after} (before: {before})",
            "",
            "",
            "",
            f"{PUBLISHED_AUC['CTA-DEFACE']:.2f}*",
            "",
            "",
        ]
    ]
    rows += [_main_row(summary, state) for state in summary.states]
    return Table(
        "Main results",
        [
            "Method",
            "n",
            "Dice",
            "Skin left, %",
            "Tissue lost, ml",
            "MTCNN finds a face",
            "FaceNet distance",
            "Rank-1",
            "AUC",
            "AUC, retrained",
            "Attack, mm off",
            "Told by the file, mm",
        ],
        rows,
        "Mean ± SD, or median (least to most). Dice and tissue lost count tissue only. Distance: to the own "
        "original, same view. Rank-1 and AUC: all recognisers together, against all originals in other views, "
        "with 95 % intervals; AUC 0.5 is chance. Retrained: the better of two attackers who learned from "
        "other defaced heads. * Published by others, on other data (a trained attacker's). Attack: median error "
        "of the best guess of the old skin; told by the file: by how much that beats average tissue depth, "
        "0 for an irreversible fill.",
    )


def _main_row(summary: Summary, state: str) -> list[str]:
    seen = summary.found(state, "mtcnn")
    there = ~np.isnan(seen[:, 0])
    known = summary.gallery(state, ALL, across=True)
    learned = max(
        (summary.gallery(state, who, across=True) for who in RETRAINED), key=lambda found: np.nan_to_num(found["auc"])
    )
    cells = [["", "", ""], [""], ["", ""]]
    if state != ORIGINAL:
        error = summary.measure(state, "attack_moved_mm")
        cells = [
            [
                mean_sd(summary.measure(state, "dice_tissue"), 3),
                mean_sd(100 * summary.measure(state, "residual_skin"), 0),
                mean_sd(summary.measure(state, "over_ml"), 0),
            ],
            [median_range(summary.distance(state, "facenet", "crop"), 2)],
            [median_range(error, 1), median_range(summary.measure(state, "attack_depth_only_mm") - error, 1)],
        ]
    share = percent(seen[there].mean()) if there.any() else ""
    return [
        TITLES[state],
        str(int(there.sum())),
        *cells[0],
        f"{share} of views, {int(_any(seen[there]).sum())} of {int(there.sum())} heads",
        *cells[1],
        rate_of(known["rank1"], known["heads"]),
        auc_text(known),
        auc_text(learned),
        *cells[2],
    ]


def auc_text(found: Identified) -> str:
    """The AUC of ``identification.identified`` with its interval."""
    return estimate(found["auc"], found["auc_low"], found["auc_high"], 2)


def mask_table(summary: Summary) -> Table:
    """Segmentation: Dice as in the paper, and figures that it did not report."""
    keys = (
        ("dice", 3),
        ("dice_tissue", 3),
        ("hd95_mm", 1),
        ("surface_dice", 3),
        ("over_ml", 0),
        ("missed_ml", 0),
        ("residual_skin", 2),
        ("brain_ml", 2),
        ("bone_ml", 1),
    )
    rows = [
        [f"CTA-DEFACE, {PAPER}", str(PAPER_N), f"{PAPER_DICE:.2f} ± {PAPER_DICE_SD:.2f}", *[NOT_REPORTED] * (len(keys) - 1)]
    ]
    rows += [
        [
            TITLES[name],
            number_of_heads(summary.measure(name, "dice")),
            *[mean_sd(summary.measure(name, key), digits) for key, digits in keys],
        ]
        for name in summary.protocol.methods
    ]
    return Table(
        "Masks and what the fills took (paper: Dice)",
        [
            "Method",
            "n",
            "Dice",
            "Dice, tissue",
            "HD95 mm",
            "Surface Dice",
            "Over-removal ml",
            "Missed ml",
            "Skin left",
            "Brain changed ml",
            "Bone changed ml",
        ],
        rows,
        "Mean ± SD. All but the first Dice count tissue only "
        f"(above {summary.protocol.tissue_hu} HU), since box and atlas reach far into air; surface Dice at "
        f"{summary.protocol.surface_tolerance_mm} mm. Skin left: share, the worse side. Brain and bone: all "
        "that changed, the mask's own part included.",
    )


def detection_table(summary: Summary, detector: str) -> Table:
    """Fig. 3 of the paper as rates: the published view alone, and all views; raw and filtered."""
    front = summary.protocol.published_index
    any_before = _any(summary.found(ORIGINAL, detector))
    rows: list[list[str]] = []
    raw_p: list[float | None] = []
    for state in summary.states:
        filtered, raw = (summary.found(state, detector, filtered=f) for f in (True, False))
        there = ~np.isnan(filtered[:, 0])
        both = there & ~np.isnan(summary.found(ORIGINAL, detector)[:, 0])
        raw_p.append(None if state == ORIGINAL or not both.any() else mcnemar_p(any_before[both], _any(filtered)[both]))
        published = PAPER_DETECTION.get(state) if detector == "mtcnn" else None
        rows.append(
            [
                TITLES[state],
                f"{100 * published:.0f} %" if published else NOT_REPORTED,
                rate(raw[there, front]),
                rate(filtered[there, front]),
                rate(_any(raw)[there]),
                rate(_any(filtered)[there]),
                _views(raw[there]),
                _views(filtered[there]),
            ]
        )
    tested = [p for state, p in zip(summary.states, raw_p) if state != ORIGINAL]
    for row, p, corrected in zip(rows, raw_p, [None, *bonferroni(tested)]):
        row.append(f"{p_text(p)} ({p_text(corrected)})" if p is not None else "")
    name = {"mtcnn": "MTCNN", "mtcnn-onnx": "MTCNN of another package", "hog": "dlib's HOG detector"}[detector]
    return Table(
        f"Face detection, {name} (paper: rate with MTCNN)",
        [
            "Pictures of",
            "Paper",
            "Anterior view, raw",
            "Anterior view, filtered",
            "Heads in some view, raw",
            "Heads in some view, filtered",
            "Views, raw",
            "Views, filtered",
            "McNemar p (Bonferroni)",
        ],
        rows,
        "Heads with 95 % Wilson interval. Filtered: boxes of the size "
        f"({summary.protocol.face_width_mm[0]:g} to {summary.protocol.face_width_mm[1]:g} mm) and at the "
        f"place (within {summary.protocol.face_offset_mm:g} mm) of the face. Views of one head are not "
        "independent, so "
        "they have no interval. McNemar: heads in some view, filtered, against the original.",
    )


def gallery_table(summary: Summary) -> Table:
    """Identification, which the paper lacks."""
    rows = [[f"{name}, published by others", "", "", "", "", f"{auc:.2f}"] for name, auc in PUBLISHED_AUC.items()]
    for who, title in WHO.items():
        for across in (False, True):
            for state in summary.states:
                if state == ORIGINAL and not across:
                    continue
                found = summary.gallery(state, who, across)
                rows.append(
                    [
                        TITLES[state],
                        title,
                        "other" if across else "same",
                        rate_of(found["rank1"], found["heads"]),
                        percent(found["chance"]),
                        auc_text(found),
                    ]
                )
    return Table(
        "Identification in a gallery of all originals",
        ["Probe", "Recogniser", "View", "Rank-1", "by chance", "AUC"],
        rows,
        "The square around the face, median over views. 95 % intervals: rank-1 by Wilson, AUC by a bootstrap of "
        "heads. All recognisers: mean of their distances, each in units of its median. Retrained: logistic "
        "regression on pairs of renderings (defaced, original) of heads that are in no tested pair, all "
        "recognisers, mean over views; on distances and cosines alone, or with each number's difference and "
        "product. Each head was scanned once: a probe and its own original share noise, pose and field of "
        "view, which makes it easier than with another scan or a photograph. The original in other views is "
        "the ceiling of the recogniser.",
    )


def attack_table(summary: Summary) -> Table:
    """Whether the skin can be found again, which the paper lacks."""
    rows = [
        [
            TITLES[m],
            number_of_heads(summary.measure(m, "attack_moved_mm")),
            *[median_range(summary.measure(m, f"attack_{key}"), 1) for key in ("moved_mm", "as_shown_mm", "depth_only_mm")],
            median_range(summary.measure(m, "attack_depth_only_mm") - summary.measure(m, "attack_moved_mm"), 1),
        ]
        for m in summary.protocol.methods
    ]
    return Table(
        "Boundary attack on heads with noise, error in mm",
        ["Method", "n", "Best clue, moved", "Best clue, as shown", "Average depth only", "What the file adds"],
        rows,
        "Median over the lines of a head, then median (least to most) over heads. Error no smaller than by "
        "average depth of tissue alone: the file tells nothing of the skin.",
    )


def time_table(summary: Summary) -> Table:
    """Run times beside those of the paper."""
    rows = []
    for name in summary.protocol.methods:
        published = PAPER_MINUTES.get(name)
        rows.append(
            [
                TITLES[name],
                f"{published:g} min{PAPER_MINUTES_ON[name]}" if published else NOT_REPORTED,
                number_of_heads(summary.seconds(name)),
                median_range(summary.seconds(name), 1),
                median_range(summary.seconds(name, "mask_cpu_seconds"), 1),
                median_range(summary.seconds(name, "fill_seconds"), 2),
            ]
        )
    return Table(
        "Run time, s",
        ["Method", "Paper", "n", "Mask", "Mask, processor time", "Fill"],
        rows,
        "Median (least to most). Without reading, writing, and loading of model and atlas. Wall time grows "
        "when the machine has other work; processor time is of all cores. Reference masks are given.",
    )


def failure_table(summary: Summary) -> Table:
    """Every result that is not there, and why."""
    rows = [[head, TITLES[method], reason] for head, method, reason in summary.failures] or [["none", "", ""]]
    return Table(
        "Failures",
        ["Head", "Method", "Reason"],
        rows,
        "A failed method has no result on that head: its n is smaller, and tests over several methods leave the head out.",
    )


def head_table(summary: Summary) -> Table:
    """The heads of the run."""
    rows = []
    for head in summary.heads:
        found = summary.result(head, ORIGINAL)
        rows.append(
            [
                head,
                found["subset"],
                " x ".join(map(str, found["voxels"])),
                " x ".join(f"{s:g}" for s in found["spacing_mm"]),
                f"{found['reference_ml']:.0f}",
            ]
            if found
            else [head, "", "", "", ""]
        )
    return Table("Heads", ["Head", "Subset", "Voxels", "Spacing mm", "Reference ml"], rows)


def _views(found: np.ndarray) -> str:
    return f"{int(found.sum())}/{found.size}, {100 * found.mean():.0f} %" if found.size else ""


def _any(found: np.ndarray) -> np.ndarray:
    return np.nan_to_num(found).max(axis=1) > 0

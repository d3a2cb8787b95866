"""How well the engine finds the face: its masks against reference masks.

Runs ``face_mask`` on every head as the shell and Slicer do, prints a table and the bars, and
writes ``accuracy.json`` and ``accuracy.csv``. Exit code 1 when a bar is missed.
"""

import argparse
import sys
import time

import numpy as np

from common import (
    Bar,
    add_data_options,
    add_run_options,
    bars_as_dicts,
    find_cases,
    machine_facts,
    model_facts,
    network_mask,
    networks,
    report_bars,
    write_csv,
    write_json,
)
from CTADefaceLib.validation.measures import dice, hausdorff95, surface_dice, surface_distances
from measure import peak_memory_since_reset, reset_peak_memory

LEAST_MEAN_DICE = 0.93
LEAST_DICE = 0.88
LARGEST_MEAN_HD95_MM = 6.0
TOLERANCE_MM = 2.0

# Key of a row, its heading, its format, and which end is the worst (None: there is no worst).
COLUMNS = (
    ("dice", "Dice", ".3f", min),
    ("dice_network", "before", ".3f", min),
    ("hd95_mm", "HD95 mm", ".1f", max),
    ("surface_dice", "surf.D", ".3f", min),
    ("mask_ml", "mask ml", ".0f", None),
    ("reference_ml", "ref. ml", ".0f", None),
    ("over_ml", "over ml", ".0f", max),
    ("under_ml", "under ml", ".0f", max),
    ("seconds", "s", ".1f", max),
    ("peak_gb", "peak GB", ".2f", max),
)


def measure_case(case, model, no_refine):
    """All figures of one head as a dict; with ``no_refine`` also the Dice of the network's mask before refinement."""
    from CTADefaceLib.face.mask import face_mask
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.network.model_run import ModelRun

    volume, reference = read_volume(case.image), read_volume(case.mask)
    if reference.stored.shape != volume.stored.shape or not reference.geometry.matches(volume.geometry):
        raise SystemExit(f"{case.mask}: lies on another grid than its image.")
    wanted = np.asarray(reference.stored) != 0
    reset_peak_memory()
    started = time.monotonic()
    mask = face_mask(volume, networks(), ModelRun(model))
    seconds, peak = time.monotonic() - started, peak_memory_since_reset()
    row = {"case": case.name, "subset": case.subset, "dice": dice(mask, wanted)}
    if no_refine:
        row["dice_network"] = dice(network_mask(volume, model), wanted)
    return (
        row | _distances_and_volumes(mask, wanted, volume.geometry.spacing[::-1]) | {"seconds": seconds, "peak_gb": peak / 1e9}
    )


def _distances_and_volumes(mask, wanted, spacing):
    distances = surface_distances(mask, wanted, spacing)
    ml = float(np.prod(spacing)) / 1000
    return {
        "hd95_mm": hausdorff95(distances),
        "surface_dice": surface_dice(distances, TOLERANCE_MM),
        "mask_ml": int(mask.sum()) * ml,
        "reference_ml": int(wanted.sum()) * ml,
        "over_ml": int((mask & ~wanted).sum()) * ml,
        "under_ml": int((wanted & ~mask).sum()) * ml,
    }


def summarise(rows):
    """Mean, standard deviation (of the sample) and worst value of each column."""
    result = {"heads": len(rows)}
    for key, _, _, worst in COLUMNS:
        if key in rows[0]:
            values = np.array([row[key] for row in rows])
            result[key] = {
                "mean": float(values.mean()),
                "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
                "worst": float(worst(values)) if worst else None,
            }
    return result


def print_head(columns, width):
    print("head".ljust(width) + "".join(f"{heading:>17}" for _, heading, _, _ in columns), flush=True)


def print_row(row, columns, width):
    print(row["case"].ljust(width) + "".join(f"{row[key]:>17{form}}" for key, _, form, _ in columns), flush=True)


def print_summary(name, summary, columns, width):
    """Two lines: mean +- sd, and the worst of each column."""
    print(
        f"{name}, {summary['heads']} heads".ljust(width)
        + "".join(f"{format(summary[k]['mean'], f) + ' +- ' + format(summary[k]['sd'], f):>17}" for k, _, f, _ in columns)
    )
    print(
        "  worst".ljust(width) + "".join(f"{summary[k]['worst']:>17{f}}" if worst else " " * 17 for k, _, f, worst in columns)
    )


def demands(summary):
    return [
        Bar("mean Dice", summary["dice"]["mean"], ">=", LEAST_MEAN_DICE),
        Bar("worst Dice", summary["dice"]["worst"], ">=", LEAST_DICE),
        Bar("mean HD95", summary["hd95_mm"]["mean"], "<=", LARGEST_MEAN_HD95_MM, "mm"),
    ]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    parser.add_argument(
        "--no-refine",
        action="store_true",
        help="also the Dice of the network's mask before refinement (runs the network twice)",
    )
    add_run_options(parser)
    args = parser.parse_args(argv)
    cases = find_cases(args.data, args.cases)
    columns = [c for c in COLUMNS if c[0] != "dice_network" or args.no_refine]
    width = max(24, *(len(case.name) + 2 for case in cases))

    # Before the clock starts: a user's later heads find the model in memory too.
    networks().loaded(args.model)
    print_head(columns, width)
    rows = []
    for case in cases:
        rows.append(measure_case(case, args.model, args.no_refine))
        print_row(rows[-1], columns, width)
    subsets = sorted({row["subset"] for row in rows})
    summaries = {name: summarise([r for r in rows if r["subset"] == name]) for name in subsets}
    summaries["all"] = summarise(rows)
    print()
    for name, summary in summaries.items():
        print_summary(name, summary, columns, width)
    bars = demands(summaries["all"])
    code = report_bars(bars)
    write_json(
        args.output / "accuracy.json",
        {
            "model": model_facts(args.model),
            "machine": machine_facts(),
            "tolerance_mm": TOLERANCE_MM,
            "cases": rows,
            "summary": summaries,
            "bars": bars_as_dicts(bars),
        },
    )
    write_csv(args.output / "accuracy.csv", rows)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""Can the skin be found again in a defaced file?

By default trained attackers (``CTADefaceLib.validation.attacks.skin_attack``): they learn on the training heads, levelled with
their reference masks, and are judged on the check heads, levelled with the engine's own masks (``--reference-only``: with
their reference masks). What the file tells beyond its bone is the gain. ``--boundary``: instead the clues that need no
training (``CTADefaceLib.validation.attacks.attack``), on the published and our fill, with realistic noise added to each head
first (many have blank air). Exit code 1 when a bar is missed.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from common import (
    Bar,
    add_data_options,
    add_run_options,
    bars_as_dicts,
    find_cases,
    networks,
    report_bars,
    write_csv,
    write_json,
)
from helpers.paths import CHECK_DATA

LEAST_ERROR_MM = 10.0
FILLS = ("published", "levelled")
# How much better than the yardstick counts as the file telling something, mm.
SLACK_MM = 0.5
MOST_GAIN_MM, MOST_GAIN_IN_ALL_MM = 0.5, 0.2


def rays_of(case, model, with_reference):
    """``Rays`` of one levelled head."""
    from CTADefaceLib.face.mask import face_mask
    from CTADefaceLib.filling.fill import filled
    from CTADefaceLib.network.model_run import ModelRun
    from CTADefaceLib.validation.attacks.face_frame import face_frame
    from CTADefaceLib.validation.attacks.rays import cast
    from CTADefaceLib.validation.heads import read_case

    volume, reference = read_case(case)
    mask = reference if with_reference else face_mask(volume, networks(), ModelRun(model))
    return cast(volume, mask, filled(volume, mask, "levelled")[0], face_frame(volume, reference))


def print_rows(rows):
    for row in rows:
        print(
            f"{row['zone']:15}",
            *(f"{key.removesuffix('_mm')} {value:.2f} " for key, value in row.items() if key.endswith("_mm")),
            flush=True,
        )


def trained(args):
    """(rows per zone, bars) of the trained attackers."""
    from CTADefaceLib.validation.attacks.skin_attack import GAINS, attacked, cross_validated, fitted, gains

    checked = [rays_of(case, args.model, args.reference_only) for case in find_cases(args.data, args.cases)]
    print(f"{len(checked)} heads to judge by", flush=True)
    heads = [rays_of(case, args.model, True) for case in find_cases(args.train)]
    print(f"{len(heads)} heads to learn from", flush=True)
    attackers = fitted(heads)
    rows = gains([attacked(attackers, head) for head in checked])
    print_rows(rows)
    if args.cross_validate:
        print("\ncross-validated over the heads to learn from")
        print_rows(gains(cross_validated(heads)))
    bars = []
    for name in GAINS:
        *zones, total = [row[f"{name} gain_mm"] for row in rows]
        bars += [
            Bar(f"{name}: most that the file adds to bone, any zone", float(np.nanmax(zones)), "<=", MOST_GAIN_MM, "mm"),
            Bar(f"{name}: what the file adds to bone, in all", total, "<=", MOST_GAIN_IN_ALL_MM, "mm"),
        ]
    *zones, total = [row["wide border_mm"] for row in rows]
    bars += [
        Bar(
            "wide: most that the border adds to bone and the skin around, any zone",
            float(np.nanmax(zones)),
            "<=",
            MOST_GAIN_MM,
            "mm",
        ),
        Bar("wide: what the border adds to bone and the skin around, in all", total, "<=", MOST_GAIN_IN_ALL_MM, "mm"),
    ]
    return rows, bars


def boundary_of(case, model, seed):
    """One row per head: the attacker's error for each fill, and the yardstick."""
    from CTADefaceLib.face.mask import face_mask
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.network.model_run import ModelRun
    from CTADefaceLib.validation.attacks.attack import boundary_error, noisy

    volume = noisy(read_volume(case.image), seed)
    mask, row = face_mask(volume, networks(), ModelRun(model)), {"case": case.name}
    for fill in FILLS:
        found = boundary_error(volume, mask, fill)
        row |= {
            "lines": found["lines"],
            f"{fill}_clue": found["clue"],
            f"{fill}_moved_mm": found["moved_mm"],
            f"{fill}_mm": found["as_shown_mm"],
            f"{fill}_depth_only_mm": found["depth_only_mm"],
        }
    return row


def boundary(args):
    """(rows per head, bars) of the attack that needs no training."""
    rows = []
    for number, case in enumerate(find_cases(args.data, args.cases)):
        rows.append(boundary_of(case, args.model, number))
        print(
            "  ".join(
                f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}" for key, value in rows[-1].items()
            ),
            flush=True,
        )
    worst = min(row["levelled_mm"] for row in rows)
    gain = max(row["levelled_depth_only_mm"] - row["levelled_moved_mm"] for row in rows)
    found = float(np.median([row["published_moved_mm"] for row in rows]))
    return rows, [
        Bar("published fill, median error (the attack works)", found, "<=", 3.0, "mm"),
        Bar("levelled fill, least error", worst, ">=", LEAST_ERROR_MM, "mm"),
        Bar("levelled fill, most that the file's clues add to average depth", gain, "<=", SLACK_MM, "mm"),
    ]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    add_run_options(parser)
    parser.add_argument(
        "--train",
        type=Path,
        default=CHECK_DATA.parent / "train",
        metavar="FOLDER",
        help="the heads that the attackers learn from, with reference masks",
    )
    parser.add_argument("--reference-only", action="store_true", help="judge with the reference masks, not the engine's own")
    parser.add_argument("--cross-validate", action="store_true", help="print the gains over the training heads too (slow)")
    parser.add_argument("--boundary", action="store_true", help="the attack that needs no training")
    args = parser.parse_args(argv)
    rows, bars = (boundary if args.boundary else trained)(args)
    code = report_bars(bars)
    name = "attack_boundary" if args.boundary else "attack"
    write_json(args.output / f"{name}.json", {"rows": rows, "bars": bars_as_dicts(bars)})
    write_csv(args.output / f"{name}.csv", rows)
    return code


if __name__ == "__main__":
    sys.exit(main())

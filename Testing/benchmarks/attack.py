"""Can the skin be found again in a defaced file? The strongest attack that we know, on the published and our fill.

Realistic noise is added to each head first (many have blank air), and the engine's own mask is filled; the attack is
``CTADefaceLib.validation.attack``. Exit code 1 when a bar is missed.
"""

import argparse
import sys

import numpy as np
from common import Bar, add_data_options, add_run_options, bars_as_dicts, find_cases, report_bars, write_csv, write_json

LEAST_ERROR_MM = 10.0
FILLS = ("published", "levelled")
# How much better than the yardstick counts as the file telling something, mm.
SLACK_MM = 0.5


def attack(case, model, seed):
    """One row per head: the attacker's error for each fill, and the yardstick."""
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.pipeline import face_mask
    from CTADefaceLib.validation.attack import boundary_error, noisy

    volume = noisy(read_volume(case.image), seed)
    mask, row = face_mask(volume, model), {"case": case.name}
    for fill in FILLS:
        found = boundary_error(volume, mask, fill)
        row |= {"lines": found["lines"], f"{fill}_clue": found["clue"], f"{fill}_moved_mm": found["moved_mm"],
                f"{fill}_mm": found["as_shown_mm"], f"{fill}_depth_only_mm": found["depth_only_mm"]}
    return row


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    add_run_options(parser)
    args = parser.parse_args(argv)
    rows = []
    for number, case in enumerate(find_cases(args.data, args.cases)):
        rows.append(attack(case, args.model, number))
        print("  ".join(f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}"
                        for key, value in rows[-1].items()), flush=True)
    worst = min(row["levelled_mm"] for row in rows)
    gain = max(row["levelled_depth_only_mm"] - row["levelled_moved_mm"] for row in rows)
    found = float(np.median([row["published_moved_mm"] for row in rows]))
    bars = [Bar("published fill, median error (the attack works)", found, "<=", 3.0, "mm"),
            Bar("levelled fill, least error", worst, ">=", LEAST_ERROR_MM, "mm"),
            Bar("levelled fill, most that the file's clues add to average depth", gain, "<=", SLACK_MM, "mm")]
    code = report_bars(bars)
    write_json(args.output / "attack.json", {"cases": rows, "bars": bars_as_dicts(bars)})
    write_csv(args.output / "attack.csv", rows)
    return code


if __name__ == "__main__":
    sys.exit(main())

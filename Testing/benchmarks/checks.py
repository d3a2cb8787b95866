"""What the checks say of real heads: filled by their reference mask, and by the engine's own; and of heads left as they
are.

The limits in ``CTADefaceLib/checks`` were set from the training heads (``--data``) with their reference masks. A check
that fails on a good mask, or passes on a head whose face is still there, is counted. Exit code 1 when a bar is missed.
"""

import argparse
import sys

import numpy as np
from common import Bar, add_data_options, add_run_options, bars_as_dicts, find_cases, report_bars, write_json

# Shares of heads.
MOST_FALSE_ALARMS, LEAST_FOUND = 0.1, 0.9
# Made faults: (what, which part of the mask goes, in the order of the RAS view; the share of the mask's extent).
FAULTS = {"without lower third": (0, 0.0, 0.34), "without upper third": (0, 0.66, 1.0),
          "without left half": (2, 0.0, 0.5), "without front": (1, 0.6, 1.0)}


def cut(mask, view, axis, low, high):
    """A copy of ``mask`` without a part of its extent along an axis of ``view`` (its RAS view)."""
    from CTADefaceLib.morphology import bounding_box

    box = list(bounding_box(view))
    start, stop = box[axis].start, box[axis].stop
    box[axis] = slice(start + int(low * (stop - start)), start + int(np.ceil(high * (stop - start))))
    part = view.copy()
    part[tuple(box)] = False
    return part


def looked_at(volume, mask, after, value):
    """Name -> (verdict, value) of every check."""
    from CTADefaceLib.checks.every import run_checks

    return {check.name: (check.verdict, check.value) for check in run_checks(volume, mask, after, value)}


def examine(case, args):
    """Rows of one head: for each mask and fault the verdicts and values."""
    from CTADefaceLib.checks.head import Head
    from CTADefaceLib.checks.source import already_defaced
    from CTADefaceLib.errors import MaskError
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.fill import filled
    from CTADefaceLib.pipeline import face_mask
    from CTADefaceLib.volume import Volume, ras_view

    volume = read_volume(case.image)
    masks = {"reference": read_volume(case.mask).stored != 0}
    if not args.reference_only:
        masks["own"] = face_mask(volume, args.model)
    base = masks[list(masks)[-1]]
    for fault, part in FAULTS.items():
        masks[fault] = np.empty_like(base)
        ras_view(masks[fault], volume.geometry)[...] = cut(base, ras_view(base, volume.geometry), *part)
    rows = []
    for name, mask in masks.items():
        try:
            after, value = filled(volume, mask, args.fill)
        except MaskError:
            # The fill itself refuses such a mask, so that nothing leaves either.
            rows.append({"case": case.name, "mask": name, "nose": None, "refused": True})
            continue
        again = already_defaced(Head(Volume(after, volume.geometry, volume.slope, volume.intercept)))
        nose = Head(volume).nose
        rows.append({"case": case.name, "mask": name, "nose": nose is not None, "refused": False, "defaced_again": again.verdict,
                     "defaced_again_value": again.value}
                    | {key: value for check, (verdict, number) in looked_at(volume, mask, after, value).items()
                       for key, value in ((check, verdict), (check + "_value", number))})
    return rows


CHECKS = ("forehead", "nose", "mouth", "chin", "residual_skin", "already_defaced", "mask_size", "mask_place", "brain", "bone",
          "vessels", "outside", "mask_filled", "input_is_ct", "field_of_view")


def summary(rows):
    """Prints per mask how often each check failed or warned, and the range of its values."""
    for name in dict.fromkeys(row["mask"] for row in rows):
        part = [row for row in rows if row["mask"] == name]
        print(f"\n{name}: {len(part)} heads, nose found in {sum(bool(row['nose']) for row in part)}, "
              f"refused by the fill {sum(row['refused'] for row in part)}")
        for check in (*CHECKS, "defaced_again"):
            values = [row[check + "_value"] for row in part if row.get(check + "_value") is not None]
            verdicts = [row.get(check) for row in part]
            spread = " ".join(f"{v:.3g}" for v in np.percentile(values, [0, 2, 10, 50, 90, 98, 100])) if values else ""
            print(f"  {check:16} fail {verdicts.count('fail'):3} warn {verdicts.count('warn'):3} "
                  f"n/a {verdicts.count('not applicable'):3}   {spread}")


def share_blocked(rows, name):
    """Share of heads on which a check of the face or the mask failed."""
    part = [row for row in rows if row["mask"] == name]
    return float(np.mean([row["refused"] or any(row.get(check) == "fail" for check in CHECKS) for row in part]))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    add_run_options(parser)
    parser.add_argument("--fill", default="levelled")
    parser.add_argument("--reference-only", action="store_true", help="not the engine's own masks")
    args = parser.parse_args(argv)
    rows = []
    for case in find_cases(args.data, args.cases):
        rows += examine(case, args)
        print(case.name, {row["mask"]: [check for check in CHECKS if row.get(check) == "fail"] for row in rows
                          if row["case"] == case.name}, flush=True)
    summary(rows)
    good = "reference" if args.reference_only else "own"
    bars = [Bar(f"heads with a {good} mask that a check stops", share_blocked(rows, good), "<=", MOST_FALSE_ALARMS)]
    bars += [Bar(f"heads stopped, mask {fault}", share_blocked(rows, fault), ">=", LEAST_FOUND) for fault in FAULTS]
    again = [row.get("defaced_again") in ("fail", "warn") for row in rows if row["mask"] == good]
    bars.append(Bar("defaced heads that are recognised as such", float(np.mean(again)), ">=", LEAST_FOUND))
    code = report_bars(bars)
    write_json(args.output / "checks.json", {"cases": rows, "bars": bars_as_dicts(bars)})
    return code


if __name__ == "__main__":
    sys.exit(main())

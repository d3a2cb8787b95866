"""What the gate lets pass: heads upright and turned, with good masks and with masks spoilt on purpose (``sabotage.py``).

An output counts as showing the face when at least 3 cm2 of connected facial skin are left by the reference mask, whatever
the kind of sabotage. It is stopped when the fill refuses the mask or a check fails. Good masks are the reference and the
engine's own. As in the shell, the model is asked about every mask that is given; how many would have passed without that is
told apart, and so is in how many of those that passed a person would see 3 cm2 of the old face (``sabotage.seen_cm2``).
``--spoil own`` spoils the engine's own mask of the turned head in place of the reference, so that where these two end in
different places does not count. Exit code 1 when a bar is missed.
"""

import argparse
import os
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial

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
from sabotage import KINDS, TURNS, FaceOf, outer_skin, seen_cm2, shown_cm2, turned

LEAST_SHOWN_CM2 = 3.0
MOST_PASSED, MOST_ALARMS = 0.01, 0.05
AIR_HU = -1000
GOOD = ("reference", "own")
LEAST_AGAIN = 0.9


def upright(case):
    """(HU (S, A, R), reference mask, spacing) of a head."""
    from CTADefaceLib.files.read import read_volume
    from CTADefaceLib.voxels.volume import ras_view

    volume = read_volume(case.image)
    mask = ras_view(read_volume(case.mask).as_mask(), volume.geometry)
    hu = np.clip(volume.to_hu(volume.ras()), -1024, 3071).astype(np.int16)
    return hu, np.ascontiguousarray(mask), volume.geometry.ras_spacing()


def as_volume(hu, spacing):
    """The ``Volume`` of HU (S, A, R) in RAS order."""
    from CTADefaceLib.voxels.volume import Geometry, Volume

    return Volume(hu, Geometry.from_affine(np.diag([*spacing[::-1], 1.0])), name="head")


class Judge:
    """The gate of one volume: the head and the model's own mask are found once, each mask is filled and checked."""

    def __init__(self, hu, spacing):
        from CTADefaceLib.face.survey import surveyed

        self.volume = as_volume(hu, spacing)
        from CTADefaceLib.face.mask import face_mask

        self.survey = surveyed(self.volume)
        self.own = face_mask(self.volume, networks())

    def verdict(self, mask, fill):
        """(names of the checks that stop it, HU after the fill or None where it refuses the mask, cm2 of skin left)."""
        from CTADefaceLib.checks.check import failed
        from CTADefaceLib.checks.every import run_checks
        from CTADefaceLib.errors import MaskError
        from CTADefaceLib.filling.fill import filled

        try:
            after, value = filled(self.volume, mask, fill, frame=self.survey.frame)
            checks = run_checks(self.volume, mask, (after, value), self.survey, self.own)
        except MaskError:
            return ["fill"], None, 0.0
        patch = next(check.value for check in checks if check.name == "residual_skin")
        return [check.name for check in failed(checks)], after, patch


def defaced_again(volume, after, frame):
    """The verdict of the check for heads that were defaced before, on the output."""
    from CTADefaceLib.checks.scan import already_defaced
    from CTADefaceLib.head.view import HeadView
    from CTADefaceLib.voxels.volume import Volume

    return already_defaced(HeadView(Volume(after, volume.geometry), frame)).verdict if frame else None


def examine(turns, kinds, spoil_own, case):
    """Rows of one head."""
    hu, mask, spacing = upright(case)
    face, outer, rows = FaceOf(hu, mask, spacing), outer_skin(hu, spacing), []
    for number, turn in enumerate(turns):
        # Each kind in every n-th turn, another one for each head.
        random = np.random.default_rng(zlib.crc32(f"{case.name} {turn}".encode()))
        chosen = [k for n, k in enumerate(kinds) if (n + number + zlib.crc32(case.name.encode())) % len(turns) < 2]
        spoilt = {} if spoil_own else {kind: spoil(kind, face, random) for kind in chosen}
        arrays = turned(
            [hu, outer.view(np.uint8), mask.view(np.uint8), *(m.view(np.uint8) for m in spoilt.values())],
            [1, *[0] * (2 + len(spoilt))],
            [AIR_HU, *[0] * (2 + len(spoilt))],
            spacing,
            TURNS[turn],
        )
        judge, skin, reference = Judge(arrays[0], spacing), arrays[1] > 0, arrays[2] > 0
        whole = FaceOf(arrays[0], judge.own if spoil_own else reference, spacing)
        there = whole.cropped(whole.box)
        masks = {"reference": (reference, "levelled"), "own": (judge.own, "levelled")}
        if spoil_own:
            masks |= {kind: (spoil(kind, whole, random), KINDS[kind][1]) for kind in chosen}
        masks |= {kind: (array > 0, KINDS[kind][1]) for kind, array in zip(spoilt, arrays[3:])}
        for kind, (given, fill) in masks.items():
            stops, after, patch = judge.verdict(given, fill)
            left = None if after is None else after[whole.box]
            shown = 0.0 if left is None else shown_cm2(there, left)
            seen = shown and seen_cm2(there, left, skin[whole.box])
            frame = judge.survey.frame
            again = defaced_again(judge.volume, after, frame) if kind in GOOD and after is not None else None
            rows.append(
                {
                    "case": case.name,
                    "turn": turn,
                    "kind": kind,
                    "shown_cm2": round(shown, 2),
                    "seen_cm2": round(seen, 2),
                    "patch_cm2": patch and round(patch, 2),
                    "stopped": bool(stops),
                    "by": " ".join(stops),
                    "score": frame and round(frame.score, 3),
                    "defaced_again": again,
                }
            )
    return rows


def spoil(kind, face, random):
    """The mask of a ``FaceOf``, spoilt as ``kind`` says, bool (S, A, R)."""
    return KINDS[kind][0](face, random) & np.ones(face.mask.shape, bool)


def wilson_upper(count, n):
    """Upper limit of the 95 % confidence interval of a share (Wilson)."""
    from CTADefaceLib.validation.statistics import wilson

    return wilson(count, n)[1]


def summary(rows):
    """Print each kind; return (outputs that show a face, those of them that passed, good ones, stopped good ones)."""
    good = [row for row in rows if row["kind"] in GOOD]
    bad = [row for row in rows if row not in good and (row["shown_cm2"] >= LEAST_SHOWN_CM2 or "fill" in row["by"])]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        part = [row for row in rows if row["kind"] == kind]
        shows = [row for row in part if row["shown_cm2"] >= LEAST_SHOWN_CM2]
        print(
            f"{kind:32} {len(part):4} outputs, {len(shows):4} show a face, {sum(not r['stopped'] for r in shows):3} of them "
            f"passed; {sum(r['stopped'] for r in part):4} stopped"
        )
    passed = [row for row in bad if not row["stopped"]]
    alarms = [row for row in good if row["stopped"]]
    for row in passed:
        print("PASSED ", row)
    for row in alarms:
        print("STOPPED", row)
    return bad, passed, good, alarms


def _alone(rows):
    """Those of the rows that pass when the model is not asked."""
    return [row for row in rows if set(row["by"].split()) <= {"model_face"}]


def _alarms(good, kind):
    """How many good masks of a kind were stopped, as text."""
    rows = [row for row in good if row["kind"] == kind]
    return (
        f"{sum(row['stopped'] for row in rows)} of {len(rows)} {kind} "
        f"({len(rows) - len(_alone(rows))} without asking the model)"
    )


def _share_recognised(good):
    known = [row["defaced_again"] for row in good if row["defaced_again"] in ("pass", "warn", "fail")]
    return float(np.mean([verdict != "pass" for verdict in known])) if known else float("nan")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    add_run_options(parser)
    parser.add_argument("--turns", nargs="+", choices=TURNS, default=list(TURNS)[:7])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--spoil", choices=("reference", "own"), default="reference", help="default: %(default)s")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th head")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="of those, beginning with head N (0: the first)")
    parser.add_argument("--count", type=int, metavar="N", help="at most N heads")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    args = parser.parse_args(argv)
    rows, started = [], time.monotonic()
    cases = find_cases(args.data, args.cases)[args.first :: args.every][: args.count]
    with ProcessPoolExecutor(args.processes) as pool:
        for case, found in zip(cases, pool.map(partial(examine, args.turns, args.kinds, args.spoil == "own"), cases)):
            rows += found
            print(f"{case.name}: {len(rows)} outputs, {time.monotonic() - started:.0f} s", flush=True)
    bad, passed, good, alarms = summary(rows)
    bars = [
        Bar("outputs that show a face and pass, upper 95 % limit", wilson_upper(len(passed), len(bad)), "<=", MOST_PASSED),
        Bar("good masks that are stopped", len(alarms) / len(good), "<=", MOST_ALARMS),
        Bar("defaced heads that are recognised as such", _share_recognised(good), ">=", LEAST_AGAIN),
        Bar("outputs", len(rows), ">=", 600),
    ]
    print(
        f"\n{len(passed)} of {len(bad)} outputs that show a face passed ({len(_alone(bad))} without asking the model; in "
        f"{sum(row['seen_cm2'] >= LEAST_SHOWN_CM2 for row in passed)} of them a person would see it); "
        f"{len(alarms)} of {len(good)} good masks were stopped: " + ", ".join(_alarms(good, kind) for kind in GOOD)
    )
    code = report_bars(bars)
    write_csv(args.output / "gate.csv", rows)
    write_json(args.output / "gate.json", {"bars": bars_as_dicts(bars)})
    return code


if __name__ == "__main__":
    sys.exit(main())

"""Kills at every call that changes the file system, full disks, read-only targets: what was left, lost or leaked.

Each scenario (a command on a synthetic head, without a network) runs once for every such call and every fault, then the
same command again. Linux.
"""

import argparse
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import common
from helpers import fault_points as points

COLUMNS = (points.NOTHING, points.PART, points.COMPLETE)
# Enough for none, one or all of the files of a case.
DISK_KB = (8, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only at each N-th call (default 1)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only scenarios whose name holds one of these")
    parser.add_argument(
        "--faults", nargs="+", choices=[*points.ERRNO, points.KILL], default=[points.KILL, *points.ERRNO], help="default: all"
    )
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        rows, faults = _run(Path(place), arguments)
    _print(rows)
    print("\n".join(["", *faults]) if faults else "")
    common.write_json(arguments.output / "faults.json", {"every": arguments.every, "rows": rows, "faults": faults})
    return common.report_bars([common.Bar("faults", len(faults), "<=", 0)])


def _run(place, arguments):
    from helpers import fault_scenarios

    chosen = fault_scenarios.scenarios(place / "inputs") + fault_scenarios.install_scenarios(place / "models")
    if arguments.only:
        chosen = [one for one in chosen if any(name in one.name for name in arguments.only)]
    rows, faults = [], []
    for number, scenario in enumerate(chosen):
        for fault in arguments.faults:
            outcome = points.trials(
                scenario, place / f"{number}-{fault}", fault, range(1, points.MOST_POINTS, arguments.every)
            )
            _add(rows, faults, scenario.name, f"{fault} at a call", outcome)
            shutil.rmtree(place / f"{number}-{fault}")
        if points.FULL in arguments.faults:
            _add(rows, faults, scenario.name, "real disk of 8 kB to 8 MB", _small_disks(scenario, place / f"{number}-disks"))
    return rows, faults


def _add(rows, faults, scenario, fault, outcome):
    rows.append(
        {
            "scenario": scenario,
            "fault": fault,
            "tried": outcome.tried,
            **{name: outcome.counts[name] for name in COLUMNS},
            "faults": len(outcome.faults),
        }
    )
    faults += outcome.faults
    print(f"{scenario}, {fault}: {outcome.tried} tried, {len(outcome.faults)} faults", file=sys.stderr, flush=True)


def _small_disks(scenario, place):
    """``Outcome`` on real disks (tmpfs) that are too small; the rerun has room. None are tried by who must not mount."""
    outcome = points.Outcome()
    for kb in DISK_KB:
        disk = place / str(kb)
        disk.mkdir(parents=True)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kb}k", "tmpfs", disk], capture_output=True).returncode:
            print("no disk can be mounted here, so that none was tried", file=sys.stderr)
            return outcome
        try:
            _one_disk(scenario, disk, kb, outcome)
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
    return outcome


def _one_disk(scenario, disk, kb, outcome):
    base = disk / "case"
    try:
        base.mkdir()
        scenario.prepare(base)
    except Exception as error:
        if os.strerror(errno.ENOSPC) in str(error) or isinstance(error, AssertionError):
            return  # Not even what has to be there before.
        raise
    before = points.visible(base)
    code, said = points.in_child(lambda: scenario.command(base))
    outcome.tried += 1
    wrong = points.hidden(base) + points.in_release(base, scenario)
    if code and ("unexpected" in said or code < 0):
        wrong.append(f"ended with {code}: {said[-300:]}")
    after = points.visible(base)
    outcome.counts[points.COMPLETE if code == 0 else points.NOTHING if after == before else points.PART] += 1
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    again, said = points.in_child(lambda: (scenario.retry or scenario.command)(base))
    if again and not (code == 0 and "exists already" in said):
        wrong.append(f"the rerun ended with {again}: {said[-300:]}")
    outcome.faults += [f"{scenario.name}, disk of {kb} kB: {what}" for what in wrong]


def _print(rows):
    widths = [max(len(str(row[name])) for row in [*rows, dict(zip(rows[0], rows[0]))]) for name in rows[0]]
    total = Counter()
    for row in rows:
        total.update({name: value for name, value in row.items() if isinstance(value, int)})
    last = {"scenario": "all", "fault": "", **total}
    for row in [dict(zip(rows[0], rows[0])), *rows, last]:
        print("  ".join(str(row[name]).ljust(width) for name, width in zip(rows[0], widths)).rstrip())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())

"""What a batch costs per case, measured, and from that the cost of a million on paper.

``cta-deface batch`` runs over copies of one head CT of 512 x 512 x N (volumes.py), as NIfTI with gzip. Core seconds are
those of all its processes as the kernel counts them, so that a busy machine changes them little (wall time it does
change); the second batch of half as many cases shows what belongs to a case and what to the start. Memory is the peak
of all processes together; bytes are the sizes of what was read and written. GB and TB are 10^9 and 10^12 bytes.
``--measured cost.json`` prints the table again.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from common import machine_facts, model_facts, write_json
from measure import measured_run
from speed import make_volume, use_cores

OURS = (sys.executable, "-m", "CTADefaceLib", "batch")
MILLION = 1_000_000
HOUR_S, DAY_S = 3600, 86_400


def core_seconds():
    """User and system time of all children that have ended, in s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def run_batch(volume, cases, environment):
    """Figures of one batch over ``cases`` copies: wall and core seconds, memory, bytes."""
    with tempfile.TemporaryDirectory(prefix="ctadeface-cost-") as folder:
        work = Path(folder)
        (work / "in").mkdir()
        for number in range(cases):
            shutil.copy(volume, work / "in" / f"case{number}.nii.gz")
        before = core_seconds()
        run = measured_run([*OURS, work / "in", work / "out", "--quiet"], work / "log", environment)
        if run.code != 0:
            raise SystemExit((work / "log").read_text() + Path(f"{work / 'log'}.err").read_text())
        return {
            "cases": cases,
            "seconds": run.seconds,
            "core_seconds": core_seconds() - before,
            "peak_gb": run.peak_bytes / 1e9,
            "bytes_in": size_of(work / "in"),
            "bytes_out": size_of(work / "out"),
            "bytes_hospital": size_of(work / "out-hospital-only"),
        }


def per_case(few, many):
    """Of one case without the start: what the further cases of the larger batch added."""
    further = many["cases"] - few["cases"]
    added = {key: (many[key] - few[key]) / further for key in ("seconds", "core_seconds")}
    return (
        added
        | {key: many[key] / many["cases"] for key in ("bytes_in", "bytes_out", "bytes_hospital")}
        | {"peak_gb": many["peak_gb"]}
    )


def table(case, cases=MILLION):
    """Rows (what, number, unit) for ``cases`` cases, from ``per_case``."""
    core_hours = case["core_seconds"] * cases / HOUR_S
    yield "computing", core_hours, "core hours"
    yield "on 100 cores", core_hours * HOUR_S / DAY_S / 100, "days"
    yield "on 1000 cores", core_hours * HOUR_S / DAY_S / 1000, "days"
    yield "read over the network", case["bytes_in"] * cases / 1e12, "TB"
    yield "written over the network", (case["bytes_out"] + case["bytes_hospital"]) * cases / 1e12, "TB"
    yield "kept for release", case["bytes_out"] * cases / 1e12, "TB"
    yield "kept in the hospital (masks, records, manifest)", case["bytes_hospital"] * cases / 1e12, "TB"
    yield (
        "read and written with 100 cores at work",
        (case["bytes_in"] + case["bytes_out"] + case["bytes_hospital"]) / case["core_seconds"] * 100 * 8 / 1e9,
        "Gbit/s",
    )
    yield "memory of one batch", case["peak_gb"], "GB"


def report(content):
    case = content["per_case"]
    machine = content["machine"]
    print(
        f"{machine['processor']}, {machine['cores']} cores; {content['slices']} slices, per case: "
        f"{case['core_seconds']:.1f} core s, {case['bytes_in'] / 1e6:.0f} MB in, "
        f"{case['bytes_out'] / 1e6:.0f} MB out, {case['bytes_hospital'] / 1e6:.2f} MB for the hospital"
    )
    for batch in content["batches"]:
        print(f"{batch['cases']} cases: {batch['seconds']:.0f} s, peak memory {batch['peak_gb']:.2f} GB")
    for what, number, unit in table(case):
        print(f"{what:<50}{number:>12,.1f} {unit}")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--cases", type=int, default=8, help="of the larger batch (default 8)")
    parser.add_argument("--threads", type=int, help="cores (default: all)")
    parser.add_argument("--measured", type=Path, metavar="JSON", help="print the table of an earlier measurement")
    parser.add_argument(
        "--volumes",
        type=Path,
        default=Path(tempfile.gettempdir()) / "ctadeface-benchmark-volumes",
        metavar="FOLDER",
        help="where the made volumes are kept (real heads: not for release)",
    )
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    args = parser.parse_args(argv)
    if args.measured:
        report(json.loads(args.measured.read_text()))
        return 0
    environment = use_cores(args.threads)
    volume = make_volume(args.slices, args.volumes)
    few, many = (run_batch(volume, cases, environment) for cases in (max(args.cases // 2, 1), args.cases))
    content = {
        "machine": machine_facts(),
        "model": model_facts(),
        "slices": args.slices,
        "batches": [few, many],
        "load_before": os.getloadavg()[0],
        "per_case": per_case(few, many),
    }
    report(content)
    write_json(args.output / "cost.json", content)
    return 0


if __name__ == "__main__":
    sys.exit(main())

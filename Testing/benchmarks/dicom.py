"""A real DICOM series defaced by the shell command: time, and what other programs find in the files.

Compared voxel for voxel: pydicom, GDCM, DCMTK, dcm2niix; errors that dciodvfy finds in the defaced files and not in the
originals are counted. Exit code 1 when a bar is missed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from common import ENGINE, Bar, bars_as_dicts, machine_facts, report_bars, write_json
from helpers.paths import DICOM_DATA

NONE_EXPECTED = ("mask_unchanged", "gdcm_differs", "dcmtk_differs", "dcm2niix_differs", "new_errors", "undrawn")


def deface(source, out, deidentify):
    """(the run's result as the shell prints it, seconds, seconds of all cores, peak memory in GB)."""
    command = [sys.executable, "-m", "CTADefaceLib", "run", str(source), "-o", str(out), "--json", "--quiet"]
    started, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command + ["--deidentify-headers"] * deidentify,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ENGINE)},
    )
    seconds = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return next(r for r in results if r["status"] == "defaced"), seconds, cores, after.ru_maxrss / 2**20


def differences(source, release, mask_path, scratch):
    """Counts of voxels and errors that should be none."""
    import pydicom

    from CTADefaceLib.files.read import read_volume
    from helpers import dicom_readers as readers

    before, after = readers.sorted_files(source), readers.sorted_files(release)
    old, new = readers.by_pydicom(before), readers.by_pydicom(after)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in after]
    hu = np.stack([v * float(h.RescaleSlope) + float(h.RescaleIntercept) for v, h in zip(new, headers)])
    mask, changed = read_volume(mask_path).stored > 0, old != new
    bits = np.array([h.BitsStored for h in headers])
    words = new.astype(np.uint16)
    found = {
        "slices": len(after),
        "changed_voxels": int(changed.sum()),
        "mask_voxels": int(mask.sum()),
        "mask_unchanged": int((mask & ~changed).sum()),
        "gdcm_differs": int((readers.by_gdcm(after) != hu).sum()),
        "dcmtk_differs": int((readers.by_dcmtk(after, scratch, signed=False) != words).sum()),
        # It reads every slice with the first one's number of bits, in the originals too.
        "dcm2niix_differs": int((readers.by_dcm2niix(release, scratch) != hu)[bits == bits[0]].sum()),
        "new_errors": sum(len(readers.validator_errors(b) - readers.validator_errors(a)) for a, b in zip(before, after)),
        "undrawn": sum(not readers.drawn_by_dcmtk(path, scratch) for path in after[::10]),
    }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DICOM_DATA, metavar="FOLDER", help="folder of one CT series")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    args = parser.parse_args()
    if not args.data.is_dir():
        raise SystemExit(f"{args.data}: no such folder; name it with --data or CTADEFACE_DICOM_DATA.")
    rows, bars = {}, []
    for name, deidentify in (("headers kept", False), ("headers cleaned", True)):
        with tempfile.TemporaryDirectory() as scratch:
            result, seconds, cores, peak = deface(args.data, Path(scratch) / "release", deidentify)
            row = {
                "seconds": round(seconds, 2),
                "cpu_seconds": round(cores, 2),
                "peak_gb": round(peak, 2),
                "mask_ml": result["mask_ml"],
            }
            row |= differences(args.data, result["defaced"], result["mask"], scratch)
        rows[name] = row
        print(name, row)
        bars += [Bar(f"{name}: {what}", row[what], "<=", 0) for what in NONE_EXPECTED]
    code = report_bars(bars)
    write_json(args.output / "dicom.json", {"machine": machine_facts(), "runs": rows, "bars": bars_as_dicts(bars)})
    return code


if __name__ == "__main__":
    sys.exit(main())

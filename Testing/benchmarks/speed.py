"""Wall time and memory from file to files: this engine against stock nnU-Net, the same weights and machine.

Each run is its own process group; the time includes starting Python. Ours is ``cta-deface run --json``: mask, defaced
volume, both written, checks, the file read back, the record; and, as row "mask", ``--mask-only``. Stock is
``nnUNetv2_predict_from_modelfolder``, which makes the mask only: row "stock" as the command is without options
(mirroring, three workers each way), row "lean" with ``--disable_tta -npp 1 -nps 1``, that is with no more than ours
computes and in less memory. Memory is the peak of all processes together, sampled about every 0.1 s; GB are 10^9 bytes.
The volumes are described in volumes.py. Exit code 1 when a bar is missed: a whole run against stock, the mask alone and
the memory against lean.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from common import ENGINE, Bar, bars_as_dicts, machine_facts, model_facts, report_bars, write_json
from measure import measured_run

HERE = Path(__file__).resolve().parent
LEAST_SPEEDUP = 10.0
LARGEST_SHARE_OF_MEMORY = 0.25
LARGEST_GB = 3.0
SLICES_OF_LARGEST_GB = 400
STAGES = ("start", "read", "load model", "segment", "refine", "fill", "check", "write")
LEAN = ("--disable_tta", "-npp", 1, "-nps", 1)
OURS = (sys.executable, "-m", "CTADefaceLib")


def use_cores(number):
    """Bind this process and its children to ``number`` cores and threads (None: all that are allowed)."""
    allowed = sorted(os.sched_getaffinity(0))
    chosen = allowed[:number] if number else allowed
    os.sched_setaffinity(0, chosen)
    return {
        "OMP_NUM_THREADS": str(len(chosen)),
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(len(chosen)),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ENGINE), os.environ.get("PYTHONPATH")))),
    }


def make_volume(slices, folder):
    """Path of the volume; made in a process of its own, so that this one stays small (see ``measure``)."""
    command = [sys.executable, HERE / "volumes.py", str(slices), folder]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")[-2])


def model_folder(name, environment):
    """The folder of the model ``name`` (None: the bundled one), as the command lists it."""
    if name and Path(name).is_dir():
        return name
    listed = subprocess.run(
        [*OURS, "models", "list", "--json"], env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    models = [json.loads(line) for line in listed.splitlines()]
    return next(m["folder"] for m in models if (m["name"] == name if name else m["origin"] == "bundled"))


def run_ours(volume, work, model, environment, timeout, *options):
    """One run as a dict: seconds, memory, stages in s, and the paths of its mask and log."""
    command = [*OURS, "run", volume, "-o", work / "ours", "--overwrite", "--json", *options]
    command += ["--model", model] if model else []
    run = measured_run(command, work / "ours.log", environment, timeout)
    result = _figures(run, "ours", work / "ours.log")
    said = json.loads((work / "ours.log").read_text().splitlines()[-1])
    return result | {
        "mask": said["mask"],
        "mask_ml": said["mask_ml"],
        "stages": {"start": run.seconds - said["seconds"], **said["stages"]},
    }


def run_stock(volume, work, folder, options, environment, timeout):
    """One run as a dict: seconds, memory, and the paths of its mask and log."""
    source, target = work / "stock-in", work / "stock-out"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    (source / "case_0000.nii.gz").symlink_to(volume.resolve())
    command = [
        Path(sys.executable).with_name("nnUNetv2_predict_from_modelfolder"),
        "-i",
        source,
        "-o",
        target,
        "-m",
        folder,
        "-f",
        "all",
        "-device",
        "cpu",
        *options,
    ]
    run = measured_run(command, work / "stock.log", environment, timeout)
    return _figures(run, "stock", work / "stock.log") | {"mask": str(target / "case.nii.gz")}


def _figures(run, name, log):
    if run.code != 0:
        words = Path(f"{log}.err").read_text(errors="replace").splitlines()[-8:] + log.read_text().splitlines()[-2:]
        why = f"stopped after {run.seconds:.0f} s (--timeout)" if run.timed_out else f"failed with code {run.code}"
        raise SystemExit("\n".join([f"{name}: {why}:", *words]))
    return {"seconds": run.seconds, "peak_gb": run.peak_bytes / 1e9, "largest_process_gb": run.largest_bytes / 1e9}


def agreement(ours, stock):
    """Dice of two mask files, so that both are known to have found the same face."""
    import nibabel
    import numpy as np

    from CTADefaceLib.validation.measures import dice

    return dice(*(np.asanyarray(nibabel.load(path).dataobj) != 0 for path in (ours, stock)))


def measure(slices, args, environment):
    """Figures at one number of slices: ``ours`` (the fastest of ``--repeat`` runs), and ``stock`` if asked for."""
    volume = make_volume(slices, args.volumes)
    with tempfile.TemporaryDirectory(prefix="ctadeface-speed-") as folder:
        work = Path(folder)
        runs = [run_ours(volume, work, args.model, environment, args.timeout) for _ in range(args.repeat)]
        result = {
            "slices": slices,
            "ours": min(runs, key=lambda run: run["seconds"]),
            "seconds_of_all_runs": [run["seconds"] for run in runs],
        }
        print_ours(slices, result["ours"])
        if slices in args.stock:
            # No more than stock does.
            result["mask_only"] = run_ours(
                volume, work, args.model, environment, args.timeout, "--mask-only", "--masks", work / "masks"
            )
            result["mask_only"].pop("mask")
            trained = model_folder(args.model, environment)
            result["stock"] = run_stock(volume, work, trained, (), environment, args.timeout)
            result["lean"] = run_stock(volume, work, trained, LEAN, environment, args.timeout)
            # In a process of its own, for the same reason as make_volume.
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                result["dice_ours_stock"] = pool.submit(agreement, result["ours"]["mask"], result["lean"].pop("mask")).result()
            result["stock"].pop("mask")
            print_ours(slices, result["mask_only"], "mask")
            print_stock(result)
        result["ours"].pop("mask")
    return result


def print_header():
    print(f"{'slices':>6} {'what':<6}{'s':>8}{'GB':>7}" + "".join(f"{stage:>12}" for stage in STAGES), flush=True)


def print_ours(slices, ours, what="ours"):
    print(
        f"{slices:>6} {what:<6}{ours['seconds']:>8.1f}{ours['peak_gb']:>7.2f}"
        + "".join(f"{ours['stages'].get(stage, 0.0):>12.1f}" for stage in STAGES),
        flush=True,
    )


def print_stock(result):
    for name in ("stock", "lean"):
        stock, (slower, than_mask) = result[name], times(result, name)
        print(
            f"{'':>6} {name:<6}{stock['seconds']:>8.1f}{stock['peak_gb']:>7.2f}   {slower:.1f} times the time of ours, "
            f"{than_mask:.1f} times that of the mask alone",
            flush=True,
        )
    print(f"{'':>6} Dice of our mask and lean's {result['dice_ours_stock']:.3f}", flush=True)


def times(result, name):
    """Seconds of the stock run ``name`` as a multiple of those of our whole run, and of those of our mask alone."""
    return [result[name]["seconds"] / result[ours]["seconds"] for ours in ("ours", "mask_only")]


def demands(results):
    bars = []
    for result in results:
        ours, at = result["ours"], f"at {result['slices']} slices"
        if "stock" in result:
            bars.append(Bar(f"{at}: stock's time in that of ours", times(result, "stock")[0], ">=", LEAST_SPEEDUP))
            bars.append(Bar(f"{at}: lean's time in that of our mask alone", times(result, "lean")[1], ">=", LEAST_SPEEDUP))
            share = ours["peak_gb"] / result["lean"]["peak_gb"]
            bars.append(Bar(f"{at}: our share of lean's memory", share, "<=", LARGEST_SHARE_OF_MEMORY))
        if result["slices"] == SLICES_OF_LARGEST_GB:
            bars.append(Bar(f"{at}: our peak memory", ours["peak_gb"], "<", LARGEST_GB, "GB"))
    return bars


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, nargs="+", default=[100, 200, 400, 800], help="default: 100 200 400 800")
    parser.add_argument("--stock", type=int, nargs="*", default=[400], help="also stock at these (default: 400)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of ours, of which the fastest counts")
    parser.add_argument("--threads", type=int, help="cores for both (default: all)")
    parser.add_argument("--timeout", type=float, help="s for one run, after which the benchmark fails")
    parser.add_argument("--model", metavar="NAME|FOLDER", help="default: the bundled model")
    parser.add_argument(
        "--volumes",
        type=Path,
        default=Path(tempfile.gettempdir()) / "ctadeface-benchmark-volumes",
        metavar="FOLDER",
        help="where the made volumes are kept (real heads: not for release)",
    )
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")
    args = parser.parse_args(argv)
    environment = use_cores(args.threads)
    machine = machine_facts()
    print(f"{machine['processor']}, {machine['cores']} cores in use, {machine['memory_gb']} GB")
    print_header()
    results = [measure(slices, args, environment) for slices in sorted({*args.slices, *args.stock})]
    bars = demands(results)
    code = report_bars(bars)
    write_json(
        args.output / "speed.json",
        {"model": model_facts(args.model), "machine": machine, "results": results, "bars": bars_as_dicts(bars)},
    )
    return code


if __name__ == "__main__":
    sys.exit(main())

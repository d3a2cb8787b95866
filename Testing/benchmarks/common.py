"""What the benchmarks share: where the heads are, the engine's mask before refinement, bars, result files."""

import csv
import json
import math
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.paths import CHECK_DATA, ENGINE

# So that this checkout is measured, whatever else is installed.
sys.path.insert(0, str(ENGINE))


@dataclass(frozen=True)
class Bar:
    """A demand on one figure; ``sign`` is '>=', '<=' or '<'."""

    what: str
    value: float
    sign: str
    limit: float
    unit: str = ""

    @property
    def passed(self):
        return {">=": self.value >= self.limit, "<=": self.value <= self.limit, "<": self.value < self.limit}[self.sign]

    def __str__(self):
        verdict = "pass" if self.passed else "FAIL"
        return f"{verdict}  {self.what} {self.value:.4g} {self.sign} {self.limit:g} {self.unit}".rstrip()


def add_data_options(parser):
    parser.add_argument(
        "--data",
        type=Path,
        default=CHECK_DATA,
        metavar="FOLDER",
        help="folder, searched with its sub-folders, of *_image.nii.gz and *_mask.nii.gz",
    )
    parser.add_argument("--cases", nargs="+", metavar="NAME", help="only these heads")


def add_run_options(parser):
    parser.add_argument("--model", metavar="NAME|FOLDER", help="default: the bundled model")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), metavar="FOLDER")


def find_cases(folder, names=None):
    """The package's ``find_cases``; SystemExit when a head is missing."""
    from CTADefaceLib.errors import InputError
    from CTADefaceLib.validation import heads

    try:
        return heads.find_cases(folder, names)
    except InputError as error:
        raise SystemExit(f"{error} --data or CTADEFACE_CHECK_DATA does.") from None


@cache
def networks():
    """Holds the models of a benchmark: each is loaded once."""
    from CTADefaceLib.network.host import NetworksHere

    return NetworksHere()


def network_mask(volume, name=None):
    """The face before refinement, bool (k, j, i): where the network's log-odds, as the pipeline gets them, exceed 0."""
    import numpy as np

    from CTADefaceLib.face.locate import predict_face
    from CTADefaceLib.network.host import LEAST_FULL_RESOLUTION_MM
    from CTADefaceLib.voxels.volume import ras_view

    chosen = networks().network(name)
    locator = networks().network() if min(chosen.info.spacing) < LEAST_FULL_RESOLUTION_MM else None
    found = predict_face(volume, chosen, locator=locator)
    mask = np.zeros(volume.stored.shape, bool)
    if found is not None:
        ras_view(mask, volume.geometry)[found.region] = found.logits > 0
    return mask


def model_facts(name=None):
    """Name and checksum of the model in use, for the result file."""
    from CTADefaceLib.models.folder import checksum
    from CTADefaceLib.models.store import find_model

    info = find_model(name)
    return {"name": info.name, "sha256": checksum(info)}


def machine_facts():
    """Processor, cores, memory in GB (10^9 bytes) and versions, for the result file."""
    versions = {"python": platform.python_version()}
    for package in ("torch", "nnunetv2", "numpy", "scipy", "SimpleITK", "nibabel"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "versions": versions,
    }


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def report_bars(bars):
    """Print each bar; returns the exit code, 1 when one was missed."""
    print()
    for bar in bars:
        print(bar)
    return 0 if all(bar.passed for bar in bars) else 1


def bars_as_dicts(bars):
    return [
        {"what": b.what, "value": b.value, "sign": b.sign, "limit": b.limit, "unit": b.unit, "passed": b.passed} for b in bars
    ]


def write_json(path, content):
    """Write ``content``; figures that are not finite become null, which JSON knows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_finite(content), indent=1) + "\n", encoding="utf-8")
    print(f"-> {path}")


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_csv(path, rows):
    """Write ``rows``, dicts with the same keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"-> {path}")

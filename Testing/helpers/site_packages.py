"""Site-packages, wheels and a pip for the tests of the Python packages: real folders, whole and half installed."""

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

from CTADefaceLib.slicer_module.packages import install as packages

Usage = namedtuple("Usage", "total used free")
SLICERS_OWN = {"SimpleITK": "2.5.0", "numpy": "2.1.0", "requests": "2.32.0"}


def plenty(folder):
    return Usage(10**12, 0, 10**12)


def yes(_text, _title):
    return True


def never(*_args, **_kwargs):
    raise AssertionError("this must not be called")


def metadata(name, version, requires):
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"


def put(site, name, version, requires=(), folder=True):
    """A package as pip leaves it."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata(name, version, requires))
    (info / "RECORD").write_text("")
    if folder:
        (site / name / "lib").mkdir(parents=True, exist_ok=True)
        (site / name / "__init__.py").write_text("raise RuntimeError('imported')\n")
    return info


def make_wheel(folder, name, version, files, requires=(), tag="py3-none-any"):
    info = f"{name}-{version}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = metadata(name, version, requires)
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    digest = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    record = [f"{path},sha256={digest[path]},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def real_pip(site, calls=None):
    """'pip install' into ``site`` that prints as Slicer's does and fails as Slicer's does."""

    def run(arguments):
        if calls is not None:
            constraints = arguments[arguments.index("-c") + 1]
            calls.append((arguments, Path(constraints).read_text().split()))
        # --isolated and no settings file: this machine's own indexes and wheels must not help.
        command = [sys.executable, "-m", "pip", "--isolated", "install", "--target", str(site), *arguments]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
        )
        print(done.stdout)
        done.check_returncode()

    return run


# Half installed


def without_folder(site):
    packages.shutil.rmtree(site / "torch")


def without_registration(site):
    packages.shutil.rmtree(site / "nnunetv2-2.6.0.dist-info")


def with_leftover(site):
    (site / "~orch").mkdir()


def with_second_leftover(site):
    (site / "~-rch-2.11.0.dist-info").mkdir()


def registered_twice(site):
    put(site, "torch", "2.11.0")


def without_library(site):
    (site / "torch" / "lib").rmdir()


def without_record(site):
    (site / "torch-2.12.0+cpu.dist-info" / "RECORD").unlink()


def without_metadata(site):
    (site / "torch-2.12.0+cpu.dist-info" / "METADATA").unlink()


DAMAGES = {
    without_folder: "torch is missing",
    without_registration: "nnunetv2 is only half installed (it is not registered)",
    with_leftover: "~orch",
    with_second_leftover: "~-rch-2.11.0.dist-info",
    registered_twice: "several versions",
    without_library: "torch/lib is missing",
    without_record: "RECORD is missing",
    without_metadata: "METADATA is missing",
}

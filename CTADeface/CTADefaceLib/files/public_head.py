"""The public head CT for trying the tool out: the cranium of the InVesalius sample data.

InVesalius publishes it for demonstration under GPL-2, and Debian packages it as ``invesalius-examples``.
It is fetched from the user's own Debian or Ubuntu mirror and never redistributed with this project.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, OutputError
from ..progress import Progress
from .publish import publishing

LICENCE = "InVesalius sample data (GPL-2), fetched from the Debian package invesalius-examples, not redistributed."

PACKAGE = "invesalius-examples"
INSTALLED = Path("/usr/share/doc/invesalius-examples/examples/Cranium.inv3")
PROJECT = "Cranium.inv3"
MATRIX = "matrix.dat"
FILE_NAME = "invesalius-cranium.nii.gz"

# From the project's main.plist. Slices run upwards, rows to anterior, columns to the patient's left: InVesalius keeps the
# columns of axial DICOM slices and reverses their rows.
SHAPE = (108, 256, 256)
SPACING_MM = (0.9570312, 0.9570312, 1.5)
# SHA-256 of the voxels: int16 in HU, little endian, (z, y, x) with axes S, A, R.
VOXELS_SHA256 = "0c48ad42ef8c63f1156266ce781cef0fce66d5c78a5abb48f95507d9ff4417bc"

TIMEOUT_S = 900
REMEDY = "pass any head CT file instead, or install the Debian package invesalius-examples"


def public_head(cache: str | Path | None = None, progress: Progress | None = None) -> Path:
    """Path of the cranium CT as NIfTI (int16 HU, stored RAS+); fetched once, about 19 MB, then kept in the cache.

    ``cache``: folder, by default ``cache_folder()``. ``progress``: cancelling takes effect between download, unpacking and
    writing. Raises ``InputError`` if the data cannot be fetched or differ from the
    known ones, ``OutputError`` if the cache cannot be written, ``Cancelled``.
    """
    path = Path(cache or cache_folder()) / FILE_NAME
    check = progress.check if progress else lambda: None
    if path.exists() and _is_intact(path):
        return path
    check()
    project = INSTALLED.read_bytes() if INSTALLED.exists() else _downloaded_project(check)
    check()
    voxels = voxels_of_project(project)
    check()
    _write(voxels, path)
    return path


def cache_folder() -> Path:
    """$CTADEFACE_CACHE, else the platform's folder for the user's caches."""
    chosen = os.environ.get("CTADEFACE_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ctadeface"


def voxels_of_project(project: bytes) -> np.ndarray:
    """HU of the cranium from the bytes of its InVesalius project: int16, (z, y, x), axes S, A, R.

    Nothing is unpacked to the disk. Raises ``InputError`` if the voxels are not the known ones.
    """
    expected = int(np.prod(SHAPE)) * 2
    stored = _member(project, MATRIX, expected)
    if len(stored) == expected:
        voxels = np.frombuffer(stored, "<i2").reshape(SHAPE)[:, :, ::-1]
        if _sha256(voxels) == VOXELS_SHA256:
            return np.ascontiguousarray(voxels)
    raise InputError(f"The head CT in {PROJECT} is not the known one; {REMEDY}.")


def _is_intact(path: Path) -> bool:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        return False
    return np.allclose(image.GetSpacing(), SPACING_MM) and _sha256(sitk.GetArrayViewFromImage(image)) == VOXELS_SHA256


def _sha256(voxels: np.ndarray) -> str:
    return hashlib.sha256(voxels.astype("<i2").tobytes()).hexdigest()


def _downloaded_project(check: Callable[[], None]) -> bytes:
    """Bytes of the InVesalius project inside the Debian package, fetched by apt without installing it."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise InputError(f"The public head CT is fetched with {program}, which is not here; {REMEDY}.")
    with TemporaryDirectory(prefix="ctadeface-") as folder:
        try:
            _run("apt-get", "download", PACKAGE, cwd=folder)
        except InputError:
            if os.geteuid() != 0:
                raise
            check()
            _run("apt-get", "update", cwd=folder)  # a fresh machine or container has no package lists
            _run("apt-get", "download", PACKAGE, cwd=folder)
        check()
        packages = sorted(Path(folder).glob("*.deb"))
        if not packages:
            raise InputError(f"apt-get fetched no package {PACKAGE}; {REMEDY}.")
        files = _run("dpkg-deb", "--fsys-tarfile", packages[0].name, cwd=folder)
    return _member(files, PROJECT)


def _run(*command: str, cwd: str) -> bytes:
    """Standard output of a system program. Raises: InputError with its last line of output if it fails."""
    # Slicer's library folder would come before the system's own.
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"`{' '.join(command)}` did not finish ({error}); {REMEDY}.") from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise InputError(f"`{' '.join(command)}` failed ({words[-1]}); {REMEDY}.")
    return done.stdout


def _member(archive: bytes, name: str, most: int = 64 << 20) -> bytes:
    """The first ``most`` bytes of the file called ``name`` in any folder of a tar archive (plain or compressed)."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for entry in tar:
                is_it = entry.isfile() and Path(entry.name).name == name
                if is_it and (content := tar.extractfile(entry)) is not None:
                    return content.read(most)
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise InputError(f"The archive that should hold {name} is damaged; {REMEDY}.") from error
    raise InputError(f"The archive holds no file {name}; {REMEDY}.")


def _write(voxels: np.ndarray, path: Path) -> None:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(SPACING_MM)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # ITK counts LPS: this is RAS+ storage
    try:
        with publishing([path], overwrite=True) as (whole,):
            sitk.WriteImage(image, str(whole))
    except (OutputError, RuntimeError) as error:
        raise OutputError(f"{path} cannot be written; set CTADEFACE_CACHE to another folder.") from error

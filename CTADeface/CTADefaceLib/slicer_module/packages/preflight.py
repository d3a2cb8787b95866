"""What would hinder the installation of the Python packages, and how large they are, found before anything is downloaded."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import Requirement
from packaging.version import Version

from ...files.storage.temporary import temporary_folder
from ..texts import _
from .installed import requirement_name, site_folder, state

if TYPE_CHECKING:
    from PyTorchUtils import PyTorchUtilsLogic

GB = 10**9
# Bytes to download and on disk, dependencies included.
TORCH_CPU = (0.3 * GB, 1.5 * GB)
TORCH_CUDA = (3 * GB, 6 * GB)
NNUNET = (0.25 * GB, 0.6 * GB)
OTHER = (0.03 * GB, 0.1 * GB)

# Windows allows paths of 259 characters. torch 2.13 and later have licences in much deeper folders
# (Slicer/light-the-torch#176).
LONGEST_PATH = 259
DEEPEST_IN_TORCH = 119
DEEPEST_IN_TORCH_213 = 173


@dataclass(frozen=True)
class Problem:
    """A sentence on what hinders the installation; ``fatal`` when it would fail."""

    text: str
    fatal: bool


class Space(Protocol):
    """The room on a disk, of which only what is ``free``, in bytes, is asked here."""

    @property
    def free(self) -> int: ...


DiskUsage = Callable[[str | Path], Space]


def preflight(
    need_bytes: float | None = None, site_packages: str | Path | None = None, disk_usage: DiskUsage = shutil.disk_usage
) -> list[Problem]:
    """The ``Problem``s of installing ``need_bytes`` (None: estimated), found beforehand; ``disk_usage`` as ``shutil``'s."""
    now, folder = state(site_packages), site_folder(site_packages)
    texts = [now.reason if now.broken else "", unwritable(folder)]
    need = estimate(now.missing)[1] if need_bytes is None else need_bytes
    free = disk_usage(folder if folder.is_dir() else folder.anchor).free
    if free < need:
        texts.append(
            _("The packages take about {need}, but {free} are free at {folder}; free some space.").format(
                need=gb(need), free=gb(free), folder=folder
            )
        )
    if any(requirement_name(line) == "SimpleITK" for line in now.missing):
        texts.append(_("This Slicer's SimpleITK is absent or too old for CTADeface; use a newer Slicer."))
    if on_windows() and "torch" in sys.modules and any(requirement_name(line) == "torch" for line in now.missing):
        texts.append(_("Windows cannot replace torch while Slicer has it loaded; restart Slicer and install first."))
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        texts.append(
            _(
                "This Slicer is built for Intel processors, for which there is no PyTorch of today on a Mac; use a "
                "Slicer for Apple silicon (arm64). Masks drawn by hand can be filled and exported here."
            )
        )
    room = path_room(folder)
    if room < DEEPEST_IN_TORCH:
        texts.append(_("The path {folder} is too long for torch; install Slicer in a shorter folder.").format(folder=folder))
    warning = _(
        "An older torch is taken, because the path {folder} is too long for torch 2.13 and later; install Slicer in "
        "a shorter folder to get the newest."
    ).format(folder=folder)
    short = DEEPEST_IN_TORCH <= room < DEEPEST_IN_TORCH_213
    return [Problem(text, True) for text in texts if text] + ([Problem(warning, False)] if short else [])


def unwritable(folder: Path) -> str:
    """Why the packages cannot be written to ``folder``, or an empty text."""
    try:
        with temporary_folder(folder, ".ctadeface-"):
            return ""
    except OSError as error:
        text = _("The packages cannot be written to {folder} ({why}); start Slicer as a user who may write there.")
        return text.format(folder=folder, why=error.strerror)


def on_windows() -> bool:
    """Is this Windows? A function of its own, so that tests can replace it."""
    return os.name == "nt"


def path_room(folder: Path) -> int:
    """Characters left for the path of a file below ``folder``.

    Windows' setting for long paths changes nothing: a program must ask for them too, and Slicer's Python does not.
    """
    return LONGEST_PATH - len(str(folder)) - 1 if on_windows() else sys.maxsize


def gb(size: float) -> str:
    """``size`` bytes in words, in GB."""
    return f"{size / GB:.1f} GB"


def pytorch_extension() -> PyTorchUtilsLogic | None:
    """The logic of Slicer's PyTorch extension, or None."""
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        return None
    return PyTorchUtilsLogic()


def estimate(needed: Sequence[str], wheels: Iterable[tuple[str, Version]] | None = None) -> tuple[float, float]:
    """Bytes to download and on disk for the ``needed`` requirements, from PyPI or from ``wheels`` (name, version).

    On Linux, PyPI's torch is the CUDA build, whatever the machine has.
    """
    if wheels is None:
        plain_linux = sys.platform == "linux" and pytorch_extension() is None
        cuda = sys.platform != "darwin" and (shutil.which("nvidia-smi") is not None or plain_linux)
    else:
        cuda = any(name.startswith("nvidia-") or "+cu" in str(version) for name, version in wheels)
    sizes = {"torch": TORCH_CUDA if cuda else TORCH_CPU, "nnunetv2": NNUNET}
    chosen = [sizes.get(requirement_name(line), OTHER) for line in needed]
    return sum(size[0] for size in chosen), sum(size[1] for size in chosen)


def within_path_limit(line: str, folder: Path) -> str:
    """The requirement ``line``; for torch, without the versions whose files lie too deep for Windows below ``folder``."""
    if requirement_name(line) == "torch" and path_room(folder) < DEEPEST_IN_TORCH_213:
        return f"torch{Requirement(line).specifier & '<2.13'}"
    return line

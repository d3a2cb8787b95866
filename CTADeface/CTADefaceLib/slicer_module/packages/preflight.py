"""What stands against installing the Python packages, and how large they are, found before anything is downloaded."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass

from packaging.requirements import Requirement

from ...files.temporary import temporary_folder
from ..texts import _
from .installed import requirement_name, site_folder, state

GB = 10**9
# Bytes to download and on disk, with what each one brings along.
TORCH_CPU = (0.3 * GB, 1.5 * GB)
TORCH_CUDA = (3 * GB, 6 * GB)
NNUNET = (0.25 * GB, 0.6 * GB)
OTHER = (0.03 * GB, 0.1 * GB)

# Windows allows 259 characters. torch 2.13 and later have licences in much deeper folders (Slicer/light-the-torch#176).
LONGEST_PATH = 259
DEEPEST_IN_TORCH = 119
DEEPEST_IN_TORCH_213 = 173


@dataclass(frozen=True)
class Problem:
    """A sentence on what stands against installing; ``fatal`` when installing would fail."""

    text: str
    fatal: bool


def preflight(need_bytes=None, site_packages=None, disk_usage=shutil.disk_usage):
    """The ``Problem``s that stand against installing ``need_bytes`` (default: estimated), found beforehand."""
    now, folder = state(site_packages), site_folder(site_packages)
    texts = [now.reason if now.broken else "", unwritable(folder)]
    need = estimate(now.missing)[1] if need_bytes is None else need_bytes
    free = disk_usage(folder if folder.is_dir() else folder.anchor).free
    if free < need:
        texts.append(_("The packages take about {need}, but {free} are free at {folder}; free some space.").format(
            need=gb(need), free=gb(free), folder=folder))
    if any(requirement_name(line) == "SimpleITK" for line in now.missing):
        texts.append(_("This Slicer's SimpleITK is absent or too old for CTADeface; use a newer Slicer."))
    if on_windows() and "torch" in sys.modules and any(requirement_name(line) == "torch" for line in now.missing):
        texts.append(_("Windows cannot replace torch while Slicer has it loaded; restart Slicer and install first."))
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        texts.append(_("This Slicer is built for Intel processors, for which there is no PyTorch of today on a Mac; use a "
                       "Slicer for Apple silicon (arm64). Masks drawn by hand can be filled and exported here."))
    room = path_room(folder)
    if room < DEEPEST_IN_TORCH:
        texts.append(_("The path {folder} is too long for torch; install Slicer in a shorter folder.").format(folder=folder))
    warning = _("An older torch is taken, because the path {folder} is too long for torch 2.13 and later; install Slicer in "
                "a shorter folder to get the newest.").format(folder=folder)
    short = DEEPEST_IN_TORCH <= room < DEEPEST_IN_TORCH_213
    return [Problem(text, True) for text in texts if text] + ([Problem(warning, False)] if short else [])


def unwritable(folder):
    """Why the packages cannot be written to ``folder``, or an empty text."""
    try:
        with temporary_folder(folder, ".ctadeface-"):
            return ""
    except OSError as error:
        text = _("The packages cannot be written to {folder} ({why}); start Slicer as a user who may write there.")
        return text.format(folder=folder, why=error.strerror)


def on_windows():
    """Asked here alone, so that tests can answer."""
    return os.name == "nt"


def path_room(folder):
    """Characters left for a file below ``folder``.

    Long paths allowed in Windows change nothing: a program must ask for them, and Slicer's Python does not.
    """
    return LONGEST_PATH - len(str(folder)) - 1 if on_windows() else sys.maxsize


def gb(size):
    return f"{size / GB:.1f} GB"


def pytorch_extension():
    """The logic of Slicer's PyTorch extension, or None."""
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        return None
    return PyTorchUtilsLogic()


def estimate(needed, wheels=None):
    """Bytes to download and on disk. On Linux, PyPI's torch is the CUDA one, whatever the machine has."""
    if wheels is None:
        plain_linux = sys.platform == "linux" and pytorch_extension() is None
        cuda = sys.platform != "darwin" and (shutil.which("nvidia-smi") is not None or plain_linux)
    else:
        cuda = any(name.startswith("nvidia-") or "+cu" in str(version) for name, version in wheels)
    sizes = {"torch": TORCH_CUDA if cuda else TORCH_CPU, "nnunetv2": NNUNET}
    chosen = [sizes.get(requirement_name(line), OTHER) for line in needed]
    return sum(size[0] for size in chosen), sum(size[1] for size in chosen)


def within_path_limit(line, folder):
    """The requirement ``line``, of torch without the versions whose files lie too deep for Windows below ``folder``."""
    if requirement_name(line) == "torch" and path_room(folder) < DEEPEST_IN_TORCH_213:
        return f"torch{Requirement(line).specifier & '<2.13'}"
    return line

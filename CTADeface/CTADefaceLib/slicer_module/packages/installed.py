"""Which Python packages the engine needs, and which of them are there, missing, or half installed.

Nothing here imports torch or nnunetv2: on Windows, a loaded torch cannot be replaced.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..texts import _

REQUIREMENTS = Path(__file__).resolve().parents[3] / "Resources" / "requirements.txt"
# Slicer or its PyTorch extension brings these; numpy is loaded, so it must not change either.
SKIPPED = ("SimpleITK", "torch", "requests")
PINNED = (*SKIPPED, "numpy")
FOLDERS = {"torch": ("torch", "torchgen", "functorch"), "nnunetv2": ("nnunetv2",)}
ESSENTIAL = {"torch": ("torch/__init__.py", "torch/lib"), "nnunetv2": ("nnunetv2/__init__.py",)}
# What pip puts in place of a name's first letters while it replaces a package.
PIP_LEADING = "-~.=%0123456789"


@dataclass(frozen=True)
class PackageState:
    """``missing`` requirements, ``broken`` what is half installed in words, and installed ``versions`` by name."""

    missing: tuple[str, ...] = ()
    broken: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return not self.missing and not self.broken

    @property
    def reason(self) -> str:
        """One sentence for a tooltip or an error; empty when ready."""
        if self.broken:
            return _("{fault}; press Repair packages.").format(fault=self.broken)
        text = _("These Python packages are missing: {names}; press Install packages.")
        return text.format(names=", ".join(self.missing)) if self.missing else ""


def requirements(use: str | None = None) -> list[str]:
    """The lines of ``Resources/requirements.txt``, or of those for one ``use`` such as 'dicom'."""
    path = REQUIREMENTS if use is None else REQUIREMENTS.with_name(f"requirements-{use}.txt")
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def missing_for(use: str, site_packages: str | Path | None = None) -> list[str]:
    """Requirements of one ``use`` that are not satisfied; their own dependencies are left to pip."""
    there = [(line, distribution(Requirement(line).name, site_packages)) for line in requirements(use)]
    return [
        line
        for line, found in there
        if found is None or not Requirement(line).specifier.contains(version_of(found) or "0", prereleases=True)
    ]


def missing(site_packages: str | Path | None = None) -> list[str]:
    """Requirements that are not satisfied, and absent dependencies of installed ones; torch first.

    Slicer only warns when a dependency fails to install, so dependencies are looked for too.
    """
    ours = [Requirement(line) for line in requirements()]
    queue, seen = list(ours), set()
    found: list[Requirement] = []
    while queue:
        requirement = queue.pop(0)
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        there, own = distribution(name, site_packages), requirement in ours
        version = there and version_of(there)
        if there and not (own and version and not requirement.specifier.contains(version, prereleases=True)):
            queue += [Requirement(line) for line in (there.requires or () if version else ())]
        elif there is None and name != "torch" and _comes_with_slicer(requirement.name):
            continue
        elif own or requirement.name not in SKIPPED:
            found.append(requirement)
    return [str(r) for r in sorted(found, key=lambda r: r.name != "torch")]


def state(site_packages: str | Path | None = None) -> PackageState:
    """The present ``PackageState``, read from the disk."""
    importlib.invalidate_caches()
    found = {name: distribution(name, site_packages) for name in dict.fromkeys((*FOLDERS, *PINNED))}
    versions = {name: version for name, d in found.items() if d and (version := version_of(d))}
    faults = [fault for name in FOLDERS if (fault := _fault(site_folder(site_packages), name))]
    return PackageState(tuple(missing(site_packages)), "; ".join(faults), versions)


def _comes_with_slicer(name: str) -> bool:
    """Is it there although pip does not know it? Slicer may build its own SimpleITK or requests."""
    return name in PINNED and importlib.util.find_spec(name) is not None


def distribution(name: str, site_packages: str | Path | None) -> Distribution | None:
    """What pip has registered of a package, or None."""
    return next(iter(distributions(name=name, path=[str(site_packages)] if site_packages else sys.path)), None)


def version_of(found: Distribution) -> str | None:
    """The version of an installed package, None where its metadata are gone."""
    try:
        return found.metadata["Version"]
    except FileNotFoundError:
        # Python's own metadata give None; those of the package importlib_metadata, once something has imported it, raise this.
        return None


def site_folder(site_packages: str | Path | None) -> Path:
    """The folder of installed packages: the one given, else this Python's."""
    return Path(site_packages or sysconfig.get_path("purelib"))


def requirement_name(line: str) -> str:
    """The package that a requirement line is about."""
    return Requirement(line).name


def matching(folder: Path, wanted: Callable[[str], object]) -> list[Path]:
    """Sorted entries of ``folder`` for whose name ``wanted`` answers yes."""
    return sorted(path for path in folder.iterdir() if wanted(path.name)) if folder.is_dir() else []


def registered(folder: Path, name: str) -> list[Path]:
    """The package's dist-info folders."""
    return matching(folder, re.compile(name + r"-[^-]+\.dist-info", re.IGNORECASE).fullmatch)


def leftovers(folder: Path, name: str) -> list[Path]:
    """Entries that pip had renamed when it was interrupted: '~orch', '~-rch', '~orch-2.10.0.dist-info'."""

    def renamed(entry: str, package: str) -> bool:
        head, tail = entry[: len(package)], entry[len(package) :]
        kept = head.lstrip(PIP_LEADING)
        return (
            len(kept) >= 3
            and package.endswith(kept)
            and len(head) == len(package)
            and re.fullmatch(r"(-[^-]+\.dist-info)?", tail) is not None
        )

    return matching(folder, lambda entry: entry[0] == "~" and any(renamed(entry, p) for p in FOLDERS[name]))


def half_installed(folder: Path, name: str) -> str | None:
    """What is half installed of a package, in words, or None."""
    infos, there = registered(folder, name), (folder / name).is_dir()
    if len(infos) > 1:
        return _("several versions are registered")
    if not infos:
        return _("it is not registered") if there else None
    origin = infos[0] / "direct_url.json"
    if not there and origin.is_file() and '"editable"' in origin.read_text(encoding="utf-8"):
        return None
    wanted = [folder / name, *(folder / path for path in ESSENTIAL[name]), infos[0] / "METADATA", infos[0] / "RECORD"]
    absent = [path.relative_to(folder).as_posix() for path in wanted if not path.exists()]
    return _("{path} is missing").format(path=absent[0]) if absent else None


def _fault(folder: Path, name: str) -> str | None:
    left, half = leftovers(folder, name), half_installed(folder, name)
    if left:
        half = _("{entry} is left over from an interrupted installation").format(entry=left[0].name)
    return half and _("{name} is only half installed ({what})").format(name=name, what=half)

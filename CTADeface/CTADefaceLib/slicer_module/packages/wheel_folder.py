"""A folder of wheels, from which packages are installed without a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ..texts import _
from .installed import REQUIREMENTS, requirement_name
from .pip_run import PackageError


def wheels_in(folder: str | Path) -> set[tuple[str, Version]]:
    """(name, version) of each wheel in a folder that this Python can install."""
    tags = set(sys_tags())
    found: set[tuple[str, Version]] = set()
    for path in Path(folder).glob("*.whl"):
        try:
            name, version, _build, fitting = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if fitting & tags:
            found.add((name, version))
    return found


def refuse_incomplete(wheels: Iterable[tuple[str, Version]], needed: Sequence[str], folder: str | Path) -> None:
    """Raise ``PackageError`` when one of the requirements is not among the ``wheels`` of ``folder``."""
    absent = [
        line
        for line in needed
        if not any(
            name == canonicalize_name(requirement_name(line))
            and Requirement(line).specifier.contains(version, prereleases=True)
            for name, version in wheels
        )
    ]
    if absent:
        raise PackageError(
            _(
                "{folder} has no wheel for this Python ({tag}) of {names}; make the folder with the same Slicer on a "
                "computer that has a network: PythonSlicer -m pip wheel {requirements} -w FOLDER"
            ).format(
                folder=folder,
                tag=next(sys_tags()),
                names=", ".join(absent),
                requirements=" ".join(f'-r "{path}"' for path in sorted(REQUIREMENTS.parent.glob("requirements*.txt"))),
            )
        )

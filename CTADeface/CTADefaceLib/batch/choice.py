"""Which of the cases that were found a batch takes, and what it calls their results."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from pathlib import Path

from ..errors import UsageError
from .find import Case


@dataclass(frozen=True)
class Choice:
    """``include`` and ``exclude``: globs (see ``matches``); without an ``include`` all cases are taken, and ``exclude`` wins.

    ``names``: 'numbered' or 'plain', None as the batch has been begun, or numbered (see ``one_kind.names_of``).
    ``unsearched``: folders of the input folder that are not even looked into, for who calls again and again.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: str | None = None
    unsearched: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for glob in (*self.include, *self.exclude):
            if not _parts(glob):
                raise UsageError(
                    f"'{glob}': is no glob; give one as in --exclude 'old/**/*.nrrd', relative to the input folder."
                )

    def why_not(self, case: Case) -> str | None:
        """Why a case is not taken, in words; None when it is."""
        for glob in self.exclude:
            if matches(glob, case.id):
                return f"excluded by --exclude {glob}"
        if self.include and not any(matches(glob, case.id) for glob in self.include):
            return "not among --include " + ", ".join(self.include)
        return None

    def idle(self, cases: Collection[Case]) -> list[str]:
        """One sentence for each glob that matches none of ``cases``."""
        return [
            f"--{option} '{glob}': matches no case, and so changes nothing; it is compared with paths relative to the input "
            "folder, * does not cross a /, ** does."
            for option, globs in (("include", self.include), ("exclude", self.exclude))
            for glob in globs
            if not any(matches(glob, case.id) for case in cases)
        ]


EVERYTHING = Choice()


def matches(glob: str, path: str) -> bool:
    """Does a glob match a path relative to the input folder, with '/', or a folder above it?

    '*' and '?' stand for letters of one name, '**' for any number of folders. A glob without '/' is compared with each name
    on the path, as .gitignore does.
    """
    wanted = _parts(glob)
    if len(wanted) == 1 and "/" not in glob.rstrip("/"):
        wanted = ("**", *wanted)
    names = tuple(path.split("/"))
    return any(_fits(wanted, names[:length]) for length in range(1, len(names) + 1))


@cache
def _parts(glob: str) -> tuple[str, ...]:
    return tuple(part for part in glob.split("/") if part not in ("", "."))


def _fits(wanted: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not wanted:
        return not names
    if wanted[0] == "**":
        return any(_fits(wanted[1:], names[start:]) for start in range(len(names) + 1))
    return bool(names) and _pattern(wanted[0]).match(names[0]) is not None and _fits(wanted[1:], names[1:])


@cache
def _pattern(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))


def chosen(choice: Choice, cases: Iterable[Case]) -> tuple[list[Case], list[Case]]:
    """(cases that a ``Choice`` takes, cases that it does not take)."""
    taken: list[Case] = []
    others: list[Case] = []
    for case in cases:
        (taken if choice.why_not(case) is None else others).append(case)
    return taken, others

"""Numbers in place of names, because names of files and folders are released, and may say who a patient is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from .find import Case

PLAIN, NUMBERED, BIDS = "plain", "numbered", "bids"
CALLED = "case-{:04d}"
# What a case's entry in the manifest calls its number.
RELEASED_AS = "released_as"
LABELMAP_NAME = re.compile(
    r"(^|[/_.\- ])(seg|segmentation|segment|mask|facemask|label|labelmap|roi)s?($|[/_.\- ])", re.IGNORECASE
)


def may_be_labelmap(case_id: str) -> bool:
    """Does a file or a folder on the way to it have a name that labelmaps have? A hint, no more: its voxels tell."""
    return LABELMAP_NAME.search(case_id) is not None


def numbered_cases(cases: list[Case], entries: dict[str, dict]) -> list[Case]:
    """``Case``s of volume files whose results are called by a number, all in one folder.

    ``entries`` of the manifest keep the numbers that were given before. Labelmaps, which will be left out, come last, so
    that they take no number from the scans.
    """
    names = sorted((case.id for case in cases), key=may_be_labelmap)
    called = numbers(names, entries, RELEASED_AS, CALLED)
    return [replace(case, folder=".", kept=".", called=called[case.id]) for case in cases]


def numbers(names: Iterable[str], entries: dict[str, dict], key: str, pattern: str) -> dict[str, str]:
    """Case -> what its results are called, in the order of ``names``: as ``key`` of its entry says, or the next free one."""
    given = {name: entries[name][key] for name in names if key in entries.get(name, {})}
    taken = {entry.get(key) for entry in entries.values()}
    number = 0
    for name in names:
        while name not in given:
            number += 1
            if pattern.format(number) not in taken:
                given[name] = pattern.format(number)
                taken.add(given[name])
    return given

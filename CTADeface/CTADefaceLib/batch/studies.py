"""DICOM studies of a tree as cases, told apart by every file's header, because the folders of hospitals follow no rule."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path

from ..dicom.reading.dicom_packages import no_values_in_warnings
from ..dicom.reading.input_files import folder_and_study, is_dicom, study_in, study_uid
from ..files.read import EXTENSIONS
from .find import Case, folders_of
from .numbering import numbers

FOLDER = "study_{:04d}"


@no_values_in_warnings()
def find_studies(source: Path, excluded: Collection[Path]) -> list[Path]:
    """Sources below ``source`` that hold a DICOM study each, sorted.

    A study spread over several folders is taken at the one that holds them all, unless another study lies there too;
    where another lies in a folder or below it, a study's own files there are the source (``study_in``).
    Raises: MissingPackages when there are DICOM files, and no package to read them.
    """
    folders_of_study: dict[str, list[Path]] = defaultdict(list)
    studies_below: dict[Path, set[str]] = defaultdict(set)
    for folder, files in folders_of(source, excluded):
        for study in _studies_in(folder, files):
            folders_of_study[study].append(folder)
            for place in (folder, *folder.parents):
                studies_below[place].add(study)
    found: list[Path] = []
    for study, folders in folders_of_study.items():
        top = Path(os.path.commonpath(folders))
        places = _outermost(folders) if len(studies_below[top]) > 1 else [top]
        found += [study_in(place, study) if len(studies_below[place]) > 1 else place for place in places]
    return sorted(found)


def study_cases(
    source: Path, studies: list[Path], entries: dict[str, dict], warn: Callable[[str], None] = lambda text: None
) -> list[Case]:
    """``Case``s of kind 'dicom' for the sources ``studies``; their results lie in numbered folders, which name nobody.

    ``entries`` of the manifest keep the numbers that were given before. ``warn`` is told about results of a whole folder
    that turned out to hold several studies.
    """
    names = [study.relative_to(source).as_posix() for study in studies]
    _warn_of_mixtures(source, studies, entries, warn)
    given = numbers(names, entries, "folder", FOLDER)
    return [Case(name, given[name], given[name], kind="dicom") for name in names]


def _warn_of_mixtures(source: Path, studies: list[Path], entries: dict[str, dict], warn: Callable[[str], None]) -> None:
    """Earlier versions looked at one file of a folder only; and a study may have arrived in the folder of another one."""
    shared = {folder.relative_to(source).as_posix() for folder, uid in map(folder_and_study, studies) if uid is not None}
    for name in sorted(shared - {study.relative_to(source).as_posix() for study in studies}):
        if entries.get(name, {}).get("outputs"):
            warn(
                f"{name}: holds several studies, which are separate cases now; its earlier result "
                f"{entries[name].get('folder')} repeats one of them: reject that result in the review."
            )


def _outermost(folders: list[Path]) -> list[Path]:
    """Those of ``folders``, parents before their children, that lie in none of the others."""
    kept: list[Path] = []
    for folder in folders:
        if not any(folder.is_relative_to(outer) for outer in kept):
            kept.append(folder)
    return kept


def _studies_in(folder: Path, files: list[str]) -> set[str]:
    """UIDs of the studies of the DICOM files directly in ``folder``."""
    candidates = (folder / name for name in files if not name.lower().endswith(EXTENSIONS) and name != "DICOMDIR")
    return {study_uid(path) for path in candidates if is_dicom(path)} - {""}

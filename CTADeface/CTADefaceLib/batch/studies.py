"""DICOM studies of a tree as cases, told apart by the header of every file: folders lie as hospitals left them."""

import os
from collections import defaultdict
from pathlib import Path

from ..dicom.dicom_packages import no_values_in_warnings
from ..dicom.input_files import folder_and_study, is_dicom, study_in, study_uid
from ..files.read import EXTENSIONS
from .find import Case, folders_of

FOLDER = "study_{:04d}"


@no_values_in_warnings()
def find_studies(source, excluded):
    """Sources below ``source`` that hold a DICOM study each, sorted.

    A study spread over several folders is taken at the one that holds them all, unless another study lies there too;
    where another lies in a folder or below it, a study's own files there are the source (``study_in``).
    Raises: MissingPackages when there are DICOM files, and no package to read them.
    """
    folders_of_study, studies_below = defaultdict(list), defaultdict(set)
    for folder, files in folders_of(source, excluded):
        for study in _studies_in(folder, files):
            folders_of_study[study].append(folder)
            for place in (folder, *folder.parents):
                studies_below[place].add(study)
    found = []
    for study, folders in folders_of_study.items():
        top = Path(os.path.commonpath(folders))
        places = _outermost(folders) if len(studies_below[top]) > 1 else [top]
        found += [study_in(place, study) if len(studies_below[place]) > 1 else place for place in places]
    return sorted(found)


def study_cases(source, studies, entries, warn=lambda text: None):
    """``Case``s of kind 'dicom' for the sources ``studies``; their results lie in numbered folders that tell no names.

    ``entries`` of the manifest keep the numbers that were given before. ``warn`` hears of what was released of a whole
    folder that turned out to hold several studies.
    """
    names = [study.relative_to(source).as_posix() for study in studies]
    _warn_of_mixtures(source, studies, entries, warn)
    given = {name: entries[name]["folder"] for name in names if "folder" in entries.get(name, {})}
    taken = {entry.get("folder") for entry in entries.values()}
    number = 0
    for name in names:
        while name not in given:
            number += 1
            if FOLDER.format(number) not in taken:
                given[name] = FOLDER.format(number)
                taken.add(given[name])
    return [Case(name, given[name], given[name], kind="dicom") for name in names]


def _warn_of_mixtures(source, studies, entries, warn):
    """Earlier versions looked at one file of a folder only; and studies may come into a folder after the first one."""
    shared = {folder.relative_to(source).as_posix() for folder, uid in map(folder_and_study, studies) if uid is not None}
    for name in sorted(shared - {study.relative_to(source).as_posix() for study in studies}):
        if entries.get(name, {}).get("outputs"):
            warn(f"{name}: holds several studies, which are cases of their own now; what was released of it as "
                 f"{entries[name].get('folder')} is one of them a second time: reject it in the review.")


def _outermost(folders):
    """Those of ``folders``, parents before their children, that lie in none of the others."""
    kept = []
    for folder in folders:
        if not any(folder.is_relative_to(outer) for outer in kept):
            kept.append(folder)
    return kept


def _studies_in(folder, files):
    """UIDs of the studies of the DICOM files directly in ``folder``."""
    candidates = (folder / name for name in files if not name.lower().endswith(EXTENSIONS) and name != "DICOMDIR")
    return {study_uid(path) for path in candidates if is_dicom(path)} - {""}

"""DICOM studies of a tree as cases: the folders that hold one study, found by the header of one file per folder."""

import os
from pathlib import Path

from ..dicom.recognise import is_dicom
from ..files.read import EXTENSIONS
from .find import Case, folders_of

FOLDER = "study_{:04d}"


def find_studies(source, excluded):
    """Folders below ``source`` that hold a DICOM study each, sorted; a study spread over several folders is taken at
    the one that holds them all, unless another study lies there too.

    Raises: MissingPackages when there are DICOM files, and no package to read them.
    """
    studies = {}
    for folder, files in folders_of(source, excluded):
        found = _study_in(folder, files)
        if found is not None:
            studies.setdefault(found, []).append(folder)
    tops = {study: Path(os.path.commonpath(folders)) for study, folders in studies.items()}
    cases = set()
    for study, folders in studies.items():
        others = (folder for other in studies if other != study for folder in studies[other])
        shared = any(folder.is_relative_to(tops[study]) for folder in others)
        cases.update(folders if shared else [tops[study]])
    return sorted(cases)


def study_cases(source, folders, entries):
    """``Case``s of kind 'dicom' for ``folders``; their results lie in numbered folders that tell no names.

    ``entries`` of the manifest keep the numbers that were given before.
    """
    names = [folder.relative_to(source).as_posix() for folder in folders]
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


def _study_in(folder, files):
    """UID of the study of the first DICOM file directly in ``folder``, None without one."""
    for name in files:
        if not name.lower().endswith(EXTENSIONS) and name != "DICOMDIR" and is_dicom(folder / name):
            study = _study_uid(folder / name)
            if study:
                return study
    return None


def _study_uid(path):
    from ..dicom.packages import need_pydicom

    pydicom = need_pydicom()
    try:
        return str(pydicom.dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True,
                                   force=True).get("StudyInstanceUID", ""))
    except Exception:  # pydicom raises many kinds for files that only look like DICOM
        return ""

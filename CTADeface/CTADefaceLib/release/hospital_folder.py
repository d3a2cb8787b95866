"""Where records and masks lie, which show the face or name the patient: outside of what is given away."""

import os
from pathlib import Path

from ..errors import InputError
from ..files.read import split_extension

SUFFIX = "-hospital-only"
MASK = "_facemask"


def records_folder(release, chosen=None):
    """The folder of records for a release folder: ``chosen``, or its neighbour "<release>-hospital-only".

    Raises: InputError when ``chosen`` is the release folder or lies in it.
    """
    release = Path(release).resolve()
    if chosen is None:
        return release.with_name((release.name or "release") + SUFFIX)
    require_outside(chosen, release, "Records")
    return Path(chosen)


def masks_folder(release, chosen=None, records=None):
    """The folder of masks for a release folder: ``chosen``, or that of the records (see ``records_folder``).

    Raises: InputError when it is the release folder or lies in it.
    """
    if chosen is None:
        return records_folder(release, records)
    require_outside(chosen, release, "Masks")
    return Path(chosen)


def mask_name(defaced, extension=None):
    """File name of the mask of a defaced volume, a file, or a folder whose mask has the ``extension``."""
    stem, own = (Path(defaced).name, extension) if extension else split_extension(defaced)
    return stem.removesuffix("_defaced").removesuffix(MASK) + MASK + own


def require_outside(folder, release, what):
    """Raise ``InputError`` when ``folder`` is the folder ``release`` or lies in it."""
    folder, release = Path(folder).resolve(), Path(release).resolve()
    if any(_same(place, release) for place in (folder, *folder.parents)):
        raise InputError(f"{folder}: {what.lower()} must not lie in the release folder, because they are for the hospital "
                         "only; choose a folder outside of it.")


def require_no_mask(path):
    """Raise ``InputError`` when ``path``, a mask's name in a release folder, exists: an earlier run has written it there."""
    if path.exists():
        raise InputError(f"{path}: is a face mask, which shows the shape of the face, and lies in the release folder; move "
                         "it out of there, or choose another folder.")


def new_record_path(folder, name):
    """``<name>_record.json`` in ``folder``, or with the first free number."""
    return _last_and_unused(folder, f"{name}_record", ".json")[1]


def last_record_path(folder, name):
    """The one before ``new_record_path``, None for the first."""
    return _last_and_unused(folder, f"{name}_record", ".json")[0]


def new_mask_path(folder, name):
    """The path of a mask called ``name`` in the hospital's ``folder``, or with the first free number.

    A blocked run has left its mask there for the person who corrects it.
    """
    return _last_and_unused(folder, *split_extension(name))[1]


def _last_and_unused(folder, name, extension):
    """``<name><extension>`` in ``folder``, or with the first free number, and the one before it, None for the first: what
    the hospital keeps is never replaced."""
    last, path, number = None, Path(folder) / f"{name}{extension}", 1
    while path.exists():
        number += 1
        last, path = path, Path(folder) / f"{name}_{number}{extension}"
    return last, path


def _same(place, release):
    """Also on file systems where names in other letters are one folder."""
    try:
        return place == release or os.path.samefile(place, release)
    except OSError:
        return False

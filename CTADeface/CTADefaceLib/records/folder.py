"""Where records lie: outside of what is given away."""

from pathlib import Path

from ..errors import InputError

SUFFIX = "-hospital-only"


def records_folder(release, chosen=None):
    """The folder of records for a release folder: ``chosen``, or its neighbour "<release>-hospital-only".

    Raises: InputError when ``chosen`` is the release folder or lies in it.
    """
    release = Path(release).resolve()
    if chosen is None:
        return release.with_name((release.name or "release") + SUFFIX)
    require_outside(chosen, release, "Records")
    return Path(chosen)


def require_outside(folder, release, what):
    """Raise ``InputError`` when ``folder`` is the folder ``release`` or lies in it."""
    folder, release = Path(folder).resolve(), Path(release).resolve()
    if folder == release or release in folder.parents:
        raise InputError(f"{folder}: {what.lower()} must not lie in the release folder, because they are for the hospital "
                         "only; choose a folder outside of it.")


def new_record_path(folder, name):
    """``<name>_record.json`` in ``folder``, or with the first free number: records are never replaced."""
    return _record_paths(folder, name)[1]


def last_record_path(folder, name):
    """The one before ``new_record_path``, None for the first."""
    return _record_paths(folder, name)[0]


def _record_paths(folder, name):
    last, path, number = None, Path(folder) / f"{name}_record.json", 1
    while path.exists():
        number += 1
        last, path = path, Path(folder) / f"{name}_record_{number}.json"
    return last, path

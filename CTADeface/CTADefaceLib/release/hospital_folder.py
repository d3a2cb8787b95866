"""Where records and masks lie: they show the face or name the patient, and stay outside of what is given away.

What is given away is the release folder, and where that lies in a BIDS dataset or in a larger release folder, all of that.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from ..errors import HospitalFolderError, OutputError, PlaceError
from ..files.bids import dataset_around
from ..files.read import split_extension
from ..files.storage.writable import refusal
from .known_folders import (
    DEFACED,
    MASK,
    RECORD,
    SUFFIX,
    for_hospital_below,
    for_hospital_in,
    lies_in,
    release_around,
)

KEPT = "_kept-"


def records_folder(release: str | Path, chosen: str | Path | None = None) -> Path:
    """The folder of records for a release folder: ``chosen``, or its neighbour "<release>-hospital-only".

    Where the release folder lies in a BIDS dataset, or in the release folder of an earlier run, the neighbour of that,
    and in it the same path.
    Raises: PlaceError when ``chosen`` is a release folder, or lies in one or in a dataset of results.
    """
    release = Path(release).resolve()
    if chosen is None:
        whole = _given_away(release)
        if not whole.name:
            raise PlaceError(
                f"{release}: is the whole disk, which cannot be given away; choose a folder of its own for the results."
            )
        return whole.with_name(whole.name + SUFFIX) / release.relative_to(whole)
    require_outside(chosen, release, "Records")
    return Path(chosen)


def masks_folder(release: str | Path, chosen: str | Path | None = None, records: str | Path | None = None) -> Path:
    """The folder of masks for a release folder: ``chosen``, or that of the records (see ``records_folder``).

    Raises: as ``records_folder``.
    """
    if chosen is None:
        return records_folder(release, records)
    require_outside(chosen, release, "Masks")
    return Path(chosen)


def mask_name(defaced: str | Path, extension: str | None = None) -> str:
    """File name of the mask of a defaced volume, a file, or a folder whose mask has the ``extension``."""
    stem, own = (Path(defaced).name, extension) if extension else split_extension(defaced)
    return stem.removesuffix(DEFACED).removesuffix(MASK) + MASK + own


def kept_path(mask: Path, number: int) -> Path:
    """The path of the structure ``number`` (from 1) that is kept in a case, beside its mask."""
    stem, extension = split_extension(mask)
    return mask.with_name(f"{stem}{KEPT}{number}{extension}")


def kept_paths_beside(mask: Path) -> list[Path]:
    """The paths of all structures that lie beside a mask."""
    stem, extension = split_extension(mask)
    return sorted(mask.parent.glob(glob.escape(stem + KEPT) + "[0-9]*" + glob.escape(extension)))


def require_outside(folder: str | Path, release: str | Path, what: str) -> None:
    """Raise ``PlaceError`` when ``folder`` is the folder ``release``, or lies in it or in its BIDS dataset, itself or as a
    link, or in the release folder of an earlier run."""
    for whole, name in ((release, "release folder"), (dataset_around(Path(release).resolve()), "BIDS dataset of the results")):
        if whole is not None and lies_in(folder, whole):
            raise _must_not_lie(folder, what, f"in the {name}")
    require_no_release(folder, what)


def require_no_release(folder: str | Path, what: str) -> None:
    """Raise ``PlaceError`` when ``folder``, for ``what`` shows the face, is or lies in a release folder of an earlier run."""
    around = release_around(folder)
    if around is not None:
        raise _must_not_lie(folder, what, f"in {around}, the release folder of an earlier run")


def require_apart(originals: Iterable[str | Path | None], release: str | Path) -> None:
    """Raise ``PlaceError`` when one of the files or folders that show the face lies in the folder ``release``, itself or as
    a link."""
    given = [Path(path).absolute() for path in originals if path is not None]
    # A folder of thousands of files is asked about once.
    apart = set[Path]()
    for original in given:
        for place in (original.parent, original.resolve().parent):
            if place not in apart and lies_in(place, release):
                raise PlaceError(
                    f"{Path(release).resolve()}: is given away, and holds {original}, which shows the face; choose a folder "
                    "of its own for the results."
                )
            apart.add(place)


def require_clean(release: str | Path, whole: bool = False) -> None:
    """Raise ``PlaceError`` when masks, records or keys lie in ``release``: an earlier run has written them there.

    ``whole``: also in all folders below it, as the neighbour of a release folder in ``release`` does.
    """
    found = for_hospital_below(release) if whole else for_hospital_in(release)
    if found is not None:
        raise PlaceError(
            f"{found}: is for the hospital only, because it shows the face or tells who the patient is, and lies in the "
            "release folder; move it out of there, or choose another folder."
        )


def _given_away(release: Path) -> Path:
    """The folder that is given away with the resolved folder ``release``: the outermost one around it, or itself."""
    around = [place for place in (dataset_around(release), release_around(release), release) if place is not None]
    return min(around, key=lambda place: len(place.parts))


def _must_not_lie(folder: str | Path, what: str, where: str) -> PlaceError:
    return PlaceError(
        f"{Path(folder).resolve()}: {what.lower()} must not lie {where}, which is given away: they are for the "
        "hospital only; choose a folder outside of it."
    )


def require_writable(folder: str | Path) -> None:
    """Raise ``OutputError``, before anything is computed, when no results can be written to ``folder``."""
    why = refusal(folder)
    if why:
        raise OutputError(f"{folder}: {why}; choose another folder for the results.")


def require_hospital_writable(folders: Iterable[str | Path]) -> None:
    """Raise ``HospitalFolderError``, before anything is computed, when masks or records cannot be written to ``folders``."""
    for folder in dict.fromkeys(folders):
        why = refusal(folder)
        if why:
            raise HospitalFolderError(
                f"{folder}: {why}; choose another folder for the masks and records, which stay in the hospital."
            )


def new_record_path(folder: str | Path, name: str) -> Path:
    """``<name>_record.json`` in ``folder``, or with the first free number."""
    return _last_and_unused(folder, name + RECORD, ".json")[1]


def last_record_path(folder: str | Path, name: str) -> Path | None:
    """The last record that exists under such a name; None when there is none."""
    return _last_and_unused(folder, name + RECORD, ".json")[0]


def new_mask_path(folder: str | Path, name: str) -> Path:
    """The path of a mask called ``name`` in the hospital's ``folder``, or with the first free number.

    A blocked run has left its mask there for the person who corrects it.
    """
    return _last_and_unused(folder, *split_extension(name))[1]


def _last_and_unused(folder: str | Path, name: str, extension: str) -> tuple[Path | None, Path]:
    """(the last path that exists, or None; the first unused one) of <name><ext>, <name>_2<ext> and so on in ``folder``:
    what the hospital keeps is never replaced."""
    last: Path | None = None
    path, number = Path(folder) / f"{name}{extension}", 1
    while path.exists():
        number += 1
        last, path = path, Path(folder) / f"{name}_{number}{extension}"
    return last, path

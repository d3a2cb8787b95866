"""Where DICOM results lie: under names that identify nobody, and never inside or around the originals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, PlaceError
from ..release.hospital_folder import mask_name, new_mask_path
from ..release.known_folders import lies_in
from .reading.input_files import Source, files_and_folders

if TYPE_CHECKING:
    from .reading.series import Series

MASK_EXTENSION = ".nii.gz"


def series_folder(release: str | Path, series: Series) -> Path:
    """The folder of a defaced ``Series`` in the release folder, named only by its number in the listing."""
    return Path(release) / f"series_{series.number:02}"


def mask_path(folder: str | Path, series: Series, free: bool = False) -> Path:
    """The mask of a series, which shows the shape of the face, in a folder of the hospital's.

    ``free``: with the first number that no earlier run has used.
    """
    name = mask_name(series_folder(".", series), MASK_EXTENSION)
    return new_mask_path(folder, name) if free else Path(folder) / name


def series_number(mask: str | Path) -> int:
    """The number of the series that a file of ``mask_path`` belongs to. Raises: InputError for another name."""
    found = re.match(r"series_(\d+)_facemask", Path(mask).name)
    if found is None:
        raise InputError(f"{mask}: is no mask of a DICOM series (series_NN_facemask{MASK_EXTENSION}).")
    return int(found[1])


def refuse_nested(source: Source, folders: Iterable[str | Path | None]) -> None:
    """Raise ``PlaceError`` when one of ``folders`` lies in the source's folder or around the source."""
    # A folder of thousands of files is asked about once; results may lie in a folder beside them.
    originals = {(path, True) if path.is_dir() else (path.parent, False) for path in files_and_folders(source)}
    for original, whole in sorted((path.resolve(), whole) for path, whole in originals):
        for folder in (Path(path).resolve() for path in folders if path is not None):
            around = lies_in(original, folder)
            if around or (whole and lies_in(folder, original)):
                raise PlaceError(
                    f"{folder}: lies {'around' if around else 'in'} the folder of the originals "
                    f"({original}), which must never mix with results; choose a folder apart from it."
                )

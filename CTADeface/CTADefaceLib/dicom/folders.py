"""Where DICOM results lie: under names that identify nobody, and never inside or around the originals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, PlaceError
from ..release.hospital_folder import mask_name, new_mask_path
from .input_files import Source, folder_and_study

if TYPE_CHECKING:
    from .series import Series

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
    """Raise ``InputError`` when one of ``folders`` lies in the source's folder or around it."""
    sources = source if isinstance(source, (list, tuple)) else [source]
    for original in (folder_and_study(path)[0].resolve() for path in sources):
        for folder in (Path(path).resolve() for path in folders if path is not None):
            inside = original in folder.parents
            around = folder in original.parents
            if folder == original or inside or around:
                raise PlaceError(
                    f"{folder}: lies {'around' if around else 'in'} the folder of the originals "
                    f"({original}), which must never mix with results; choose a folder apart from it."
                )

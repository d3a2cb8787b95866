"""Pictures of the original beside the defaced volume, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError, OutputError
from ..files.png import png_bytes
from ..files.publish import publishing
from ..files.storage.private import open_private
from .camera import FRONTAL, OBLIQUE, tissue_focus
from .offscreen import render_views

GAP_PIXELS = 4


def before_after_png(original_hu: np.ndarray, defaced_hu: np.ndarray, index_to_ras: np.ndarray, size: int = 400) -> bytes:
    """Bytes of a PNG: rows original and defaced, columns frontal and oblique, the same camera for both rows.

    Both volumes: arrays (k, j, i) in HU on the grid of ``index_to_ras`` (4x4, to RAS mm). Nothing is put on a disk, as the
    picture shows the original. Raises: ``InputError`` if the shapes differ; otherwise as ``render_views``.
    """
    if np.shape(original_hu) != np.shape(defaced_hu):
        raise InputError("The original and the defaced volume differ in shape; pass two volumes on one grid.")
    focus = tissue_focus(original_hu, index_to_ras)
    captioned = ((original_hu, "Original"), (defaced_hu, "Defaced"))
    views = [render_views(hu, index_to_ras, (FRONTAL, OBLIQUE), size, focus, text) for hu, text in captioned]
    return png_bytes(picture_grid(views))


def picture_grid(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """One picture with white gaps, uint8 (rows, columns, 3), of rows of pictures of equal size."""
    gap = ((0, GAP_PIXELS), (0, GAP_PIXELS), (0, 0))
    whole = np.block([[[np.pad(picture, gap, constant_values=255)] for picture in row] for row in rows])
    return whole[:-GAP_PIXELS, :-GAP_PIXELS]


def write_png(picture: np.ndarray, path: Path) -> None:
    """Write a uint8 picture (rows, columns, 3) to ``path``, whole or not at all.

    Only the owner may read the file, as the picture may show a face. Raises: OutputError.
    """
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written; choose another folder.")
    try:
        with publishing([path], overwrite=True) as (whole,), open_private(whole, "wb") as stream:
            stream.write(png_bytes(picture))
    except OSError as error:
        raise OutputError(f"{path} cannot be written; choose another folder.") from error

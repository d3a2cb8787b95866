"""Pictures of the original beside the defaced volume, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import ExistsError, InputError, OutputError
from ..files.private import private_file
from ..files.publish import publishing
from .camera import FRONTAL, OBLIQUE, tissue_focus
from .offscreen import import_vtk, render_views

GAP_PIXELS = 4


def before_after_picture(
    original_hu: np.ndarray,
    defaced_hu: np.ndarray,
    index_to_ras: np.ndarray,
    path: str | Path,
    size: int = 400,
    overwrite: bool = False,
) -> Path:
    """Write a PNG: rows original and defaced, columns frontal and oblique, the same camera for both rows.

    Both volumes: arrays (k, j, i) in HU on the grid of ``index_to_ras`` (4x4, to RAS mm). Returns the path.
    Raises ``OutputError`` if ``path`` exists and ``overwrite`` is False, or cannot be written; ``InputError``
    if the shapes differ; otherwise as ``render_views``.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise ExistsError(f"{path} exists already; choose another name or allow overwriting.")
    write_png(_before_after(original_hu, defaced_hu, index_to_ras, size), path)
    return path


def before_after_png(original_hu: np.ndarray, defaced_hu: np.ndarray, index_to_ras: np.ndarray, size: int = 400) -> bytes:
    """As ``before_after_picture``, but returns the PNG's bytes: nothing that shows the original is put on a disk."""
    return png(_before_after(original_hu, defaced_hu, index_to_ras, size))


def png(picture: np.ndarray) -> bytes:
    """The bytes of a PNG of ``picture``, RGB uint8 (rows, columns, 3)."""
    vtk = import_vtk()
    image = vtk.vtkImageData()
    image.SetDimensions(picture.shape[1], picture.shape[0], 1)
    pixels = np.ascontiguousarray(picture[::-1].reshape(-1, 3))
    image.GetPointData().SetScalars(vtk.util.numpy_support.numpy_to_vtk(pixels, deep=True))
    writer = vtk.vtkPNGWriter()
    writer.WriteToMemoryOn()
    writer.SetInputData(image)
    writer.Write()
    return bytes(vtk.util.numpy_support.vtk_to_numpy(writer.GetResult()))


def _before_after(original_hu: np.ndarray, defaced_hu: np.ndarray, index_to_ras: np.ndarray, size: int) -> np.ndarray:
    if np.shape(original_hu) != np.shape(defaced_hu):
        raise InputError("The original and the defaced volume differ in shape; pass two volumes on one grid.")
    focus = tissue_focus(original_hu, index_to_ras)
    captioned = ((original_hu, "Original"), (defaced_hu, "Defaced"))
    return picture_grid([render_views(hu, index_to_ras, (FRONTAL, OBLIQUE), size, focus, text) for hu, text in captioned])


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
        with publishing([path], overwrite=True) as (whole,):
            sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), str(private_file(whole)))
    except RuntimeError as error:
        raise OutputError(f"{path} cannot be written; choose another folder.") from error

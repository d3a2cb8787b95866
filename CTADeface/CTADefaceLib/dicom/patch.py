"""The defaced file from an original file and the voxels that changed; every other pixel keeps its bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CTADefaceError, OutputError, first_line
from ..progress import StageProgress
from .headers.defacing_marks import mark_defaced
from .headers.deidentify import BasicProfile
from .headers.uids import NewUids
from .headers.vouched import remove_unvouched
from .reading.pixels import stored_limits, to_words
from .reading.read_series import each_file, read_frames
from .reading.stack import Plane, Stack

if TYPE_CHECKING:
    from pydicom import Dataset


def stored_value(plane: Plane, hu: float) -> int:
    """The stored value of a ``Plane`` nearest to ``hu``, rounded, clipped to what its bits can hold."""
    return int(np.clip(np.rint((hu - plane.intercept) / plane.slope), *stored_limits(plane.bits)))


@dataclass(frozen=True)
class HeaderRules:
    """New ``uids``; ``clean_headers`` is called with each dataset, if given; ``keep_private`` keeps private elements,
    whatever they show; ``face_gone`` as for ``mark_defaced``."""

    uids: NewUids
    clean_headers: BasicProfile | None = None
    keep_private: bool = False
    face_gone: bool = True


def write_defaced(
    stack: Stack,
    changed: np.ndarray,
    hu: float,
    folder: Path,
    headers: HeaderRules,
    progress: StageProgress | None = None,
) -> np.ndarray:
    """Write each file of ``stack`` with ``hu`` where ``changed``, as new instances 0001.dcm ... into ``folder``.

    Parameters: ``changed`` bool (k, rows, columns); ``headers`` what becomes of everything but the pixels.
    Returns: uint16 words (k, rows, columns) as they were meant to be written.
    Raises: InputError, OutputError, MissingPackages.
    """
    meant = np.empty(changed.shape, np.uint16)
    files = list(each_file(stack))
    digits = max(4, len(str(len(files))))
    for number, (path, indices) in enumerate(files, 1):
        if progress is not None:
            progress.update(number / len(files))
        dataset, words = read_frames(stack, path, indices)
        for index in indices:
            plane = stack.planes[index]
            words[plane.frame][changed[index]] = to_words(stored_value(plane, hu))
            meant[index] = words[plane.frame]
        try:
            _turn_into_defaced(dataset, words, headers)
            save(dataset, folder / f"{number:0{digits}}.dcm")
        except (CTADefaceError, OSError):
            raise
        except Exception as error:  # pydicom raises many kinds for elements that the standard does not allow
            raise OutputError(
                f"{path.name}: cannot be written as DICOM ({first_line(error)}); export the series again."
            ) from None
    return meant


def _turn_into_defaced(dataset: Dataset, words: np.ndarray, headers: HeaderRules) -> None:
    set_pixels(dataset, words)
    remove_unvouched(dataset, headers.keep_private)
    clean = headers.clean_headers
    if clean is not None:
        clean(dataset)
    mark_defaced(dataset, headers.uids, headers.keep_private, clean, headers.face_gone)


def set_pixels(dataset: Dataset, words: np.ndarray) -> None:
    """Put uint16 ``words`` (frames, rows, columns) into ``dataset``, uncompressed, in the file's own byte order."""
    syntax = dataset.file_meta.TransferSyntaxUID
    order = "<" if syntax.is_compressed or syntax.is_little_endian else ">"
    dataset.PixelData = words.astype(order + "u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset["PixelData"].is_undefined_length = False


def save(dataset: Dataset, path: Path) -> None:
    """Write a ``pydicom.Dataset`` in the transfer syntax that its meta information names. Raises: OutputError."""
    syntax = dataset.file_meta.TransferSyntaxUID
    dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian, enforce_file_format=True)

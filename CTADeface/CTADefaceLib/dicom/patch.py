"""An original file and the voxels that changed -> the defaced file; every other pixel keeps its bits."""

import numpy as np

from ..errors import CTADefaceError, OutputError, first_line
from .headers import mark_defaced
from .pixels import read_dataset, read_words, stored_limits, to_words
from .read_series import each_file
from .vouched import remove_unvouched


def stored_value(plane, hu):
    """The stored value of a ``Plane`` nearest to ``hu``, rounded, clipped to what its bits can hold."""
    return int(np.clip(np.rint((hu - plane.intercept) / plane.slope), *stored_limits(plane.bits)))


def write_defaced(stack, changed, hu, folder, uids, clean_headers=None, progress=None, keep_private=False):
    """Write each file of ``stack`` with ``hu`` where ``changed``, as new instances 0001.dcm ... into ``folder``.

    Parameters: ``changed`` bool (k, rows, columns); ``uids`` a ``NewUids``; ``clean_headers``
    (a ``BasicProfile``) is called with each dataset, if given; ``keep_private`` keeps private elements, whatever they show.
    Returns: uint16 words (k, rows, columns) as they were meant to be written.
    Raises: InputError, OutputError, MissingPackages.
    """
    meant = np.empty(changed.shape, np.uint16)
    files = list(each_file(stack))
    digits = max(4, len(str(len(files))))
    for number, (path, indices) in enumerate(files, 1):
        if progress is not None:
            progress.update(number / len(files))
        dataset = read_dataset(path)
        words = read_words(dataset, path.name)
        for index in indices:
            plane = stack.planes[index]
            words[plane.frame][changed[index]] = to_words(stored_value(plane, hu))
            meant[index] = words[plane.frame]
        try:
            _turn_into_defaced(dataset, words, uids, clean_headers, keep_private)
            save(dataset, folder / f"{number:0{digits}}.dcm")
        except (CTADefaceError, OSError):
            raise
        except Exception as error:  # pydicom raises many kinds for elements that the standard does not allow
            raise OutputError(f"{path.name}: cannot be written as DICOM ({first_line(error)}); "
                              "export the series again.") from None
    return meant


def _turn_into_defaced(dataset, words, uids, clean_headers, keep_private):
    set_pixels(dataset, words)
    remove_unvouched(dataset, keep_private)
    if clean_headers is not None:
        clean_headers(dataset)
    mark_defaced(dataset, uids, keep_private, clean_headers and clean_headers.method)


def set_pixels(dataset, words):
    """Put uint16 ``words`` (frames, rows, columns) into ``dataset``, uncompressed, in the file's own byte order."""
    syntax = dataset.file_meta.TransferSyntaxUID
    order = "<" if syntax.is_compressed or syntax.is_little_endian else ">"
    dataset.PixelData = words.astype(order + "u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset["PixelData"].is_undefined_length = False


def save(dataset, path):
    """Write a ``pydicom.Dataset`` in the transfer syntax that its meta information names. Raises: OutputError."""
    syntax = dataset.file_meta.TransferSyntaxUID
    dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian,
                    enforce_file_format=True)

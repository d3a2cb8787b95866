"""The optional packages that read, write and send DICOM, imported when they are used."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ...errors import MissingPackages, first_line
from ...extras import how_to_install

OLDEST_PYDICOM = 3
INSTALL = f"{how_to_install('dicom')} (in 3D Slicer, Export DICOM of the panel asks and installs)"
INSTALL_SEND = f"{how_to_install('send')} (in 3D Slicer, Send of the panel asks and installs)"
INSTALL_SEG = f"{how_to_install('seg')} (in 3D Slicer, Export DICOM of the panel asks and installs)"


def need_pydicom() -> ModuleType:
    """The module ``pydicom``. Raises ``MissingPackages`` that names the pip command."""
    try:
        import pydicom
    except ImportError as error:
        raise MissingPackages(f"DICOM needs the package pydicom ({first_line(error)}); run: {INSTALL}") from error
    if int(pydicom.__version__.split(".")[0]) < OLDEST_PYDICOM:
        raise MissingPackages(
            f"DICOM needs pydicom {OLDEST_PYDICOM} or newer, {pydicom.__version__} is loaded; run: "
            f"{INSTALL}, and start the program again."
        )
    return pydicom


def need_anonymizer() -> ModuleType:
    """The module ``dicomanonymizer.simpledicomanonymizer``. Raises ``MissingPackages`` that names the pip command."""
    try:
        from dicomanonymizer import simpledicomanonymizer

        return simpledicomanonymizer
    except ImportError as error:
        raise MissingPackages(
            f"De-identifying headers needs the package dicom-anonymizer ({first_line(error)}); run: {INSTALL}"
        ) from error


def need_highdicom() -> ModuleType:
    """The module ``highdicom``. Raises ``MissingPackages`` that names the pip command."""
    try:
        import highdicom

        return highdicom
    except ImportError as error:
        raise MissingPackages(
            f"A mask as DICOM SEG needs the package highdicom ({first_line(error)}); run: {INSTALL_SEG}"
        ) from error


def need_pynetdicom(install: str = INSTALL_SEND) -> ModuleType:
    """The module ``pynetdicom``, with its own log silenced. Raises ``MissingPackages`` that names the command ``install``."""
    try:
        import pynetdicom
    except ImportError as error:
        raise MissingPackages(
            f"DICOM over the network needs the package pynetdicom ({first_line(error)}); run: {install}"
        ) from error
    # Its log tells UIDs, and elements of data sets.
    pynetdicom._config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    return pynetdicom


@contextmanager
def no_values_in_warnings() -> Iterator[None]:
    """Silence pydicom's warnings: they print values that the standard does not allow, which may be names and IDs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        yield

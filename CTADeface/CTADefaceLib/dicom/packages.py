"""The optional packages that read and write DICOM, imported when they are used."""

import warnings
from contextlib import contextmanager

from ..errors import MissingPackages, first_line

INSTALL = "pip install 'cta-deface[dicom]'"


def need_pydicom():
    """The module ``pydicom``. Raises ``MissingPackages`` that names the pip command."""
    try:
        import pydicom

        return pydicom
    except ImportError as error:
        raise MissingPackages(f"DICOM needs the package pydicom ({first_line(error)}); run: {INSTALL}") from error


def need_anonymizer():
    """The module ``dicomanonymizer.simpledicomanonymizer``. Raises ``MissingPackages`` that names the pip command."""
    try:
        from dicomanonymizer import simpledicomanonymizer

        return simpledicomanonymizer
    except ImportError as error:
        raise MissingPackages(f"De-identifying headers needs the package dicom-anonymizer ({first_line(error)}); "
                              f"run: {INSTALL}") from error


@contextmanager
def no_values_in_warnings():
    """pydicom warns of values that the standard does not allow by printing them, names and IDs included."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        yield

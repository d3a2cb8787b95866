"""The real heads, the synthetic one and the Slicer stand-in, for the tests of all rooms."""

import pytest

from helpers import phantom
from helpers.paths import DICOM_DATA


@pytest.fixture(scope="session")
def cranium(tmp_path_factory):
    """Path of the public cranium CT (a real head, upper lip to vertex)."""
    from CTADefaceLib.errors import InputError
    from CTADefaceLib.files.public_head import public_head

    try:
        return public_head()
    except InputError as error:
        pytest.skip(f"the public head cannot be fetched here: {error}")


@pytest.fixture(scope="session")
def small_cranium(cranium, tmp_path_factory):
    """The cranium averaged to about 3 mm, as a SimpleITK image: real, and quick to segment."""
    import SimpleITK as sitk

    image = sitk.BinShrink(sitk.ReadImage(str(cranium)), [3, 3, 2])
    return sitk.Cast(image, sitk.sitkInt16)


@pytest.fixture(scope="session")
def real_series():
    """Folder of a real head-and-neck series."""
    if not DICOM_DATA.is_dir():
        pytest.skip(f"no real DICOM series at {DICOM_DATA} (CTADEFACE_DICOM_DATA names another place)")
    return DICOM_DATA


@pytest.fixture(scope="session")
def host():
    """The stand-in for the Slicer application."""
    for name, package in (("slicer", "slicer-core"), ("PySide6", "PySide6-Essentials")):
        pytest.importorskip(name, reason=f"needs the package {package}")
    import slicer_host

    return slicer_host.start()


@pytest.fixture(scope="session")
def parts():
    """The synthetic head's HU, face, brain and bone (see ``synthetic_head``)."""
    return phantom.head_parts()


@pytest.fixture
def head():
    """The synthetic head as a ``Volume`` (see ``phantom``)."""
    return phantom.head()


@pytest.fixture(scope="module")
def scan(parts, tmp_path_factory):
    """(path of the synthetic head, path of its mask)."""
    import numpy as np
    import SimpleITK as sitk

    folder = tmp_path_factory.mktemp("scan")
    sitk.WriteImage(phantom.image(parts[0]), str(folder / "head.nii.gz"))
    sitk.WriteImage(phantom.image(parts[1].astype(np.uint8)), str(folder / "mask.nii.gz"))
    return folder / "head.nii.gz", str(folder / "mask.nii.gz")

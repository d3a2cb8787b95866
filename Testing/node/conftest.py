"""Studies of the synthetic head with its true mask, so that a node defaces one in less than a second."""

import hashlib

import pytest

from helpers import dicom_maker as maker
from helpers.dicom_node import Archive, quick_node, served


@pytest.fixture(scope="session", autouse=True)
def packages():
    pytest.importorskip("pynetdicom", reason="needs the extra node")


@pytest.fixture(scope="session", autouse=True)
def known_poses():
    """Where a head lies is found once for each volume: most tests deface the same one, and this is most of the work."""
    from CTADefaceLib.head import pose

    locate, known = pose.locate, {}

    def located(volume, *arguments):
        key = hashlib.sha256(volume.stored.tobytes()).digest(), repr(volume.geometry), volume.slope, volume.intercept
        if key not in known:
            known[key] = locate(volume, *arguments)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pose, "locate", located)
        yield


@pytest.fixture(scope="session")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


@pytest.fixture(scope="session")
def studies(tmp_path_factory):
    """Folders of two studies of two patients, 40 slices each; the second has a dose report and a localizer as well."""
    folder = tmp_path_factory.mktemp("studies")
    first, second = maker.Study(), maker.Study()
    maker.write_series(folder / "first", maker.sparse(), first)
    maker.write_series(folder / "second", maker.sparse(), second, change=lambda d, k: setattr(d, "PatientID", "ID4712"))
    scout = maker.Shape(maker.upright().positions[:1], maker.SAGITTAL)
    maker.write_series(folder / "second" / "scout", scout, second, number=2, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    return folder / "first", folder / "second"


@pytest.fixture
def archive():
    with Archive() as one:
        yield one


@pytest.fixture
def node(tmp_path, archive, mask):
    """A node whose studies are complete at once, with its sending thread."""
    made = quick_node(tmp_path, archive.port, mask)
    made.arrivals._pause = 0
    yield from served(made)

"""Packages that only DICOM needs: asked for when it is used, and an old one that is loaded is not taken for the new one."""

import sys
import types

import pytest

from CTADefaceLib.dicom.reading.dicom_packages import need_pydicom
from CTADefaceLib.errors import MissingPackages
from CTADefaceLib.slicer_module.packages import consent, installed
from CTADefaceLib.slicer_module.packages import install as packages
from helpers.site_packages import put


@pytest.fixture
def site(tmp_path):
    """Slicer's site-packages, with the older pydicom that some versions bring."""
    put(tmp_path / "site-packages", "pydicom", "2.4.3")
    return tmp_path / "site-packages"


def test_what_is_missing_or_too_old_is_installed_once_after_asking(site):
    asked, calls = [], []

    def pip(arguments):
        calls.append(arguments)
        (site / "pydicom-2.4.3.dist-info").rename(site / "gone")
        for line in installed.requirements("dicom"):
            put(site, installed.requirement_name(line).replace("-", "_"), "9.9")

    def ask(text, title):
        asked.append(text)
        return True

    packages.ensure_for("dicom", "DICOM export", confirm=ask, site_packages=site, pip=pip)
    packages.ensure_for("dicom", "DICOM export", confirm=ask, site_packages=site, pip=pip)
    assert len(asked) == len(calls) == 1 and "pydicom>=3" in asked[0] and "No image" in asked[0]
    assert calls[0][: len(installed.requirements("dicom"))] == installed.requirements("dicom")


def test_declining_changes_nothing(site):
    before = sorted(path.name for path in site.iterdir())
    with pytest.raises(consent.Declined):
        packages.ensure_for("dicom", "DICOM export", confirm=lambda *_: False, site_packages=site, pip=pytest.fail)
    assert sorted(path.name for path in site.iterdir()) == before


def test_a_package_that_was_replaced_while_in_use_asks_for_a_restart(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", types.SimpleNamespace(__version__="2.4.3"))
    for line in installed.requirements("dicom")[1:]:
        put(site, installed.requirement_name(line).replace("-", "_"), "9.9")
    (site / "pydicom-2.4.3.dist-info").rename(site / "gone")
    put(site, "pydicom", "3.0.1", folder=False)
    with pytest.raises(packages.PackageError, match="restart Slicer"):
        packages.ensure_for("dicom", "DICOM export", site_packages=site, pip=pytest.fail)
    with pytest.raises(MissingPackages, match=r"3 or newer, 2\.4\.3 is loaded"):
        need_pydicom()

"""Site-packages in real folders, and Slicers of different ages, for the tests of the Python packages."""

import sys
import types

import pytest

from helpers.site_packages import SLICERS_OWN, make_wheel, never, put


@pytest.fixture
def site(tmp_path):
    """The site-packages of a fresh Slicer."""
    folder = tmp_path / "site-packages"
    for name, version in SLICERS_OWN.items():
        put(folder, name, version)
    return folder


@pytest.fixture
def full(site):
    """A site-packages with all that is needed."""
    put(site, "torch", "2.12.0+cpu", ["sympy", "nothing-here; sys_platform == 'never'"])
    put(site, "sympy", "1.14")
    put(site, "nnunetv2", "2.6.0", ["torch!=2.9.*", "SimpleITK>=2.2.1", "acvl-utils<0.3", "napari; extra == 'gui'"])
    put(site, "acvl_utils", "0.2.5")
    return site


@pytest.fixture
def wheel_folder(tmp_path):
    """A folder of tiny wheels that pip really installs."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    make_wheel(folder, "torch", "2.12.0", {"torch/__init__.py": "", "torch/lib/c10.txt": "", "torchgen/gen.py": ""})
    make_wheel(folder, "nnunetv2", "2.6.0", {"nnunetv2/__init__.py": ""}, ["acvl-utils"])
    make_wheel(folder, "acvl_utils", "0.2.5", {"acvl_utils/__init__.py": ""})
    return folder


@pytest.fixture
def slicer_with(monkeypatch):
    """Put a Slicer of a given age in place: its ``slicer.util`` and, when given, ``slicer.packaging``."""

    def build(pip_install=never, pip_ensure=None, confirm=never, testing=False, extension=None):
        slicer, util = types.ModuleType("slicer"), types.ModuleType("slicer.util")
        slicer.__path__ = []
        slicer.util, util.pip_install, util.confirmOkCancelDisplay = util, pip_install, confirm
        slicer.app = types.SimpleNamespace(testingEnabled=lambda: testing)
        packaging = types.ModuleType("slicer.packaging")
        packaging.pip_ensure = pip_ensure
        pytorch = types.ModuleType("PyTorchUtils")
        pytorch.PyTorchUtilsLogic = lambda: extension
        for name, module in {
            "slicer": slicer,
            "slicer.util": util,
            "slicer.packaging": pip_ensure and packaging,
            "PyTorchUtils": extension and pytorch,
        }.items():
            # None makes the import fail, as where the module does not exist.
            monkeypatch.setitem(sys.modules, name, module)

    return build

"""Asking, installing and repairing the Python packages, with the real pip in real site-packages folders."""

import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from CTADefaceLib.errors import CTADefaceError
from CTADefaceLib.slicer_module.packages import consent, installed, preflight
from CTADefaceLib.slicer_module.packages import install as packages
from helpers.site_packages import (
    DAMAGES,
    make_wheel,
    never,
    plenty,
    put,
    real_pip,
    with_leftover,
    with_second_leftover,
    without_library,
    without_record,
    without_registration,
    yes,
)

# The question


def test_question_names_packages_sizes_place_and_that_nothing_is_sent(site, monkeypatch):
    monkeypatch.setattr(preflight.sys, "platform", "darwin")
    text = packages.consent_text(packages.missing(site), site)
    assert "torch>=2.10: runs the neural network" in text and "nnunetv2>=2.5: " in text
    assert "About 0.6 GB are downloaded" in text and "about 2.1 GB" in text and str(site) in text
    assert "No image and no other data of yours is sent" in text


def test_linux_without_the_pytorch_extension_gets_the_large_torch(site, monkeypatch, slicer_with):
    monkeypatch.setattr(preflight.sys, "platform", "linux")
    monkeypatch.setattr(preflight.shutil, "which", lambda name: None)
    slicer_with()
    assert "about 6.6 GB" in packages.consent_text(packages.missing(site), site)
    slicer_with(extension=object())
    assert "about 2.1 GB" in packages.consent_text(packages.missing(site), site)


def test_declining_changes_nothing(site):
    before = sorted(site.rglob("*"))
    with pytest.raises(consent.Declined, match="declined"):
        packages.install(confirm=lambda text, title: False, site_packages=site, pip=never, disk_usage=plenty)
    assert sorted(site.rglob("*")) == before


def test_default_question_is_slicers_dialogue_with_details(site, slicer_with):
    shown = []
    slicer_with(confirm=lambda text, title, **more: shown.append((text, title, more)))
    with pytest.raises(consent.Declined):
        packages.install(site_packages=site, pip=never, disk_usage=plenty)
    ((text, title, more),) = shown
    assert "torch" in text and "CTADeface" in title and "nnunetv2>=2.5" in more["detailedText"]


def test_slicers_self_tests_install_nothing(site, slicer_with):
    slicer_with(testing=True, confirm=lambda *a, **k: True)
    with pytest.raises(consent.Declined):
        packages.install(site_packages=site, disk_usage=plenty)


# Installing


def test_nothing_to_do_when_ready(full):
    assert packages.install(confirm=never, site_packages=full, pip=never).ready


def test_offline_installation_by_the_real_pip(site, wheel_folder):
    calls, asked = [], []
    now = packages.install(
        wheel_folder,
        lambda text, title: asked.append(text) or True,
        site_packages=site,
        pip=real_pip(site, calls),
        disk_usage=plenty,
    )
    assert now.ready and now.versions["torch"] == "2.12.0"
    assert (site / "acvl_utils" / "__init__.py").is_file()
    assert "Nothing is downloaded" in asked[0] and len(asked) == 1
    assert [arguments[0] for arguments, _pins in calls] == ["torch>=2.10", "nnunetv2>=2.5"]
    assert all(arguments[1:4] == ["--no-index", "--find-links", str(wheel_folder)] for arguments, _pins in calls)
    kept = {"SimpleITK==2.5.0", "requests==2.32.0", "numpy==2.1.0"}
    assert set(calls[0][1]) == kept and set(calls[1][1]) == kept | {"torch==2.12.0"}


def test_a_click_while_pip_runs_installs_nothing_more(site, wheel_folder):
    said = []

    def pip(arguments):
        for action in (packages.install, packages.repair, lambda **how: packages.ensure_for("dicom", "DICOM", **how)):
            with pytest.raises(packages.PackageError) as caught:
                action(wheel_folder=wheel_folder, confirm=never, site_packages=site, pip=never)
            said.append(str(caught.value))
        return real_pip(site)(arguments)

    assert packages.install(wheel_folder, yes, site_packages=site, pip=pip, disk_usage=plenty).ready
    assert len(said) == 6 and all("already" in text for text in said)
    assert packages.repair(wheel_folder, never, site_packages=site, pip=never).ready


def test_what_dicom_needs_is_taken_from_the_folder_of_wheels_too(site, wheel_folder):
    with pytest.raises(packages.PackageError, match=r"requirements-dicom\.txt"):
        packages.ensure_for("dicom", "DICOM", wheel_folder, never, site_packages=site, pip=never)
    calls = []
    for name in map(packages.requirement_name, packages.requirements("dicom")):
        make_wheel(wheel_folder, name.replace("-", "_"), "3.0", {f"{name.replace('-', '_')}_made/__init__.py": ""})
    put(site, "pydicom", "2.4.4")
    asked = []
    packages.ensure_for(
        "dicom",
        "DICOM",
        wheel_folder,
        lambda text, title: asked.append(text) or True,
        site_packages=site,
        pip=real_pip(site, calls),
    )
    assert "pydicom>=3 in place of 2.4.4" in asked[0] and "all of Slicer" in asked[0]
    assert not packages.missing_for("dicom", site) and "--no-index" in calls[0][0]


def test_offline_uses_slicers_pip_and_not_the_extension(site, wheel_folder, slicer_with):
    slicer_with(pip_install=real_pip(site), pip_ensure=never, extension=types.SimpleNamespace(installTorch=never))
    assert packages.install(str(wheel_folder), yes, site_packages=site, disk_usage=plenty).ready


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").unlink(),
        lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").rename(folder / "torch-2.8.0-py3-none-any.whl"),
        lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").rename(folder / "torch-2.12.0-cp27-none-win32.whl"),
        lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").rename(folder / "torch.whl"),
    ],
    ids=["absent", "too old", "another platform", "no wheel's name"],
)
def test_folder_without_a_fitting_wheel_is_refused(site, wheel_folder, spoil):
    spoil(wheel_folder)
    with pytest.raises(packages.PackageError) as caught:
        packages.install(wheel_folder, never, site_packages=site, pip=never, disk_usage=plenty)
    assert re.search(r"has no wheel .* of torch>=2.10; make the folder .* pip wheel -r", str(caught.value))


def test_absent_dependency_wheel_gives_pips_own_words(site, wheel_folder, capsys):
    (wheel_folder / "acvl_utils-0.2.5-py3-none-any.whl").unlink()
    make_wheel(wheel_folder, "nnunetv2", "2.6.0", {"nnunetv2/__init__.py": ""}, ["ctadeface-no-such-package"])
    with pytest.raises(packages.PackageError) as caught:
        packages.install(wheel_folder, yes, site_packages=site, pip=real_pip(site), disk_usage=plenty)
    text = str(caught.value)
    assert text.startswith("Installing nnunetv2 failed: ERROR: ") and "ctadeface-no-such-package" in text
    assert "restart Slicer and press Install packages again" in text
    assert isinstance(caught.value, CTADefaceError)
    assert isinstance(caught.value.__cause__, subprocess.CalledProcessError)
    assert "ctadeface-no-such-package" in capsys.readouterr().out


def test_new_slicer_installs_torch_by_the_extension_and_the_rest_by_pip_ensure(site, slicer_with):
    seen = {}

    def install_torch(**options):
        seen["torch"] = options
        put(site, "torch", "2.12.0")

    def pip_ensure(requirements, constraints, **options):
        seen["rest"] = (requirements, Path(constraints).read_text().split(), options)
        put(site, "nnunetv2", "2.6.0")

    slicer_with(pip_ensure=pip_ensure, extension=types.SimpleNamespace(installTorch=install_torch))
    assert packages.install(confirm=yes, site_packages=site, disk_usage=plenty).ready
    assert seen["torch"] == {"askConfirmation": False, "torchVersionRequirement": ">=2.10"}
    requirements, pins, options = seen["rest"]
    assert requirements == ["nnunetv2>=2.5"] and "torch==2.12.0" in pins and "numpy==2.1.0" in pins
    assert options == {"skip_packages": ["SimpleITK", "torch", "requests"], "prompt_install": False, "requester": "CTADeface"}


def test_older_slicer_falls_back_to_its_pip_and_keeps_its_own_packages(site, wheel_folder, slicer_with):
    calls = []
    pip = real_pip(site, calls)
    slicer_with(pip_install=lambda arguments: pip([*arguments, "--no-index", "--find-links", str(wheel_folder)]))
    assert packages.install(confirm=yes, site_packages=site, disk_usage=plenty).ready
    assert [arguments[0] for arguments, _pins in calls] == ["torch>=2.10", "nnunetv2>=2.5"]
    assert "SimpleITK==2.5.0" in calls[0][1] and "torch==2.12.0" in calls[1][1]


def test_pin_keeps_slicers_simpleitk_against_a_package_that_wants_another(site, wheel_folder):
    make_wheel(wheel_folder, "nnunetv2", "2.6.0", {"nnunetv2/__init__.py": ""}, ["SimpleITK>=3"])
    make_wheel(wheel_folder, "simpleitk", "3.0.0", {"SimpleITK/__init__.py": "replaced"})
    with pytest.raises(packages.PackageError, match=r"depends on SimpleITK>=3\nThe user requested .* simpleitk==2\.5\.0"):
        packages.install(wheel_folder, yes, site_packages=site, pip=real_pip(site), disk_usage=plenty)
    assert packages.state(site).versions["SimpleITK"] == "2.5.0"
    assert (site / "SimpleITK" / "__init__.py").read_text() != "replaced"


def test_failed_extension_is_told_with_its_reason(site, slicer_with):
    def install_torch(**options):
        print("Collecting torch\nERROR: No matching distribution found for torch>=2.10\n")
        raise subprocess.CalledProcessError(1, "ltt", output=sys.stdin)

    slicer_with(pip_ensure=never, extension=types.SimpleNamespace(installTorch=install_torch))
    with pytest.raises(packages.PackageError, match="Installing torch failed: ERROR: No matching distribution"):
        packages.install(confirm=yes, site_packages=site, disk_usage=plenty)


def test_failure_without_output_keeps_the_exceptions_words(site):
    def pip(arguments):
        raise RuntimeError("PythonSlicer executable not found")

    with pytest.raises(packages.PackageError, match="PythonSlicer executable not found"):
        packages.install(confirm=yes, site_packages=site, pip=pip, disk_usage=plenty)


@pytest.mark.parametrize(
    "said, told", [("ERROR: No matching distribution", "failed: ERROR: No matching"), ("", "missing: acvl-utils")]
)
def test_dependency_that_slicer_only_warned_of_is_an_error(site, slicer_with, said, told):
    def pip_ensure(lines, constraints, **options):
        put(site, "nnunetv2", "2.6.0", ["acvl-utils"])
        print(said)

    slicer_with(pip_install=lambda arguments: put(site, "torch", "2.12.0"), pip_ensure=pip_ensure)
    with pytest.raises(packages.PackageError, match=told):
        packages.install(confirm=yes, site_packages=site, disk_usage=plenty)


# Repairing


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_repair_asks_once_and_ends_ready(full, wheel_folder, damage):
    damage(full)
    asked = []
    now = packages.repair(
        wheel_folder, lambda text, title: asked.append(text) or True, site_packages=full, pip=real_pip(full), disk_usage=plenty
    )
    assert now.ready and len(asked) == 1 and "are removed" in asked[0]
    leftover = damage in (with_leftover, with_second_leftover)
    assert ("CTADeface needs these Python packages" in asked[0]) is not leftover
    assert now.versions["torch"] == ("2.12.0+cpu" if leftover or damage is without_registration else "2.12.0")


def test_repair_removes_only_the_broken_package(full):
    without_library(full)
    for name in ("torchgen", "torchvision", "torchvision-0.27.0.dist-info", "~umpy"):
        (full / name).mkdir()
    before = {path.name for path in full.iterdir()}

    def fail(arguments):
        raise RuntimeError("stop here")

    with pytest.raises(packages.PackageError, match="stop here"):
        packages.repair(None, yes, site_packages=full, pip=fail, disk_usage=plenty)
    assert before - {path.name for path in full.iterdir()} == {"torch", "torchgen", "torch-2.12.0+cpu.dist-info"}


def test_repair_does_not_follow_a_link_out_of_site_packages(full, wheel_folder, tmp_path):
    outside = tmp_path / "outside"
    (full / "torch").rename(outside)
    (full / "torch").symlink_to(outside)
    without_record(full)
    assert packages.repair(wheel_folder, yes, site_packages=full, pip=real_pip(full), disk_usage=plenty).ready
    assert (outside / "__init__.py").is_file() and not (full / "torch").is_symlink()


def test_declined_repair_and_repair_without_wheels_remove_nothing(full, wheel_folder):
    without_library(full)
    before = sorted(full.rglob("*"))
    with pytest.raises(consent.Declined):
        packages.repair(confirm=lambda text, title: False, site_packages=full, pip=never, disk_usage=plenty)
    (wheel_folder / "torch-2.12.0-py3-none-any.whl").unlink()
    with pytest.raises(packages.PackageError, match="has no wheel"):
        packages.repair(wheel_folder, never, site_packages=full, pip=never, disk_usage=plenty)
    assert sorted(full.rglob("*")) == before


def test_file_in_use_is_told(full, monkeypatch):
    without_library(full)

    def in_use(path, ignore_errors=False):
        if not ignore_errors:
            raise PermissionError(13, "The file is in use")

    monkeypatch.setattr(packages.shutil, "rmtree", in_use)
    with pytest.raises(packages.PackageError, match=r"cannot be removed \(The file is in use\); restart Slicer"):
        packages.repair(confirm=yes, site_packages=full, pip=never, disk_usage=plenty)


def test_repair_of_nothing_broken_installs(site, wheel_folder):
    assert packages.repair(wheel_folder, yes, site_packages=site, pip=real_pip(site), disk_usage=plenty).ready


def test_reading_the_module_needs_no_slicer_and_loads_nothing_heavy():
    code = (
        "import sys; sys.modules['slicer'] = None; from CTADefaceLib.slicer_module.packages import install as packages; "
        "print(sorted({'torch', 'nnunetv2', 'numpy', 'vtk'} & set(sys.modules)))"
    )
    folder = installed.REQUIREMENTS.parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.stdout.strip() == "[]", done.stderr

"""Which Python packages are there, whole or half installed, and whether there is room for them: in real folders."""

import sys
import types

import pytest

from CTADefaceLib.slicer_module.packages import install as packages
from CTADefaceLib.slicer_module.packages import installed, preflight
from helpers.site_packages import DAMAGES, SLICERS_OWN, Usage, never, plenty, put

# What is there


def test_requirements_are_the_file_and_exclude_the_torch_that_nnunet_refuses():
    lines = packages.requirements()
    assert lines == installed.REQUIREMENTS.read_text().split()
    torch = next(packages.Requirement(line) for line in lines if line.startswith("torch"))
    assert not torch.specifier.contains("2.9.1")


def test_fresh_slicer_misses_torch_first(site):
    now = packages.state(site)
    assert [packages.Requirement(line).name for line in now.missing] == ["torch", "nnunetv2"]
    assert now.broken == "" and not now.ready
    assert "torch" in now.reason and "nnunetv2" in now.reason and "press Install packages" in now.reason


def test_complete_slicer_is_ready_and_nothing_was_imported(full, monkeypatch):
    monkeypatch.syspath_prepend(full)
    loaded = set(sys.modules)
    now = packages.state(full)
    assert now == installed.PackageState((), "", now.versions) and now.ready and now.reason == ""
    assert now.versions["torch"] == "2.12.0+cpu" and now.versions["SimpleITK"] == "2.5.0"
    assert not {"torch", "nnunetv2"} & (set(sys.modules) - loaded)


def test_old_version_counts_as_missing_and_a_prerelease_as_there(full):
    for old, new in (("torch-2.12.0+cpu", ("torch", "2.5.1")), ("SimpleITK-2.5.0", ("SimpleITK", "2.5.1rc1.dev3"))):
        packages.shutil.rmtree(full / f"{old}.dist-info")
        put(full, *new)
    assert packages.missing(full) == ["torch>=2.10"]


def test_absent_dependency_of_an_installed_package_is_missing(full):
    packages.shutil.rmtree(full / "acvl_utils-0.2.5.dist-info")
    assert packages.missing(full) == ["acvl-utils<0.3"]


def test_slicers_own_unregistered_requests_is_not_missed(full):
    packages.shutil.rmtree(full / "requests-2.32.0.dist-info")
    put(full, "extra_user", "1.0", ["requests"])
    (full / "acvl_utils-0.2.5.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acvl_utils\nVersion: 0.2.5\nRequires-Dist: requests\n"
    )
    assert packages.missing(full) == []


# Half installed


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_half_installed_package_is_told_and_stops_an_installation(full, damage):
    damage(full)
    now = packages.state(full)
    assert DAMAGES[damage] in now.broken and not now.ready
    assert now.reason.endswith("; press Repair packages.")
    with pytest.raises(packages.PackageError, match="press Repair packages"):
        packages.install(confirm=never, site_packages=full, pip=never, disk_usage=plenty)


@pytest.mark.parametrize("name", ["~umpy", "~orchvision", "~ch", "torchvision", "torchvision-0.27.0.dist-info"])
def test_other_packages_are_not_taken_for_torch(full, name):
    (full / name).mkdir()
    assert packages.state(full).broken == ""


def test_editable_nnunet_is_whole(full):
    packages.shutil.rmtree(full / "nnunetv2")
    (full / "nnunetv2-2.6.0.dist-info" / "direct_url.json").write_text('{"dir_info": {"editable": true}, "url": "file:///a"}')
    assert packages.state(full).ready


# Before installing


def texts(problems, fatal):
    return [problem.text for problem in problems if problem.fatal == fatal]


def test_full_disk_is_told_with_what_is_needed(site):
    problems = preflight.preflight(site_packages=site, disk_usage=lambda folder: Usage(10**12, 0, 10**9))
    assert len(problems) == 1 and problems[0].fatal
    assert "1.0 GB are free" in problems[0].text and str(site) in problems[0].text
    assert preflight.preflight(5 * 10**8, site, disk_usage=lambda folder: Usage(10**12, 0, 10**9)) == []


def test_nothing_is_asked_or_installed_on_a_full_disk(site):
    with pytest.raises(packages.PackageError, match="free some space"):
        packages.install(confirm=never, site_packages=site, pip=never, disk_usage=lambda folder: Usage(1, 1, 0))


def test_folder_that_cannot_be_written_is_told(tmp_path):
    # Root may write everywhere, so the folder is one that is not there.
    told = texts(preflight.preflight(0, tmp_path / "absent", plenty), fatal=True)
    assert "cannot be written" in told[0] and str(tmp_path / "absent") in told[0]


def test_slicer_with_an_old_simpleitk_is_told(site):
    packages.shutil.rmtree(site / "SimpleITK-2.5.0.dist-info")
    put(site, "SimpleITK", "2.2.1")
    assert "newer Slicer" in texts(preflight.preflight(site_packages=site, disk_usage=plenty), fatal=True)[0]


@pytest.fixture
def windows(monkeypatch):
    """Windows' limit for paths."""
    monkeypatch.setattr(preflight, "on_windows", lambda: True)


def deep(tmp_path, length):
    folder = tmp_path / ("d" * (length - len(str(tmp_path)) - 1))
    for name, version in SLICERS_OWN.items():
        put(folder, name, version)
    assert len(str(folder)) == length
    return folder


def test_too_long_a_path_for_any_torch_is_fatal(tmp_path, windows, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert texts(preflight.preflight(0, deep(tmp_path, 139), plenty), fatal=True) == []
    assert "too long for torch;" in texts(preflight.preflight(0, deep(tmp_path, 140), plenty), fatal=True)[0]


@pytest.mark.parametrize("system, processor, told", [("darwin", "x86_64", 1), ("darwin", "arm64", 0), ("linux", "x86_64", 0)])
def test_slicer_for_intel_macs_is_told_that_there_is_no_torch(site, monkeypatch, system, processor, told):
    monkeypatch.setattr(preflight.sys, "platform", system)
    monkeypatch.setattr(preflight.platform, "machine", lambda: processor)
    assert len([t for t in texts(preflight.preflight(0, site, plenty), fatal=True) if "Intel" in t]) == told


def test_path_too_long_for_torch_213_gets_an_older_torch(tmp_path, windows, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    folder = deep(tmp_path, 120)
    asked, calls = [], []
    with pytest.raises(packages.PackageError, match=r"is not complete\. .*torch>=2\.10"):
        packages.install(
            confirm=lambda text, title: asked.append(text) or True, site_packages=folder, pip=calls.append, disk_usage=plenty
        )
    assert packages.Requirement(calls[0][0]).specifier == packages.Requirement("torch>=2.10,<2.13").specifier
    assert "An older torch is taken" in asked[0]


def test_loaded_torch_is_told_on_windows(site, windows, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    assert any("restart Slicer" in text for text in texts(preflight.preflight(0, site, plenty), fatal=True))

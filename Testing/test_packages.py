"""Finding, installing and repairing the Python packages, in real site-packages folders and with the real pip."""

import base64
import hashlib
import os
import re
import subprocess
import sys
import types
import zipfile
from collections import namedtuple

import pytest

from CTADefaceLib.errors import CTADefaceError
from CTADefaceLib.slicer_module import installed, packages

Usage = namedtuple("Usage", "total used free")
SLICERS_OWN = {"SimpleITK": "2.5.0", "numpy": "2.1.0", "requests": "2.32.0"}


def plenty(folder):
    return Usage(10**12, 0, 10**12)


def yes(_text, _title):
    return True


def never(*_args, **_kwargs):
    raise AssertionError("this must not be called")


def metadata(name, version, requires):
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"


def put(site, name, version, requires=(), folder=True):
    """A package as pip leaves it."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata(name, version, requires))
    (info / "RECORD").write_text("")
    if folder:
        (site / name / "lib").mkdir(parents=True, exist_ok=True)
        (site / name / "__init__.py").write_text("raise RuntimeError('imported')\n")
    return info


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


def make_wheel(folder, name, version, files, requires=(), tag="py3-none-any"):
    info = f"{name}-{version}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = metadata(name, version, requires)
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    digest = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
              for path, text in files.items()}
    record = [f"{path},sha256={digest[path]},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def real_pip(site, calls=None):
    """'pip install' into ``site`` that prints as Slicer's does and fails as Slicer's does."""
    def run(arguments):
        if calls is not None:
            constraints = arguments[arguments.index("-c") + 1]
            calls.append((arguments, open(constraints).read().split()))
        # --isolated and no settings file: this machine's own indexes and wheels must not help.
        command = [sys.executable, "-m", "pip", "--isolated", "install", "--target", str(site), *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "PIP_CONFIG_FILE": os.devnull})
        print(done.stdout)
        done.check_returncode()

    return run


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
        for name, module in {"slicer": slicer, "slicer.util": util, "slicer.packaging": pip_ensure and packaging,
                             "PyTorchUtils": extension and pytorch}.items():
            # None makes the import fail, as where the module does not exist.
            monkeypatch.setitem(sys.modules, name, module)

    return build


# What is there


def test_requirements_are_the_file_and_exclude_the_torch_that_nnunet_refuses():
    lines = packages.requirements()
    assert lines == packages.REQUIREMENTS.read_text().split()
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
        "Metadata-Version: 2.1\nName: acvl_utils\nVersion: 0.2.5\nRequires-Dist: requests\n")
    assert packages.missing(full) == []


# Half installed


def without_folder(site):
    packages.shutil.rmtree(site / "torch")


def without_registration(site):
    packages.shutil.rmtree(site / "nnunetv2-2.6.0.dist-info")


def with_leftover(site):
    (site / "~orch").mkdir()


def with_second_leftover(site):
    (site / "~-rch-2.11.0.dist-info").mkdir()


def registered_twice(site):
    put(site, "torch", "2.11.0")


def without_library(site):
    (site / "torch" / "lib").rmdir()


def without_record(site):
    (site / "torch-2.12.0+cpu.dist-info" / "RECORD").unlink()


def without_metadata(site):
    (site / "torch-2.12.0+cpu.dist-info" / "METADATA").unlink()


DAMAGES = {without_folder: "torch is missing",
           without_registration: "nnunetv2 is only half installed (it is not registered)",
           with_leftover: "~orch", with_second_leftover: "~-rch-2.11.0.dist-info", registered_twice: "several versions",
           without_library: "torch/lib is missing", without_record: "RECORD is missing",
           without_metadata: "METADATA is missing"}


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
    problems = packages.preflight(site_packages=site, disk_usage=lambda folder: Usage(10**12, 0, 10**9))
    assert len(problems) == 1 and problems[0].fatal
    assert "1.0 GB are free" in problems[0].text and str(site) in problems[0].text
    assert packages.preflight(5 * 10**8, site, disk_usage=lambda folder: Usage(10**12, 0, 10**9)) == []


def test_nothing_is_asked_or_installed_on_a_full_disk(site):
    with pytest.raises(packages.PackageError, match="free some space"):
        packages.install(confirm=never, site_packages=site, pip=never, disk_usage=lambda folder: Usage(1, 1, 0))


def test_folder_that_cannot_be_written_is_told(tmp_path):
    # Root may write everywhere, so the folder is one that is not there.
    told = texts(packages.preflight(0, tmp_path / "absent", plenty), fatal=True)
    assert "cannot be written" in told[0] and str(tmp_path / "absent") in told[0]


def test_slicer_with_an_old_simpleitk_is_told(site):
    packages.shutil.rmtree(site / "SimpleITK-2.5.0.dist-info")
    put(site, "SimpleITK", "2.2.1")
    assert "newer Slicer" in texts(packages.preflight(site_packages=site, disk_usage=plenty), fatal=True)[0]


@pytest.fixture
def windows(monkeypatch):
    """Windows' registry with long paths off; call it to turn them on."""
    registry = types.ModuleType("winreg")
    registry.value = 0
    registry.HKEY_LOCAL_MACHINE = object()
    registry.OpenKey = lambda root, path: open(packages.REQUIREMENTS)
    registry.QueryValueEx = lambda key, name: (registry.value, 4)
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(packages, "_on_windows", lambda: True)
    return lambda: setattr(registry, "value", 1)


def deep(tmp_path, length):
    folder = tmp_path / ("d" * (length - len(str(tmp_path)) - 1))
    for name, version in SLICERS_OWN.items():
        put(folder, name, version)
    assert len(str(folder)) == length
    return folder


def test_too_long_a_path_for_any_torch_is_fatal_until_long_paths_are_on(tmp_path, windows, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert texts(packages.preflight(0, deep(tmp_path, 139), plenty), fatal=True) == []
    folder = deep(tmp_path, 140)
    assert "too long for torch;" in texts(packages.preflight(0, folder, plenty), fatal=True)[0]
    windows()
    assert packages.preflight(0, folder, plenty) == []


def test_path_too_long_for_torch_213_gets_an_older_torch(tmp_path, windows, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    folder = deep(tmp_path, 120)
    asked, calls = [], []
    with pytest.raises(packages.PackageError, match="is not complete. .*torch>=2.10"):
        packages.install(confirm=lambda text, title: asked.append(text) or True, site_packages=folder, pip=calls.append,
                         disk_usage=plenty)
    assert packages.Requirement(calls[0][0]).specifier == packages.Requirement("torch>=2.10,<2.13").specifier
    assert "An older torch is taken" in asked[0]


def test_loaded_torch_is_told_on_windows(site, windows, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    assert any("restart Slicer" in text for text in texts(packages.preflight(0, site, plenty), fatal=True))


# The question


def test_question_names_packages_sizes_place_and_that_nothing_is_sent(site, monkeypatch):
    monkeypatch.setattr(packages.sys, "platform", "darwin")
    text = packages.consent_text(packages.missing(site), site)
    assert "torch>=2.10: runs the neural network" in text and "nnunetv2>=2.5: " in text
    assert "About 0.6 GB are downloaded" in text and "about 2.1 GB" in text and str(site) in text
    assert "No image and no other data of yours is sent" in text


def test_linux_without_the_pytorch_extension_gets_the_large_torch(site, monkeypatch, slicer_with):
    monkeypatch.setattr(packages.sys, "platform", "linux")
    monkeypatch.setattr(packages.shutil, "which", lambda name: None)
    slicer_with()
    assert "about 6.6 GB" in packages.consent_text(packages.missing(site), site)
    slicer_with(extension=object())
    assert "about 2.1 GB" in packages.consent_text(packages.missing(site), site)


def test_declining_changes_nothing(site):
    before = sorted(site.rglob("*"))
    with pytest.raises(packages.Declined, match="declined"):
        packages.install(confirm=lambda text, title: False, site_packages=site, pip=never, disk_usage=plenty)
    assert sorted(site.rglob("*")) == before


def test_default_question_is_slicers_dialogue_with_details(site, slicer_with):
    shown = []
    slicer_with(confirm=lambda text, title, **more: shown.append((text, title, more)))
    with pytest.raises(packages.Declined):
        packages.install(site_packages=site, pip=never, disk_usage=plenty)
    (text, title, more), = shown
    assert "torch" in text and "CTADeface" in title and "nnunetv2>=2.5" in more["detailedText"]


def test_slicers_self_tests_install_nothing(site, slicer_with):
    slicer_with(testing=True, confirm=lambda *a, **k: True)
    with pytest.raises(packages.Declined):
        packages.install(site_packages=site, disk_usage=plenty)


# Installing


def test_nothing_to_do_when_ready(full):
    assert packages.install(confirm=never, site_packages=full, pip=never).ready


def test_offline_installation_by_the_real_pip(site, wheel_folder):
    calls, asked = [], []
    now = packages.install(wheel_folder, lambda text, title: asked.append(text) or True, site_packages=site,
                           pip=real_pip(site, calls), disk_usage=plenty)
    assert now.ready and now.versions["torch"] == "2.12.0"
    assert (site / "acvl_utils" / "__init__.py").is_file()
    assert "Nothing is downloaded" in asked[0] and len(asked) == 1
    assert [arguments[0] for arguments, _pins in calls] == ["torch>=2.10", "nnunetv2>=2.5"]
    assert all(arguments[1:4] == ["--no-index", "--find-links", str(wheel_folder)] for arguments, _pins in calls)
    kept = {"SimpleITK==2.5.0", "requests==2.32.0", "numpy==2.1.0"}
    assert set(calls[0][1]) == kept and set(calls[1][1]) == kept | {"torch==2.12.0"}


def test_offline_uses_slicers_pip_and_not_the_extension(site, wheel_folder, slicer_with):
    slicer_with(pip_install=real_pip(site), pip_ensure=never, extension=types.SimpleNamespace(installTorch=never))
    assert packages.install(str(wheel_folder), yes, site_packages=site, disk_usage=plenty).ready


@pytest.mark.parametrize("spoil", [
    lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").unlink(),
    lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").rename(folder / "torch-2.8.0-py3-none-any.whl"),
    lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").rename(folder / "torch-2.12.0-cp27-none-win32.whl"),
    lambda folder: (folder / "torch-2.12.0-py3-none-any.whl").rename(folder / "torch.whl"),
], ids=["absent", "too old", "another platform", "no wheel's name"])
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
        seen["rest"] = (requirements, open(constraints).read().split(), options)
        put(site, "nnunetv2", "2.6.0")

    slicer_with(pip_ensure=pip_ensure, extension=types.SimpleNamespace(installTorch=install_torch))
    assert packages.install(confirm=yes, site_packages=site, disk_usage=plenty).ready
    assert seen["torch"] == {"askConfirmation": False, "torchVersionRequirement": ">=2.10"}
    requirements, pins, options = seen["rest"]
    assert requirements == ["nnunetv2>=2.5"] and "torch==2.12.0" in pins and "numpy==2.1.0" in pins
    assert options == {"skip_packages": ["SimpleITK", "torch", "requests"], "prompt_install": False,
                       "requester": "CTADeface"}


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
    with pytest.raises(packages.PackageError, match="depends on SimpleITK>=3\nThe user requested .* simpleitk==2.5.0"):
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


@pytest.mark.parametrize("said, told", [("ERROR: No matching distribution", "failed: ERROR: No matching"),
                                        ("", "missing: acvl-utils")])
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
    now = packages.repair(wheel_folder, lambda text, title: asked.append(text) or True, site_packages=full,
                          pip=real_pip(full), disk_usage=plenty)
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
    with pytest.raises(packages.Declined):
        packages.repair(confirm=lambda text, title: False, site_packages=full, pip=never, disk_usage=plenty)
    (wheel_folder / "torch-2.12.0-py3-none-any.whl").unlink()
    with pytest.raises(packages.PackageError, match="has no wheel"):
        packages.repair(wheel_folder, never, site_packages=full, pip=never, disk_usage=plenty)
    assert sorted(full.rglob("*")) == before


def test_file_in_use_is_told(full, monkeypatch):
    without_library(full)

    def in_use(path):
        raise PermissionError(13, "The file is in use")

    monkeypatch.setattr(packages.shutil, "rmtree", in_use)
    with pytest.raises(packages.PackageError, match="cannot be removed .The file is in use.; restart Slicer"):
        packages.repair(confirm=yes, site_packages=full, pip=never, disk_usage=plenty)


def test_repair_of_nothing_broken_installs(site, wheel_folder):
    assert packages.repair(wheel_folder, yes, site_packages=site, pip=real_pip(site), disk_usage=plenty).ready


def test_reading_the_module_needs_no_slicer_and_loads_nothing_heavy():
    code = ("import sys; sys.modules['slicer'] = None; from CTADefaceLib.slicer_module import packages; "
            "print(sorted({'torch', 'nnunetv2', 'numpy', 'vtk'} & set(sys.modules)))")
    folder = packages.REQUIREMENTS.parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.stdout.strip() == "[]", done.stderr

"""``setup.sh`` for the demo and for the tests: what each installs, and that one does not undo the other.

The script is the real one; Python, pip and apt-get are stand-ins that write down how they were called.
"""

import os
import shutil
import subprocess
import tomllib

import pytest

from helpers.paths import ROOT

NOTE = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n'
# As "python3 -m venv FOLDER", which also makes FOLDER/bin/pip.
VENV = NOTE + 'mkdir -p "$3/bin"; cp "$(dirname "$0")/pip" "$3/bin/pip"\n'
# Nothing is installed yet; root may install it.
STANDINS = {
    "python3": VENV,
    "pip": NOTE,
    "apt-get": NOTE,
    "dpkg": "#!/bin/sh\nexit 1\n",
    "id": "#!/bin/sh\necho 0\n",
    "uname": "#!/bin/sh\necho Linux\n",
    "systemctl": NOTE,
    "service": NOTE,
}
FOR_TESTS_ALONE = ("[test]", "dcmtk", "dcm2niix", "dicom3tools", "orthanc", "xkb", "caideface")

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to run the scripts")


@pytest.fixture
def repository(tmp_path):
    """A folder with what the script reads of the repository, and the stand-ins."""
    (tmp_path / "Testing").mkdir()
    for name in ("pyproject.toml", "Testing/setup.sh", "Testing/constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "standins").mkdir()
    for name, text in STANDINS.items():
        (tmp_path / "standins" / name).write_text(text)
        (tmp_path / "standins" / name).chmod(0o755)
    return tmp_path


def set_up(repository, *purpose):
    """What the script called: lines of pip and of apt-get."""
    calls = repository / "calls"
    calls.write_text("")
    environment = {name: value for name, value in os.environ.items() if name not in ("CTADEFACE_VENV", "PYTHON")}
    environment |= {"PATH": f"{repository / 'standins'}:{os.environ['PATH']}", "CALLS": str(calls)}
    done = subprocess.run(
        ["bash", str(repository / "Testing" / "setup.sh"), *purpose], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{repository / '.venv'}\n"
    lines = calls.read_text().splitlines()
    return [line for line in lines if line.startswith("pip")], [line for line in lines if line.startswith("apt-get install")]


def test_the_demo_gets_what_it_needs_and_no_more(repository):
    pip, apt = set_up(repository, "demo")
    assert any(line.endswith(f"-e {repository}[picture,fast]") for line in pip)
    assert pip[0].endswith("torch --index-url https://download.pytorch.org/whl/cpu")
    assert len(apt) == 1 and "libegl1" in apt[0]
    assert not [word for word in FOR_TESTS_ALONE for line in (*pip, *apt) if word in line]
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert ours["picture"] == ["vtk>=9.3"] and ours["fast"] == ["isal"]


def test_the_tests_get_all(repository):
    pip, apt = set_up(repository)
    assert all(any(word in line for line in (*pip, *apt)) for word in FOR_TESTS_ALONE)


def test_the_archive_of_the_tests_does_not_go_on_listening(repository):
    set_up(repository)
    assert "systemctl disable --now orthanc" in (repository / "calls").read_text()
    # One that was there before is somebody's.
    (repository / "standins" / "dpkg").write_text('#!/bin/sh\n[ "$*" = "-s orthanc" ]\n')
    set_up(repository)
    assert "dicom3tools" in (repository / "calls").read_text()
    assert "systemctl" not in (repository / "calls").read_text()


@pytest.mark.parametrize("order", [("demo", "test"), ("test", "demo")])
def test_demo_and_tests_share_an_environment(repository, order):
    installed = [bool(set_up(repository, purpose)[0]) for purpose in (*order, *order, "demo", "test")]
    # What the tests have serves the demo too.
    assert installed == [True, order[1] == "test", False, False, False, False]


def test_another_version_of_the_requirements_is_installed_anew(repository):
    for purpose in ("demo", "test"):
        set_up(repository, purpose)
    before = (repository / "pyproject.toml").read_text()
    for text in (before + "\n", before):
        (repository / "pyproject.toml").write_text(text)
        assert set_up(repository, "test")[0] and not set_up(repository, "demo")[0]


def test_an_unfinished_installation_is_done_again(repository):
    set_up(repository, "demo")
    pip = repository / ".venv" / "bin" / "pip"
    pip.unlink()
    (repository / "standins" / "pip").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(AssertionError):
        set_up(repository, "test")
    (repository / "standins" / "pip").write_text(NOTE)
    assert set_up(repository, "demo")[0] and set_up(repository, "test")[0]


def test_libraries_that_cannot_be_installed_end_it_once_pip_is_done_too(repository):
    (repository / "standins" / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(AssertionError):
        set_up(repository, "demo")
    assert "[picture,fast]" in (repository / "calls").read_text()


def test_an_unknown_purpose_is_refused(repository):
    done = subprocess.run(["bash", str(repository / "Testing" / "setup.sh"), "demos"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "demos: give demo or test\n"

"""What is shipped: requirements, engine free of Slicer and Qt; the wheel has ``test_distribution.py``."""

import ast
import re
import shlex
import subprocess
import tomllib

import pytest

from CTADefaceLib.extras import EXTRAS, how_to_install
from helpers.paths import ENGINE, RESOURCES, ROOT, TESTING

LIBRARY = ENGINE / "CTADefaceLib"


def test_requirements_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (RESOURCES / "requirements.txt").read_text().split() == project["dependencies"]
    for_dicom = (RESOURCES / "requirements-dicom.txt").read_text().split()
    assert for_dicom == project["optional-dependencies"]["dicom"]
    for_seg = (RESOURCES / "requirements-seg.txt").read_text().split()
    assert ["cta-deface[dicom]", *for_seg] == project["optional-dependencies"]["seg"]
    for_send = (RESOURCES / "requirements-send.txt").read_text().split()
    assert ["cta-deface[dicom]", *for_send] == project["optional-dependencies"]["send"]


def test_messages_name_the_packages_of_the_extras_and_need_no_index_that_has_ours():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    def flat(name):
        for text in wanted[name]:
            inner = re.fullmatch(r"cta-deface\[(\w+)\]", text)
            yield from flat(inner[1]) if inner else [text]

    assert {name: list(EXTRAS[name]) for name in EXTRAS} == {name: list(flat(name)) for name in EXTRAS}
    for name in EXTRAS:
        assert shlex.split(how_to_install(name)) == ["pip", "install", *EXTRAS[name]]
    said = [
        path for path in LIBRARY.rglob("*.py") if re.search(r"pip install '?\"?cta-deface", path.read_text(encoding="utf-8"))
    ]
    assert said == []


@pytest.mark.parametrize(
    "path",
    sorted(p for p in LIBRARY.rglob("*.py") if "slicer_module" not in p.parts),
    ids=lambda p: str(p.relative_to(LIBRARY)),
)
def test_the_engine_never_imports_slicer_or_qt(path):
    source = path.read_text(encoding="utf-8")
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {
        node.module.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    assert not imported & {"slicer", "qt", "ctk", "PySide6", "PythonQt"}
    assert "torchvision" not in imported


def test_files_are_small():
    code = [*ENGINE.rglob("*.py"), *TESTING.rglob("*.py")]
    assert not [path.name for path in code if path.read_text(encoding="utf-8").count("\n") > 400]


def test_no_tracked_file_is_a_scan_or_has_windows_line_ends():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, nothing is tracked")
    listed = subprocess.run(["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True).stdout
    assert "i/crlf" not in listed and "i/mixed" not in listed
    scans = (".nii", ".nii.gz", ".nrrd", ".mha", ".dcm", ".inv3")
    assert not [line for line in listed.splitlines() if line.endswith(scans)]

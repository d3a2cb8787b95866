"""What is shipped: requirements, wheel, engine free of Slicer and Qt."""

import ast
import subprocess
import sys
import tomllib
import zipfile

import pytest

from helpers.paths import ENGINE, RESOURCES, ROOT

LIBRARY = ENGINE / "CTADefaceLib"


def test_requirements_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (RESOURCES / "requirements.txt").read_text().split() == project["dependencies"]
    for_dicom = (RESOURCES / "requirements-dicom.txt").read_text().split()
    assert for_dicom == project["optional-dependencies"]["dicom"]


@pytest.mark.parametrize(
    "path",
    sorted(p for p in LIBRARY.rglob("*.py") if "slicer_module" not in p.parts),
    ids=lambda p: str(p.relative_to(LIBRARY)),
)
def test_engine_files_are_small_and_never_import_slicer_or_qt(path):
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= 400
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


def test_wheel_brings_engine_model_and_command(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert any(n.startswith("CTADefaceLib/Model/") and n.endswith("checkpoint_final.pth") for n in names)
    code = "from CTADefaceLib.models.store import find_model as f; i = f(); print(i.origin, i.folder)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
    ).stdout
    assert found.startswith("bundled") and str(tmp_path / "site") in found
    entry = next(n for n in names if n.endswith("entry_points.txt"))
    assert "cta-deface = CTADefaceLib.cli.main:command" in (tmp_path / "site" / entry).read_text()


def test_no_tracked_file_is_a_scan_or_has_windows_line_ends():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, nothing is tracked")
    listed = subprocess.run(["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True).stdout
    assert "i/crlf" not in listed and "i/mixed" not in listed
    scans = (".nii", ".nii.gz", ".nrrd", ".mha", ".dcm", ".inv3")
    assert not [line for line in listed.splitlines() if line.endswith(scans)]

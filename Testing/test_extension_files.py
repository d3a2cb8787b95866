"""What the build and the Extensions Index read: CMake's lists, the .ui file, icons, the index entry."""

import ast
import json
import re
import struct
import subprocess
from xml.etree import ElementTree

import pytest

from helpers.paths import ENGINE, ROOT


def listed(variable):
    """Files that CTADeface/CMakeLists.txt names in ``variable``."""
    text = (ENGINE / "CMakeLists.txt").read_text()
    names = re.search(rf"set\({variable}\s(.*?)\)", text, re.DOTALL)[1].split()
    return [name.replace("${MODULE_NAME}", "CTADeface") for name in names]


def tracked():
    result = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if result.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in result.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_every_file_of_the_module_is_listed_once_and_exists():
    scripts, resources = listed("MODULE_PYTHON_SCRIPTS"), listed("MODULE_PYTHON_RESOURCES")
    python = {path.relative_to(ENGINE).as_posix() for path in ENGINE.rglob("*.py")}
    # Only in the wheel: the panel neither trains nor validates nor receives, it only collects training cases.
    wheel_only = re.compile("CTADefaceLib/(validation/.*|node/.*|training/(?!__init__|collect).*)[.]py")
    python = {name for name in python if not wheel_only.fullmatch(name)}
    read = {path.relative_to(ENGINE).as_posix() for path in (ENGINE / "Resources").rglob("*") if path.is_file()}
    assert sorted(scripts) == sorted(python)
    assert sorted(resources) == sorted(read)


def test_every_module_that_the_library_imports_from_itself_is_there():
    for path in ENGINE.rglob("*.py"):
        package = path.relative_to(ENGINE).with_suffix("").parts[:-1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("CTADefaceLib")):
                base = package[: len(package) - node.level + 1] if node.level else ()
                target = ENGINE.joinpath(*base, *(node.module or "").split(".") if node.module else ())
                assert target.with_suffix(".py").is_file() or target.is_dir(), f"{path}: {ast.unparse(node)}"


def test_engine_does_not_import_the_slicer_layer():
    layer = ENGINE / "CTADefaceLib" / "slicer_module"
    for path in ENGINE.joinpath("CTADefaceLib").rglob("*.py"):
        if layer not in path.parents:
            assert not re.search(
                r"^\s*(import|from) (slicer|qt|ctk|vtkSlicer|.*\bslicer_module)\b", path.read_text(), re.MULTILINE
            ), path


def test_nothing_of_the_tests_is_imported_by_the_product():
    for path in ENGINE.rglob("*.py"):
        assert not re.search(
            r"^\s*(import|from) (Testing|helpers|slicer_host|PySide6|shiboken6)\b", path.read_text(), re.MULTILINE
        ), path


def test_widgets_that_the_code_names_are_in_the_ui_files():
    trees = map(ElementTree.parse, (ENGINE / "Resources" / "UI").glob("*.ui"))
    names = [element.get("name") for tree in trees for element in tree.iter("widget")]
    assert len(names) == len(set(names))
    used = set()
    for path in (ENGINE / "CTADefaceLib" / "slicer_module").rglob("*.py"):
        used |= set(re.findall(r"\bui\.(\w+)", path.read_text()))
    used -= {"replace"}
    assert len(used) > 20 and used <= set(names)


def test_parameters_in_the_ui_file_exist():
    form = ElementTree.parse(ENGINE / "Resources" / "UI" / "CTADeface.ui")
    from_ui = {element.findtext("string") for element in form.iter("property") if element.get("name") == "SlicerParameterName"}
    text = (ENGINE / "CTADefaceLib" / "slicer_module" / "panel" / "parameters.py").read_text()
    fields = set(re.findall(r"^    (\w+): ", text, re.MULTILINE))
    assert from_ui and from_ui <= fields


@pytest.mark.parametrize("path", ["Resources/CTADeface.png", "CTADeface/Resources/Icons/CTADeface.png"])
def test_icons_are_128_by_128(path):
    header = (ROOT / path).read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (128, 128)


def test_index_entry_has_what_schema_1_0_2_wants():
    entry = json.loads((ROOT / "Resources" / "CTADeface.json").read_text())
    known = {
        "$schema",
        "category",
        "scm_url",
        "scm_revision",
        "scm_type",
        "build_dependencies",
        "dicom_support_rule",
        "build_subdirectory",
        "enabled",
        "tier",
    }
    assert {"$schema", "category", "scm_url"} <= set(entry) <= known
    assert "schema-v1.0.2" in entry["$schema"] and entry["tier"] in range(1, 6)
    depends = re.search(r'EXTENSION_DEPENDS "(.*?)"', (ROOT / "CMakeLists.txt").read_text())[1]
    assert entry["build_dependencies"] == depends.split()


def test_the_extension_manager_finds_it_by_what_people_search_for():
    keywords = re.search(r"EXTENSION_KEYWORDS (.*?)\)", (ROOT / "CMakeLists.txt").read_text())[1].split()
    assert {"CT", "CTA", "defacing", "anonymization", "DICOM"} <= set(keywords)


def test_pictures_that_cmake_shows_exist():
    text = (ROOT / "CMakeLists.txt").read_text()
    names = re.findall(r"/main/(Resources/\S+?\.png)", text)
    assert len(names) >= 3 and all((ROOT / name).is_file() for name in names)


def test_text_files_end_their_lines_with_lf_and_the_clone_is_small():
    files = tracked()
    for path in files:
        if path.suffix in {".py", ".txt", ".md", ".json", ".ui", ".toml", ".sh", ""}:
            assert b"\r\n" not in path.read_bytes(), path
    # What a clone receives: the size of .git itself depends on how often this copy was fetched, and packs repeat objects.
    objects = subprocess.run(
        ["git", "rev-list", "--disk-usage", "--objects", "HEAD"], cwd=ROOT, capture_output=True, check=True
    )
    assert sum(path.stat().st_size for path in files) + int(objects.stdout) < 100e6

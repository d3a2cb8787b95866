"""Every text that a user of the Slicer module meets can be translated, and the German translation is whole.

The engine's own sentences (what a check saw, its errors) are English: they also stand in records and in the shell.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from CTADefaceLib.checks.check import TITLES
from helpers import translations
from helpers.paths import ENGINE

# What shows a text: attributes of widgets, functions and methods, and the errors that the module raises.
ATTRIBUTES = {"text", "toolTip", "placeholderText", "title", "windowTitle", "accessibleName"}
SHOWING = {
    "setText",
    "setToolTip",
    "addItem",
    "setHorizontalHeaderLabels",
    "QTableWidgetItem",
    "errorDisplay",
    "warningDisplay",
    "infoDisplay",
    "confirmOkCancelDisplay",
    "confirmYesNoDisplay",
    "getExistingDirectory",
    "getOpenFileName",
    "getSaveFileName",
    "log",
    "switch",
}
ERRORS = {"InputError", "MaskError", "PackageError", "Declined", "Cancelled", "RuntimeError"}
PLACEHOLDER = re.compile(r"(?<!\{)\{[^{}]+\}(?!\})")


def words(node):
    """Texts of two and more words below a node of a syntax tree that do not pass ``_`` or ``translate``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "translate"):
        return
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"[a-z]\W* \W*[a-z]|^[A-Z][a-z]+$", node.value)
    ):
        yield node.value
    for child in ast.iter_child_nodes(node):
        # The module's name stays what it is.
        if not (isinstance(child, ast.keyword) and child.arg == "windowTitle"):
            yield from words(child)


def shown(tree):
    """Parts of a syntax tree that become visible."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Attribute) and t.attr in ATTRIBUTES for t in node.targets):
            yield node.value
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            if name in SHOWING | ERRORS:
                yield from node.args


def untranslatable(code):
    return [text for part in shown(ast.parse(code)) for text in words(part)]


@pytest.mark.parametrize("path", translations.code_files(), ids=lambda path: path.stem)
def test_a_text_that_is_shown_passes_the_translation(path):
    assert untranslatable(path.read_text(encoding="utf-8")) == []


def test_a_text_that_does_not_pass_would_be_seen():
    assert untranslatable('button.toolTip = "Do it now."') == ["Do it now."]
    assert untranslatable('raise InputError(f"{name}: is no volume.")') == [": is no volume."]
    assert untranslatable('switch(button, why, _("Fine.") if x else "Not fine, this.")') == ["Not fine, this."]
    assert untranslatable('panel.log(_("{name} is here.").format(name=name))') == []


@pytest.mark.parametrize("path", translations.code_files(), ids=lambda path: path.stem)
def test_slicers_tool_finds_every_text_that_the_code_translates(path):
    """It replaces ``_("...")`` by a pattern, which a variable or a nested quotation mark escapes."""
    calls = translations.calls(path)
    assert all(isinstance(call.args[0], ast.Constant) for call in calls)
    found = [c for c in ast.walk(ast.parse(translations.patched(path))) if isinstance(c, ast.Call)]
    names = [call.args[1].value for call in found if isinstance(call.func, ast.Name) and call.func.id == "translate"]
    assert sorted(names) == sorted(
        [c.args[0].value for c in calls] + [c.args[1].value for c in translations.calls(path, "translate")]
    )


def test_the_german_translation_is_whole_and_nothing_else_is_in_it():
    wanted, german = translations.code_texts() | translations.ui_texts(), translations.translated()
    assert len(wanted) > 250
    assert sorted(wanted - set(german)) == [] and sorted(set(german) - wanted) == []
    for (_context, source), text in german.items():
        assert text.strip()
        # Slicer throws away a translation whose placeholders differ.
        assert set(PLACEHOLDER.findall(source)) == set(PLACEHOLDER.findall(text)), source
        assert source.endswith("...") == text.endswith("..."), source


def test_every_check_has_a_name_that_can_be_translated():
    code = (ENGINE / "CTADefaceLib" / "slicer_module" / "panel" / "check_titles.py").read_text(encoding="utf-8")
    pairs = dict(re.findall(r'^    "(\w+)": _\("(.+)"\),$', code, re.MULTILINE))
    assert pairs == TITLES


def test_qt_reads_the_translation(tmp_path):
    release = shutil.which("pyside6-lrelease", path=str(Path(sys.executable).parent))
    assert release, "PySide6-Essentials brings lrelease."
    compiled = tmp_path / "CTADeface_de-DE.qm"
    subprocess.run([release, str(translations.GERMAN), "-qm", str(compiled)], check=True, capture_output=True)
    # In a process of its own: the stand-in for Slicer must be the first that touches PySide6.
    code = (
        "import sys; from PySide6.QtCore import QTranslator; t = QTranslator(); assert t.load(sys.argv[1])\n"
        "for context, source in zip(sys.argv[2::2], sys.argv[3::2]): print(t.translate(context, source))"
    )
    asked = ("CTADeface", "4. Checks", "panel.case_steps", "The mask is empty: draw the face.")
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    said = subprocess.run(
        [sys.executable, "-c", code, str(compiled), *asked], check=True, capture_output=True, encoding="utf-8", env=environment
    ).stdout.splitlines()
    assert said[0] == "4. Prüfungen" and said[1].startswith("Die Maske ist leer")

"""The texts of the Slicer module that a translator sees, as Slicer's own tools find them (update_translations.py, lupdate)."""

import ast
import re
from xml.etree import ElementTree

from .paths import ENGINE

UI_FILES = sorted((ENGINE / "Resources" / "UI").glob("*.ui"))
GERMAN = ENGINE / "Resources" / "Translations" / "CTADeface_de-DE.ts"


def code_files():
    """The module file, and the files of the library that talk to Slicer."""
    return [ENGINE / "CTADeface.py", *sorted((ENGINE / "CTADefaceLib" / "slicer_module").rglob("*.py"))]


def context(path):
    """The name under which ``slicer.i18n.tr`` looks up the texts of a Python file."""
    return f"{path.parent.name}.{path.stem}" if (path.parent / "__init__.py").exists() else path.stem


def calls(path, name="_"):
    """Calls of the function ``name`` in a Python file, as nodes of its syntax tree."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name]


def code_texts():
    """(context, text) of every text in the code that passes ``_`` or ``translate``."""
    found = set()
    for path in code_files():
        found |= {(context(path), call.args[0].value) for call in calls(path)}
        found |= {(call.args[0].value, call.args[1].value) for call in calls(path, "translate")}
    return found


def ui_texts():
    """(context, text) of every text of the .ui files that may be translated."""
    found = set()
    for tree in map(ElementTree.parse, UI_FILES):
        strings = [e for parent in tree.iter() if parent.get("notr") != "true" for e in parent.findall("string")]
        texts = [e.text for e in strings if e.get("notr") != "true" and (e.text or "").strip()]
        found |= {(tree.findtext("class"), text) for text in texts}
    return found


def patched(path):
    """A Python file as Slicer's update_translations.py hands it to lupdate: _("text") is translate("context", "text")."""
    code = path.read_text(encoding="utf-8")
    for quote in ('"', "'"):
        call = rf"([^_])_\((\s*?{quote}.+?{quote}\s*?)\)"
        code = re.sub(call, rf'\1translate("{context(path)}", \2)', code, flags=re.DOTALL)
    return code


def translated():
    """(context, text) -> its German translation, of those that are finished."""
    found = {}
    for part in ElementTree.parse(GERMAN).iter("context"):
        for message in part.iter("message"):
            translation = message.find("translation")
            if translation.get("type") is None:
                found[part.findtext("name"), message.findtext("source")] = translation.text or ""
    return found

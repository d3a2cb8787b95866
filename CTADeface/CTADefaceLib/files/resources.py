"""Where a file or folder of ``Resources`` lies: beside the library in the module, inside it in the wheel."""

from pathlib import Path


def resource(name):
    """Path of the file or folder ``name``, whether or not it is there."""
    library = Path(__file__).resolve().parents[1]
    in_module = library.parent / "Resources" / name
    return in_module if in_module.exists() else library / name

"""Commands whose rooms are in the wheel only, and not in Slicer's extension."""

from __future__ import annotations

import importlib.util

from ..errors import MissingPackages


def require_room(room: str, command: str) -> None:
    """Raise when a part of the library is not there: Slicer's extension comes without training and validation."""
    if importlib.util.find_spec(f"{__package__.rpartition('.')[0]}.{room}") is None:
        raise MissingPackages(
            f"cta-deface {command}: is not part of the Slicer extension; in a clone of the repository run: pip install ."
        )

"""The one file that every BIDS dataset has, and what it tells."""

from __future__ import annotations

import json
from pathlib import Path

DESCRIPTION = "dataset_description.json"


def is_bids(folder: str | Path) -> bool:
    """Is the folder the root of a BIDS dataset?"""
    try:
        return "BIDSVersion" in json.loads((Path(folder) / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def dataset_around(folder: Path) -> Path | None:
    """The outermost BIDS dataset that the resolved ``folder``, which need not exist, is or lies in; None where none is."""
    return next((place for place in reversed((folder, *folder.parents)) if is_bids(place)), None)

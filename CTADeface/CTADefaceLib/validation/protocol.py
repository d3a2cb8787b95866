"""The protocol, which is fixed before a run: views, sizes, thresholds, methods. Default: ``Resources/validation.json``.

``face_width_mm`` and ``face_offset_mm`` filter boxes as ``identity.views`` does; ``crop_mm`` is the square around the
face's centre that the gallery compares; ``published_view`` is the anterior view of the paper; ``tissue_hu`` bounds
what counts when a mask that reaches into air is compared with the reference.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.resources import resource
from ..rendering.camera import View
from .methods import METHODS

FILE = "validation.json"


@dataclass(frozen=True)
class Protocol:
    """The fields of the JSON file; lists become tuples."""

    name: str
    version: int
    methods: tuple[str, ...]
    pitches_deg: tuple[float, ...]
    yaws_deg: tuple[float, ...]
    published_view: str
    size_pixels: int
    smoothing_pixels: float
    face_width_mm: tuple[float, float]
    face_offset_mm: float
    crop_mm: float
    tissue_hu: float
    surface_tolerance_mm: float
    attack_seed: int
    alpha: float
    montage_heads: int

    @property
    def views(self) -> tuple[View, ...]:
        """All ``View``s, yaw by yaw within pitch."""
        return tuple(View(f"pitch {pitch:g} yaw {yaw:g}", pitch, yaw) for pitch in self.pitches_deg for yaw in self.yaws_deg)

    @property
    def published_index(self) -> int:
        """Index of ``published_view`` in ``views``."""
        return [view.name for view in self.views].index(self.published_view)

    @property
    def neighbours(self) -> list[tuple[int, int]]:
        """Pairs of indices of different views of one pitch, both ways."""
        views = self.views
        return [
            (a, b)
            for a, one in enumerate(views)
            for b, other in enumerate(views)
            if one.pitch_deg == other.pitch_deg and a != b
        ]

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return asdict(self)

    def digest(self) -> str:
        """SHA-256 of what the protocol says."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def read_protocol(path: str | Path | None = None) -> Protocol:
    """``Protocol`` of a JSON file (None: the one that comes with the module).

    Raises: InputError that names what is wrong.
    """
    path = Path(path or resource(FILE))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
        protocol = Protocol(**values)
        unknown = [name for name in protocol.methods if name not in METHODS]
        views = [view.name for view in protocol.views]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a protocol file.") from None
    except (ValueError, TypeError, AttributeError) as error:
        names = ", ".join(field.name for field in fields(Protocol))
        raise InputError(f"{path}: is no protocol ({error}); it has the fields {names}.") from None
    if unknown or not protocol.methods:
        raise InputError(f"{path}: unknown methods {unknown}; choose from {', '.join(METHODS)}.")
    if protocol.published_view not in views:
        raise InputError(f"{path}: published_view {protocol.published_view!r} is none of its views.")
    return protocol

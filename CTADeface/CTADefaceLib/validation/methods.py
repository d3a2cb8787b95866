"""The compared methods: the source of the mask, and the fill.

``box`` and ``atlas`` reach to the edge of the image in front of the face, so that the published fill levels the air
there too: the levelled fill would add nothing that belongs to these methods.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from ..errors import NoFaceError

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk

    from ..voxels.volume import Volume

T = TypeVar("T")

ORIGINAL = "original"
METHODS = {
    f"{source}-{fill}": (source, fill)
    for source, fill in (
        ("reference", "published"),
        ("reference", "levelled"),
        ("ours", "published"),
        ("ours", "levelled"),
        ("box", "published"),
        ("atlas", "published"),
    )
}
TITLES = {
    ORIGINAL: "Original",
    "reference-published": "Reference mask, published fill",
    "reference-levelled": "Reference mask, levelled fill",
    "ours-published": "CTADeface mask, published fill",
    "ours-levelled": "CTADeface mask, levelled fill",
    "box-published": "Box over mouth and nose (after ICHSEG)",
    "atlas-published": "Atlas mask (caideface)",
}


@dataclass(frozen=True)
class Made:
    """A method's mask, bool (k, j, i), and its cost: wall time and processor time of all cores, in s, None where the mask
    was given.
    """

    mask: np.ndarray
    seconds: float | None = None
    cpu_seconds: float | None = None


class Masks:
    """The masks of one head, each made when it is first asked for."""

    def __init__(self, volume: Volume, reference: np.ndarray, model: str | None = None) -> None:
        self._volume, self._model = volume, model
        self._made = {"reference": Made(reference)}
        self._makers = {"ours": self._ours, "box": self._box, "atlas": self._atlas}

    def make(self, source: str) -> Made:
        """The mask of one ``source``. Raises: ``InputError`` or ``NoFaceError`` where the method finds nothing."""
        if source not in self._made:
            self._made[source] = self._makers[source]()
        return self._made[source]

    def _ours(self) -> Made:
        from ..face.mask import face_mask
        from ..network.host import NetworksHere
        from ..network.model_run import ModelRun

        networks = NetworksHere()
        networks.network(self._model)  # before the clock starts, as for every head but a user's first
        mask, seconds, cpu_seconds = _timed(lambda: face_mask(self._volume, networks, ModelRun(self._model)))
        if not mask.any():
            raise NoFaceError(f"{self._volume.name}: no face found in view.")
        return Made(mask, seconds, cpu_seconds)

    @cached_property
    def _registered(self) -> tuple[sitk.Transform, float, float]:
        """(the transform from scan to atlas, wall time, processor time), which both baselines need."""
        from .atlas_method import load_atlas, register

        load_atlas()
        return _timed(lambda: register(self._volume))

    def _warped(self, function: Callable[[Volume, sitk.Transform], np.ndarray]) -> Made:
        transform, seconds, cpu_seconds = self._registered
        mask, more, more_cpu = _timed(lambda: function(self._volume, transform))
        return Made(mask, seconds + more, cpu_seconds + more_cpu)

    def _box(self) -> Made:
        from .box import box_mask

        return self._warped(box_mask)

    def _atlas(self) -> Made:
        from .atlas_method import atlas_mask

        return self._warped(atlas_mask)


def _timed(function: Callable[[], T]) -> tuple[T, float, float]:
    """(what ``function`` returns, wall time, processor time), in s."""
    wall, cpu = time.monotonic(), time.process_time()
    made = function()
    return made, time.monotonic() - wall, time.process_time() - cpu

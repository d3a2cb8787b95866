"""The compared methods: whose mask, and which fill.

``box`` and ``atlas`` reach to the edge of the image in front of the face, so that the published fill levels the air
there too: the levelled fill would add nothing that belongs to these methods.
"""

import time
from dataclasses import dataclass
from functools import cached_property

from ..errors import NoFaceError

ORIGINAL = "original"
METHODS = {f"{source}-{fill}": (source, fill)
           for source, fill in (("reference", "published"), ("reference", "levelled"), ("ours", "published"),
                                ("ours", "levelled"), ("box", "published"), ("atlas", "published"))}
TITLES = {ORIGINAL: "Original", "reference-published": "Reference mask, published fill",
          "reference-levelled": "Reference mask, levelled fill", "ours-published": "CTADeface mask, published fill",
          "ours-levelled": "CTADeface mask, levelled fill", "box-published": "Box over mouth and nose (after ICHSEG)",
          "atlas-published": "Atlas mask (caideface)"}


@dataclass(frozen=True)
class Made:
    """A method's mask, bool (k, j, i), and what it took: wall time and processor time of all cores, in s; None for
    given.
    """

    mask: object
    seconds: float | None = None
    cpu_seconds: float | None = None


class Masks:
    """The masks of one head, each made when it is first asked for."""

    def __init__(self, volume, reference, model=None):
        self._volume, self._model = volume, model
        self._made = {"reference": Made(reference)}
        self._makers = {"ours": self._ours, "box": self._box, "atlas": self._atlas}

    def make(self, source):
        """``Made``. Raises: ``InputError`` or ``NoFaceError`` where the method finds nothing."""
        if source not in self._made:
            self._made[source] = self._makers[source]()
        return self._made[source]

    def _ours(self):
        from ..face.mask import face_mask
        from ..network.host import NetworksHere
        from ..network.model_run import ModelRun

        networks = NetworksHere()
        networks.network(self._model)  # before the clock starts, as for every head but a user's first
        made = _timed(lambda: face_mask(self._volume, networks, ModelRun(self._model)))
        if not made.mask.any():
            raise NoFaceError(f"{self._volume.name}: no face found in view.")
        return made

    @cached_property
    def _registered(self):
        from .atlas_method import load_atlas, register

        load_atlas()
        return _timed(lambda: register(self._volume))

    def _warped(self, function):
        transform = self._registered
        made = _timed(lambda: function(self._volume, transform.mask))
        return Made(made.mask, transform.seconds + made.seconds, transform.cpu_seconds + made.cpu_seconds)

    def _box(self):
        from .box import box_mask

        return self._warped(box_mask)

    def _atlas(self):
        from .atlas_method import atlas_mask

        return self._warped(atlas_mask)


def _timed(function):
    wall, cpu = time.monotonic(), time.process_time()
    made = function()
    return Made(made, time.monotonic() - wall, time.process_time() - cpu)

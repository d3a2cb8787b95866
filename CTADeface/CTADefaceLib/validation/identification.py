"""Who is recognised, by each recogniser, by all of them together, and by an attacker who learns; one place for all."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .gallery import distance_matrix, fused, identified, nobody
from .retrained import ATTACKERS, retrained, stretch

ALL = "all"
RETRAINED = tuple(f"retrained-{name}" for name in ATTACKERS)
WHO = {"facenet": "FaceNet", "dlib": "dlib", ALL: "All recognisers",
       "retrained-distances": "Retrained, distances", "retrained-elements": "Retrained, elements"}


@dataclass(frozen=True)
class Identification:
    """One kind of probes against the originals.

    ``probes`` and ``gallery`` {recogniser: (heads, views, numbers)}, NaN for a view that is not there; ``pairs`` of
    (probe's view, gallery's view), which may be none.
    """

    probes: dict
    gallery: dict
    pairs: tuple

    @cached_property
    def _learned(self):
        return retrained(list(self.probes.values()), list(self.gallery.values()), self.pairs)

    def _distances(self, who):
        if not self.pairs:
            return nobody(len(next(iter(self.probes.values()))))
        if who in RETRAINED:
            return self._learned[who.partition("-")[2]]
        if who == ALL:
            return fused([self._distances(name) for name in self.probes])
        return distance_matrix(self.probes[who], self.gallery[who], self.pairs)

    def found(self, who):
        """``gallery.identified`` of one of ``WHO``."""
        distances = self._distances(who)
        heads = int(np.isfinite(distances.diagonal()).sum())
        return identified(distances, range(len(distances)), stretch(heads) if who in RETRAINED else 1.0)

"""Find the head: an average head is laid over the image in every turn, and the best one is fitted.

The score of a pose is the sum, over the image's samples, of the log-odds that the average head gives to what is there
(air, soft tissue, bone) against its share in general. The outside of the image adds nothing, so that a cut field of view
costs nothing. All shifts of one turn are scored at once, as a correlation, by FFT (scipy.fft) on cells of 16 mm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np

from ..voxels.volume import Volume
from .atlas import AIR, EVIDENCE_MM, HIGH_MM, LOW_MM, atlas
from .cuts import beyond, cuts
from .fit import PRICE, Evidences, best_pose
from .frame import Frame, angle_degrees, rotation, rotation_vector
from .samples import Samples, samples

CELL_MM = 16.0
# Half the side, in cells, of a cube around the average head's middle that holds it however it is turned.
REACH = 12
MIDDLE_MM = np.array([0.0, -90.0, 15.0])
START_DEGREES, STEP_DEGREES = 30, (15, 7.5)
CANDIDATES = 2
# Where less of the average head than this lies in the image, the chin is also tried higher and lower.
MOSTLY_SEEN, NODS_DEGREES = 0.75, (-40, -20, 20, 40)
# How many quarter turns are looked at closely.
LIKELY_TURNS = 4
# Candidates nearer to each other than this are fitted to the same pose.
APART_MM, APART_DEGREES = 25.0, 20.0
# Heads, upright or turned by up to 45 degrees, score 0.42 and more; slabs from brow to lips, whose pose is often wrong, and
# necks without a head score less. From the sure score on no other turn is tried; a quarter turn must be clearly better.
LEAST_SCORE, SURE_SCORE, LEAST_TURNED_SCORE, CLEARLY = 0.36, 0.42, 0.42, 0.12
# A head that is larger by a quarter, or smaller than a newborn's, is none.
SCALES = 0.8, 1.8
LEAST_SAMPLES = 1_000

# Score, RAS mm of the head's middle, and turn (3x3, rows are the head's axes).
Pose = tuple[float, np.ndarray, np.ndarray]


@lru_cache(maxsize=2)
def bundled_evidence(price: float) -> Evidences:
    """``Evidences`` of the bundled atlas."""
    return Evidences(atlas().evidence, price)


def locate(volume: Volume, grids: np.ndarray | None = None) -> Frame | None:
    """``Frame`` of the head in a ``Volume``, None when none is found. ``grids``: the ``Atlas.evidence`` of another atlas."""
    found = samples(volume)
    if len(found.points) < LEAST_SAMPLES:
        return None
    ends = cuts(volume, found)
    known = (found.kinds != AIR) | ~beyond(ends, found.points)
    image = _Image(Samples(found.points[known], found.kinds[known], found.mm3))
    frame: Frame | None = None
    # With a price first; heads that are unlike the average one are found without.
    for price in (PRICE, 0.0):
        search = _Search(image, bundled_evidence(price) if grids is None else Evidences(grids, price))
        upright = search.upright()
        if upright is not None and (frame is None or upright.score > frame.score):
            frame = upright
        if frame is not None and frame.score >= SURE_SCORE:
            return replace(frame, cuts=ends)
    # The head may lie on its side, prone or feet first in an image whose axes do not say so.
    turned = search.turned()
    if turned is not None and turned.score >= LEAST_TURNED_SCORE and (frame is None or turned.score > frame.score + CLEARLY):
        frame = turned
    return replace(frame, cuts=ends) if frame is not None and frame.score >= LEAST_SCORE else None


def _head_sized(frame: Frame) -> bool:
    return bool(SCALES[0] <= frame.scale.mean() <= SCALES[1])


def _quarter_turns() -> list[np.ndarray]:
    """The 23 rotations by quarter turns, 3x3, without the one that turns nothing."""
    turns = {}
    for x, y, z in product(range(4), repeat=3):
        turn = np.rint(_euler((90 * x, 90 * y, 90 * z))).astype(int)
        turns[turn.tobytes()] = turn
    return [turn.astype(float) for turn in turns.values() if np.trace(turn) < 3]


def _euler(degrees: Sequence[float]) -> np.ndarray:
    x, y, z = (rotation(np.radians(angle) * axis) for angle, axis in zip(degrees, np.eye(3)))
    return z @ y @ x


class _Image:
    """The samples of an image, and the ``spectrum`` of their counts in cells of 16 mm from the corner ``low`` (RAS mm) on,
    in an array of ``size``."""

    def __init__(self, samples: Samples) -> None:
        from scipy import fft

        self.samples, self.low = samples, samples.points.min(0) - CELL_MM
        cells = np.rint((samples.points - self.low) / CELL_MM).astype(int)
        shape = cells.max(0) + 2
        flat = np.ravel_multi_index((samples.kinds.astype(int), *cells.T), (3, *shape))
        counts = np.bincount(flat, minlength=3 * int(np.prod(shape))).reshape(3, *shape).astype(np.float32)
        self.size = [fft.next_fast_len(int(n) + 2 * REACH + 1, True) for n in shape]
        self.spectrum = fft.rfftn(counts, self.size, axes=(1, 2, 3))


class _Search:
    """Scores of turns, each over all shifts, and the poses fitted from the best of them."""

    def __init__(self, image: _Image, evidences: Evidences) -> None:
        self._image, self._evidences = image, evidences
        self._evidence = evidences.smooth.grids

    def upright(self) -> Frame | None:
        """The best ``Frame`` of a head that is turned by less than about 45 degrees, None when it is no head's size."""
        poses = self.climb(product((-START_DEGREES, 0, START_DEGREES), repeat=3), np.eye(3))
        frame = self._fitted(poses)
        if frame is not None and self._evidences.share_seen(frame, self._image.samples) < MOSTLY_SEEN:
            frame = self._fitted([poses[0], *self.nodding(poses[0][2]), *poses[1:]], CANDIDATES + len(NODS_DEGREES))
        return frame if frame is not None and _head_sized(frame) else None

    def turned(self) -> Frame | None:
        """As ``upright``, of a head that is turned by one or more quarters."""
        likely = sorted(_quarter_turns(), key=lambda quarter: self.score(quarter)[0], reverse=True)[:LIKELY_TURNS]
        poses = [pose for quarter in likely for pose in self.climb([(0, 0, 0)], quarter)]
        frame = self._fitted(sorted(poses, key=lambda pose: -pose[0]))
        return frame if frame is not None and _head_sized(frame) else None

    def score(self, turn: np.ndarray) -> tuple[float, np.ndarray]:
        """(score, RAS mm of the head's middle) of the head turned by ``turn`` (rows are the head's axes)."""
        from scipy import fft

        padded = self._image.size
        offsets = (np.arange(2 * REACH + 1) - REACH) * CELL_MM
        x, y, z = offsets[:, None, None], offsets[:, None], offsets
        flat = np.zeros(1, np.intp)
        for row, middle, low, size in zip(turn, MIDDLE_MM, LOW_MM, self._evidence.shape[1:]):
            head = row[0] * x + row[1] * y + row[2] * z + middle
            # The border of the evidence is 0, as is all that lies outside.
            flat = flat * size + np.clip(np.rint((head - low) / EVIDENCE_MM), 0, size - 1).astype(np.intp)
        turned = self._evidence.reshape(3, -1)[:, flat]
        spectrum = self._image.spectrum * np.conj(fft.rfftn(turned, padded, axes=(1, 2, 3)))
        scores = fft.irfftn(spectrum.sum(0), padded)
        highest = np.unravel_index(scores.argmax(), scores.shape)
        best = np.array(highest)
        # Shifts below zero stand at the end.
        shift = np.where(best > np.array(padded) - (2 * REACH + 1), best - padded, best)
        return float(scores[highest]), self._image.low + (shift + REACH) * CELL_MM

    def climb(self, starts: Iterable[tuple[float, ...]], base: np.ndarray) -> list[Pose]:
        """[(score, middle, turn)], best first: from the best ``starts`` (degrees) on top of ``base`` uphill."""
        known: dict[tuple[float, ...], Pose] = {}

        def score(angles: tuple[float, ...]) -> float:
            if angles not in known:
                turn = _euler(angles) @ base
                known[angles] = (*self.score(turn), turn)
            return known[angles][0]

        for angles in sorted(starts, key=score, reverse=True)[:CANDIDATES]:
            for step in STEP_DEGREES:
                while True:
                    near = [tuple(np.add(angles, step * sign * axis)) for axis in np.eye(3) for sign in (-1, 1)]
                    best = max(near, key=score)
                    if score(best) <= score(angles):
                        break
                    angles = best
        return sorted(known.values(), key=lambda pose: -pose[0])

    def nodding(self, turn: np.ndarray) -> list[Pose]:
        """[(score, middle, turn)] of the head turned by ``turn`` with the chin higher and lower.

        A skull is round: where the image ends at the mouth, the best pose of the search can be that of another pitch.
        """
        turns = [rotation(np.radians(angle) * np.eye(3)[0]) @ turn for angle in NODS_DEGREES]
        return [(*self.score(nodded), nodded) for nodded in turns]

    def _fitted(self, poses: Iterable[Pose], last_fits: int = 1) -> Frame | None:
        """The best ``Frame`` fitted from the best few ``poses`` that lie apart; ``last_fits`` as for ``best_pose``."""
        chosen: list[tuple[np.ndarray, np.ndarray]] = []
        for _, middle, turn in poses:
            near = [
                np.linalg.norm(middle - other) < APART_MM and angle_degrees(turn @ there.T) < APART_DEGREES
                for other, there in chosen
            ]
            if not any(near):
                chosen.append((middle, turn))
            if len(chosen) == max(CANDIDATES, last_fits):
                break
        starts = [(middle, rotation_vector(turn)) for middle, turn in chosen]
        reach = float(np.linalg.norm(HIGH_MM - LOW_MM)) / 2
        return best_pose(self._image.samples, starts, MIDDLE_MM, reach, self._evidences, last_fits)

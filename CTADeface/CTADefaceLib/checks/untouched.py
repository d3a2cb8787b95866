"""Is everything that is not face as it was?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage as ndi

from ..head.ears import Ears
from ..head.face_lines import FaceLines
from ..head.frame import Frame
from ..voxels.cells import expand
from ..voxels.hu import BONE_HU, SKIN_BORDER_HU, TISSUE_HU, VESSEL_HU
from ..voxels.morphology import beside, widened
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume, ras_view
from .check import Check, graded, limits
from .place import ras_point

# The reference masks of the training heads touch up to 0.3 ml of brain: single voxels of 5 mm at thin orbital roofs.
SOME_BRAIN_ML, MUCH_BRAIN_ML = 0.3, 1.0
# The reference masks take up to 13 ml of teeth and of 5 mm voxels at the border, and a mask grown by 1 mm takes the
# surface of the bone under it, some 20 ml; the skull alone has 400 ml and more.
SOME_BONE_ML, MUCH_BONE_ML = 4.0, 30.0
BONE_GRID_MM = 2.0
LARGE_BONE_MM3 = 30_000.0


@dataclass
class Changes:
    """How many voxels differ between two volumes, by kind; ``places`` RAS mm of the first one of each kind.

    ``ras_of`` gives the RAS mm of an index (s, a, r) of the view that is compared.
    """

    ras_of: Callable[[Sequence[int]], tuple[float, ...]] = field(repr=False)
    outside: int = 0
    bright: int = 0
    bone: int = 0
    places: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _lowest: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def note(self, kind: str, hit: np.ndarray, planes: slice, offset: int) -> None:
        """Add ``hit``, bool, the ``planes`` of the view from the row ``offset`` on, to the count of ``kind``."""
        count = int(np.count_nonzero(hit))
        if count:
            s, a, r = np.argwhere(hit)[count // 2]
            with self._lock:
                setattr(self, kind, getattr(self, kind) + count)
                # The lowest planes, whichever thread comes first.
                if planes.start < self._lowest.get(kind, planes.stop):
                    self._lowest[kind] = planes.start
                    self.places[kind] = self.ras_of((int(s) + planes.start, int(a) + offset, int(r)))


def find_changes(
    volume: Volume,
    stored_after: np.ndarray,
    mask: np.ndarray,
    value: float | np.generic,
    frame: Frame | None = None,
    ears: Ears | None = None,
    kept: np.ndarray | None = None,
) -> Changes:
    """``Changes`` of the stored values after a fill with the stored ``value``, as far as the mask does not explain them.

    A voxel outside of the mask may change in two cases: it lies in front of all tissue that stays on its line and between
    the planes (module ``face_lines``; ``frame`` is the head's), as air and devices do; or it belongs to the layer of less
    than half skin beside the mask. All others must stay. With ``ears``, the air beside them may change too. Voxels that were
    ``kept`` (bool (k, j, i)) must stay everywhere, and everything else is judged as if they were gone.
    """
    face_alone = mask if ears is None else ears.taken_from(mask)
    lines = FaceLines(volume, face_alone, frame)
    comparison, changes = _Comparison(volume, mask, (stored_after, value), lines, face_alone, ears, kept), Changes(lines.place)
    for_slabs(lambda planes: comparison.count(planes, changes), len(comparison.before))
    return changes


class _Comparison:
    """A volume ``before`` and ``after`` a fill with the stored ``value``, as views (S, A, R) along the lines of its face.

    ``face_alone``: the mask without the ``ears``, which has the planes; air beside ``ears`` may change too, and what is
    ``kept`` may not.
    """

    def __init__(
        self,
        volume: Volume,
        mask: np.ndarray,
        after: tuple[np.ndarray, float | np.generic],
        lines: FaceLines,
        face_alone: np.ndarray,
        ears: Ears | None,
        kept: np.ndarray | None,
    ) -> None:
        stored_after, self._value = after
        self._volume, self._lines = volume, lines
        self.before, self.after, self._face = (lines.view(array) for array in (volume.stored, stored_after, mask))
        self._bone_cells, self._bone_steps = large_bone(lines.volume)
        self._beyond = lines.planes(lines.view(face_alone))
        self._beside_ears = None if ears is None else lines.view(ears.beside())
        self._kept = None if kept is None else lines.view(kept)
        # Slanted lines cross the slabs, so their foremost tissue is found before the slabs are compared.
        self._front = None if lines.straight else self._foremost_tissue()

    def count(self, planes: slice, changes: Changes) -> None:
        """Add the differences in some planes to ``changes``."""
        changed = self.before[planes] != self.after[planes]
        rows = np.flatnonzero(changed.any(0).any(1))
        if rows.size == 0:
            return
        # From the rearmost changed row on, to the front of the image.
        start = int(rows[0])
        box = planes, slice(start, changed.shape[1]), slice(0, changed.shape[2])
        hu, changed = self._hu(box), changed[:, start:]
        changes.note("bone", self._in_large_bone(hu, changed, box), planes, start)
        wrong = self._unexplained(hu, changed, box)
        changes.note("outside", wrong, planes, start)
        changes.note("bright", wrong & (hu > VESSEL_HU[0]) & (hu < VESSEL_HU[1]), planes, start)

    def _hu(self, part: slice | tuple[slice, ...]) -> np.ndarray:
        return self._volume.to_hu(np.ascontiguousarray(self.before[part]))

    def _stays(self, hu: np.ndarray, changed: np.ndarray, part: slice | tuple[slice, ...]) -> np.ndarray:
        """Tissue that the fill has left."""
        stays = (hu > TISSUE_HU) & ~changed & (self.after[part] != self._value)
        return stays if self._kept is None else stays & ~self._kept[part]

    def _in_large_bone(self, hu: np.ndarray, changed: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
        bone = changed & (hu > BONE_HU)
        if bone.any():
            bone &= expand(self._bone_cells, self._bone_steps, box)
        return bone

    def _unexplained(self, hu: np.ndarray, changed: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
        """Changed voxels that neither belong to the mask nor lie in front of the head nor in the layer beside the mask."""
        planes, start = box[0], box[1].start
        wrong = changed & ~self._face[box]
        part = self._lines.within(box)
        ends = part.foremost(self._stays(hu, changed, box)) if self._front is None else self._front - start
        wrong &= ~(part.in_front(ends, hu.shape[1]) & self._lines.between(self._beyond, box))
        if self._beside_ears is not None:
            wrong &= ~(self._beside_ears[box] & (hu <= TISSUE_HU))
        if wrong.any():
            wrong &= ~(_beside(self._face, planes)[:, start:] & (hu <= SKIN_BORDER_HU))
        return wrong if self._kept is None else wrong | (changed & self._kept[box])

    def _foremost_tissue(self) -> np.ndarray:
        """The row of the foremost tissue that stays on each slanted line, -1 without any."""
        box = self._lines.box(self._beyond)
        found: np.ndarray = np.empty([part.stop - part.start for part in box], bool)

        def look(planes: slice) -> None:
            part = (slice(box[0].start + planes.start, box[0].start + planes.stop), *box[1:])
            found[planes] = self._stays(self._hu(part), self.before[part] != self.after[part], part)
            # In whole voxels a line may leave the planes for a step, and what lies there is not levelled.
            found[planes] &= self._lines.between(self._beyond, part)

        for_slabs(look, len(found))
        place = self._lines.within(box).foremost(found)
        return np.where(place < 0, place, place + box[1].start)


def _beside(face: np.ndarray, planes: slice) -> np.ndarray:
    """Neighbours of the mask in some planes, also of its voxels in the two planes next to them."""
    wide = slice(max(planes.start - 1, 0), planes.stop + 1)
    first = planes.start - wide.start
    return beside(np.ascontiguousarray(face[wide]))[first : first + planes.stop - planes.start]


def large_bone(volume: Volume) -> tuple[np.ndarray, tuple[int, ...]]:
    """Pieces of bone above 30 ml, bool on every n-th voxel of the RAS view, and n per axis."""
    spacing = volume.geometry.ras_spacing()
    steps = tuple(max(round(BONE_GRID_MM / s), 1) for s in spacing)
    hu = volume.to_hu(np.ascontiguousarray(volume.ras()[tuple(slice(None, None, n) for n in steps)]))
    labels, _ = ndi.label(hu > BONE_HU)
    sizes = np.bincount(labels.ravel()) * np.prod(spacing) * np.prod(steps)
    sizes[0] = 0
    return (sizes >= LARGE_BONE_MM3)[labels], steps


def brain_untouched(volume: Volume, stored_after: np.ndarray, inside: np.ndarray, steps: tuple[int, ...]) -> Check:
    """ml of brain (tissue that the skull encloses) whose values changed; ``inside`` and ``steps`` as ``anatomy.brain`` gives
    them."""
    every = tuple(slice(None, None, n) for n in steps)
    # The air of the nose is enclosed too, with the thin walls between its cells, and is levelled on purpose.
    air = volume.to_hu(np.ascontiguousarray(volume.ras()[every])) <= TISSUE_HU
    inside = inside & ~widened(air, (1, 1, 1))
    hit = inside & (volume.ras()[every] != ras_view(stored_after, volume.geometry)[every])
    ml = hit.sum() * np.prod(volume.geometry.ras_spacing()) * np.prod(steps) / 1000
    seen = inside.sum() * np.prod(volume.geometry.ras_spacing()) * np.prod(steps) / 1000
    place = ras_point(np.argwhere(hit)[0] * steps, volume) if hit.any() else None
    text = f"{ml:.1f} ml of {seen:.0f} ml of brain in view changed."
    limit = limits("ml", "above", SOME_BRAIN_ML, MUCH_BRAIN_ML)
    return graded("brain", ml, "ml", text, place, fail=ml > MUCH_BRAIN_ML, warn=ml > SOME_BRAIN_ML, limit=limit)


def bone_untouched(changes: Changes, volume: Volume) -> Check:
    """ml of skull, jaw and spine (above 300 HU, in pieces above 30 ml) that changed."""
    ml = changes.bone * np.prod(volume.geometry.spacing) / 1000
    return graded(
        "bone",
        ml,
        "ml",
        f"{ml:.1f} ml of bone changed.",
        changes.places.get("bone"),
        fail=ml > MUCH_BONE_ML,
        warn=ml > SOME_BONE_ML,
        limit=limits("ml", "above", SOME_BONE_ML, MUCH_BONE_ML),
    )


def vessels_untouched(changes: Changes) -> Check:
    """Voxels of 150 to 600 HU, as vessels with contrast have, that changed behind or beside the mask: none may."""
    return graded(
        "vessels",
        changes.bright,
        "voxels",
        f"{changes.bright or 'No'} bright voxels outside the face changed.",
        changes.places.get("bright"),
        fail=changes.bright > 0,
        limit=limits("voxels", "above", None, 0),
    )


def rest_identical(changes: Changes) -> Check:
    """Voxels that changed outside of the mask and not in front of the head: none may."""
    return graded(
        "outside",
        changes.outside,
        "voxels",
        f"{changes.outside or 'No'} voxels changed outside the face.",
        changes.places.get("outside"),
        fail=changes.outside > 0,
        limit=limits("voxels", "above", None, 0),
    )

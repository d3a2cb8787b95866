"""Is everything that is not face as it was?"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage as ndi

from ..anatomy import BONE_HU
from ..cells import expand
from ..face_lines import FaceLines
from ..morphology import beside
from ..refine import TISSUE_HU
from ..threads import for_slabs
from ..volume import ras_view
from .check import graded
from .place import ras_point

# Contrast-filled vessels; bone starts in the same range and has a check of its own.
VESSEL_HU = (150.0, 600.0)
# The reference masks of the training heads touch it in up to 0.3 ml: single voxels of 5 mm at thin orbital roofs.
SOME_BRAIN_ML, MUCH_BRAIN_ML = 0.3, 1.0
# The reference masks take up to 13 ml of teeth and of 5 mm voxels at the border, and a mask grown by 1 mm takes the
# surface of the bone under it, some 20 ml; the skull alone has 400 ml and more.
SOME_BONE_ML, MUCH_BONE_ML = 4.0, 30.0
BONE_GRID_MM = 2.0
LARGE_BONE_MM3 = 30_000.0
TISSUE_IN_FRONT_HU = -300.0


@dataclass
class Changes:
    """Voxel counts of what differs between two volumes; ``places`` RAS mm of the first one of each kind.

    ``ras_of`` makes RAS mm of the index (s, a, r) of the view that is looked at.
    """

    ras_of: Callable = field(repr=False)
    outside: int = 0
    bright: int = 0
    bone: int = 0
    places: dict = field(default_factory=dict)
    _lock: object = field(default_factory=threading.Lock, repr=False, compare=False)

    def note(self, kind, hit, planes, offset):
        """Add ``hit`` (bool, some planes of the RAS view) to the count of ``kind``."""
        count = int(np.count_nonzero(hit))
        if count:
            s, a, r = np.argwhere(hit)[count // 2]
            with self._lock:
                setattr(self, kind, getattr(self, kind) + count)
                if kind not in self.places:
                    self.places[kind] = self.ras_of((int(s) + planes.start, int(a) + offset, int(r)))


def find_changes(volume, stored_after, mask, value, frame=None, ears=None):
    """``Changes`` of the stored values after a fill with the stored ``value``, as far as the mask does not explain
    them.

    A voxel outside of the mask may change when it lies before all tissue that stays on its line and between the planes
    (module ``face_lines``; ``frame`` is the head's): air, devices. Or when it is the layer of less than half skin beside
    the mask. Behind that and far from the mask nothing may. With ``ears`` (``Ears``), air beside them may, too.
    """
    face_alone = mask if ears is None else ears.taken_from(mask)
    lines = FaceLines(volume, face_alone, frame)
    before, after, face = (lines.view(array) for array in (volume.stored, stored_after, mask))
    bone_cells, steps = large_bone(lines.volume)
    beyond = lines.planes(lines.view(face_alone))
    beside_ears = None if ears is None else lines.view(ears.beside())
    changes = Changes(lines.place)

    def stays(hu, changed, box):
        return (hu > TISSUE_IN_FRONT_HU) & ~changed & (after[box] != value)

    front = None if lines.straight else _front(volume, before, after, stays, lines, beyond)

    def look(planes):
        changed = before[planes] != after[planes]
        rows = np.flatnonzero(changed.any(0).any(1))
        if rows.size == 0:
            return
        # From the rearmost changed row on, to the front of the image.
        start = int(rows[0])
        box = planes, slice(start, face.shape[1]), slice(0, face.shape[2])
        hu, changed, inside_face = volume.to_hu(np.ascontiguousarray(before[box])), changed[:, start:], face[box]
        bone = changed & (hu > BONE_HU)
        if bone.any():
            bone &= expand(bone_cells, steps, box)
        changes.note("bone", bone, planes, start)
        wrong = changed & ~inside_face
        part = lines.within(box)
        ends = part.foremost(stays(hu, changed, box)) if front is None else front - start
        wrong &= ~(part.in_front(ends, hu.shape[1]) & lines.between(beyond, box))
        if beside_ears is not None:
            wrong &= ~(beside_ears[box] & (hu <= TISSUE_IN_FRONT_HU))
        if wrong.any():
            wrong &= ~(_beside(face, planes)[:, start:] & (hu <= TISSUE_HU))
        changes.note("outside", wrong, planes, start)
        changes.note("bright", wrong & (hu > VESSEL_HU[0]) & (hu < VESSEL_HU[1]), planes, start)

    for_slabs(look, len(before))
    return changes


def _front(volume, before, after, stays, lines, beyond):
    """The row of the foremost tissue that stays on each slanted line, -1 without any; such lines cross the slabs."""
    found = np.empty(before.shape, bool)

    def look(planes):
        part = before[planes]
        found[planes] = stays(volume.to_hu(np.ascontiguousarray(part)), part != after[planes], planes)
        # In whole voxels a line may leave the planes for a step, and what lies there is not levelled.
        found[planes] &= lines.between(beyond, (planes, *whole[1:]))

    whole = tuple(slice(0, n) for n in before.shape)
    for_slabs(look, len(before))
    return lines.within(whole).foremost(found)


def _beside(face, planes):
    """Neighbours of the mask in some planes; those of the planes next to them count."""
    wide = slice(max(planes.start - 1, 0), planes.stop + 1)
    first = planes.start - wide.start
    return beside(np.ascontiguousarray(face[wide]))[first:first + planes.stop - planes.start]


def large_bone(volume):
    """Pieces of bone above 30 ml, bool on every n-th voxel of the RAS view, and n per axis."""
    spacing = volume.geometry.ras_spacing()
    steps = tuple(max(int(round(BONE_GRID_MM / s)), 1) for s in spacing)
    hu = volume.to_hu(np.ascontiguousarray(volume.ras()[tuple(slice(None, None, n) for n in steps)]))
    labels, _ = ndi.label(hu > BONE_HU)
    sizes = np.bincount(labels.ravel()) * np.prod(spacing) * np.prod(steps)
    sizes[0] = 0
    return (sizes >= LARGE_BONE_MM3)[labels], steps


def brain_untouched(volume, stored_after, inside, steps):
    """ml of brain (tissue that the skull encloses, seen every 3 mm, as ``anatomy.brain`` says) whose values changed."""
    every = tuple(slice(None, None, n) for n in steps)
    # The air of the nose is enclosed too, and is levelled on purpose.
    inside = inside & (volume.to_hu(np.ascontiguousarray(volume.ras()[every])) > TISSUE_IN_FRONT_HU)
    hit = inside & (volume.ras()[every] != ras_view(stored_after, volume.geometry)[every])
    ml = hit.sum() * np.prod(volume.geometry.ras_spacing()) * np.prod(steps) / 1000
    seen = inside.sum() * np.prod(volume.geometry.ras_spacing()) * np.prod(steps) / 1000
    place = ras_point(np.argwhere(hit)[0] * steps, volume) if hit.any() else None
    text = f"{ml:.1f} ml of {seen:.0f} ml of brain in view changed."
    return graded("brain", ml, "ml", text, place, fail=ml > MUCH_BRAIN_ML,
                  warn=ml > SOME_BRAIN_ML)


def bone_untouched(changes, volume):
    """ml of skull, jaw and spine (above 300 HU, in pieces above 30 ml) that changed."""
    ml = changes.bone * np.prod(volume.geometry.spacing) / 1000
    return graded("bone", ml, "ml", f"{ml:.1f} ml of bone changed.", changes.places.get("bone"),
                  fail=ml > MUCH_BONE_ML, warn=ml > SOME_BONE_ML)


def vessels_untouched(changes):
    """Voxels of 150 to 600 HU, as vessels with contrast have, that changed behind or beside the mask: none may."""
    return graded("vessels", changes.bright, "voxels", f"{changes.bright} bright voxels outside the face changed.",
                  changes.places.get("bright"), fail=changes.bright > 0)


def rest_identical(changes):
    """Voxels that changed though neither the mask nor what lies in front of the head explains it: none may."""
    return graded("outside", changes.outside, "voxels", f"{changes.outside} voxels changed outside the face.",
                  changes.places.get("outside"), fail=changes.outside > 0)

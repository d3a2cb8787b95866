"""Face masks spoilt on purpose, heads turned in the image, and what of a face an output still shows.

Nothing here knows of the gate: places are mm from the tip of the nose of the reference mask of an upright head, and what
shows is counted from that mask.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage as ndi
from scipy.signal import fftconvolve

TISSUE_HU = -300.0
# Tissue of the face so close behind its old skin shows the same face.
SHOWS_MM = 3.0
# Where the reference takes so much, tissue left within the second distance is a shaved face.
THICK_MM, SHAVED_MM = 14.0, 8.0
# A person sees the old face where this share of the tissue that the reference takes is left within the distance; less is a
# film over bone, which shows the bone.
SEEN_SHARE, AROUND_MM = 0.5, 6.0
# Nostrils, the mouth and ear canals, narrower than twice this, are no skin that is seen.
OPENING_MM = 4.0
CUBE = np.ones((3, 3, 3))


@dataclass(frozen=True)
class FaceOf:
    """A head and its reference mask, both (S, A, R) in RAS order; ``spacing`` (S, A, R) mm."""

    hu: np.ndarray
    mask: np.ndarray
    spacing: tuple

    def cropped(self, box):
        """The part of the head in three slices."""
        return FaceOf(self.hu[box], self.mask[box], self.spacing)

    @cached_property
    def box(self):
        """Three slices around the mask, 20 mm wider."""
        index = np.argwhere(self.mask)
        wider = np.ceil(20 / np.array(self.spacing)).astype(int)
        return tuple(slice(max(low, 0), high) for low, high in zip(index.min(0) - wider, index.max(0) + wider + 1))

    @cached_property
    def tip(self):
        """(s, a, r) of the foremost point of the mask near the middle of its upper two thirds."""
        points = np.argwhere(self.mask)
        low = points[:, 0].min() + 0.35 * np.ptp(points[:, 0])
        middle = points[:, 2].mean()
        near = points[(points[:, 0] >= low) & (np.abs(points[:, 2] - middle) * self.spacing[2] < 20)]
        return near[near[:, 1] == near[:, 1].max()].mean(0)

    @cached_property
    def place(self):
        """mm (up, forward, right) of every voxel from the tip of the nose, three arrays that broadcast."""
        return tuple(
            ((np.arange(n) - t) * s).reshape([-1 if a == axis else 1 for a in range(3)])
            for axis, (n, t, s) in enumerate(zip(self.mask.shape, self.tip, self.spacing))
        )

    @cached_property
    def air(self):
        """Bool: air that reaches the front of the image."""
        labels, _ = ndi.label((self.hu <= TISSUE_HU) & ~ndi.binary_erosion(self.mask))
        front = np.bincount(labels[:, -1].ravel())
        front[0] = 0
        return labels == front.argmax()

    @cached_property
    def below_skin(self):
        """mm from the outer air."""
        return ndi.distance_transform_edt(~self.air, self.spacing)

    @cached_property
    def skin(self):
        """Bool: voxels of the mask that are tissue and touch the outer air."""
        return self.mask & (self.hu > TISSUE_HU) & ndi.binary_dilation(self.air)

    @cached_property
    def thickness(self):
        """mm of mask behind the skin, by the largest depth of the mask within 20 mm: what lies nearer could not tell 14 mm."""
        depth = np.where(self.mask, self.below_skin, 0)
        size = [2 * round(20 / s) + 1 for s in self.spacing]
        return ndi.maximum_filter(depth, size)

    def near(self, up, forward, right, radius):
        """Bool: a ball about a point given in mm from the tip of the nose."""
        u, f, r = self.place
        return (u - up) ** 2 + (f - forward) ** 2 + (r - right) ** 2 <= radius**2


def _keep(where):
    """The kind of sabotage that leaves the part ``where(face)`` of the face."""
    return lambda face, random: face.mask & ~where(face)


def _box(low, high, left, right):
    def where(face):
        up, _, side = face.place
        return (up >= low) & (up <= high) & (side >= left) & (side <= right) & np.ones(face.mask.shape, bool)

    return where


def _beyond(mm):
    return lambda face: (np.abs(face.place[2]) >= mm) & np.ones(face.mask.shape, bool)


def _stripes(axis, period):
    return lambda face: (np.floor(face.place[axis] / period) % 2 == 0) & np.ones(face.mask.shape, bool)


def _checkerboard(face):
    up, _, side = face.place
    return ((np.floor(up / 15) + np.floor(side / 15)) % 2 == 0) & np.ones(face.mask.shape, bool)


def _blocks(face, random):
    """Half of all cubes of 20 mm are left."""
    cubes = random.random((40, 40, 40)) < 0.5
    index = tuple((np.floor(p / 20).astype(int) + 20) % 40 for p in face.place)
    return face.mask & ~cubes[tuple(np.broadcast_arrays(*index))]


def _shaved(mm):
    return lambda face, random: face.mask & (face.below_skin <= mm)


def _shell_kept(mm):
    return lambda face, random: face.mask & (face.below_skin > mm)


def _blob(radius):
    """A ball about a point of the skin taken by chance is left."""

    def sabotage(face, random):
        skin = np.argwhere(face.skin)
        centre = skin[random.integers(len(skin))]
        away = sum(
            ((np.arange(n) - c) * s).reshape([-1 if a == axis else 1 for a in range(3)]) ** 2
            for axis, (n, c, s) in enumerate(zip(face.mask.shape, centre, face.spacing))
        )
        return face.mask & (away > radius**2)

    return sabotage


def _shifted(up, forward, right):
    def sabotage(face, random):
        voxels = [round(mm / s) for mm, s in zip((up, forward, right), face.spacing)]
        return ndi.shift(face.mask.astype(np.uint8), voxels, order=0) > 0

    return sabotage


def _eroded(mm):
    return lambda face, random: ndi.distance_transform_edt(face.mask, face.spacing) > mm


def _thin(where, mm):
    """Only the outer ``mm`` of a part of the face are left: lids, lips."""
    return lambda face, random: face.mask & ~(where(face) & (face.below_skin <= mm))


def _rolled(degrees):
    """The mask turned about the tip of the nose, from the front."""

    def sabotage(face, random):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        spacing = np.array(face.spacing)
        matrix = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) * spacing / spacing[:, None]
        return ndi.affine_transform(face.mask.astype(np.uint8), matrix, face.tip - matrix @ face.tip, order=0) > 0

    return sabotage


def _slanted(low, high):
    def where(face):
        up, _, side = face.place
        return ((up + side) * np.sqrt(0.5) >= low) & ((up + side) * np.sqrt(0.5) <= high) & np.ones(face.mask.shape, bool)

    return where


def _spots(share, mm):
    """Patches of any form and place, as of a weak network, are left: ``share`` of the face."""

    def sabotage(face, random):
        noise = ndi.gaussian_filter(random.normal(size=face.mask.shape).astype(np.float32), [mm / s for s in face.spacing])
        return face.mask & (noise < np.quantile(noise[face.mask], 1 - share))

    return sabotage


def _third(low, high):
    def where(face):
        used = np.flatnonzero(face.mask.any((1, 2)))
        start, size = used[0], used[-1] + 1 - used[0]
        part = np.zeros(face.mask.shape, bool)
        part[start + int(low * size) : start + int(np.ceil(high * size))] = True
        return part

    return where


def _front(mm):
    return lambda face: (face.place[1] > -mm) & np.ones(face.mask.shape, bool)


# Of each: (sabotage(face, random) -> mask, fill).
KINDS = {
    "nose tip kept": (_keep(lambda f: f.near(2, -8, 0, 20)), "levelled"),
    "small nose kept": (_keep(lambda f: f.near(2, -4, 0, 14)), "levelled"),
    "bridge of the nose kept": (_keep(_box(8, 42, -14, 14)), "levelled"),
    "eyes kept": (_keep(_box(18, 50, -60, 60)), "levelled"),
    "right eye kept": (_keep(_box(18, 50, 12, 52)), "levelled"),
    "left eye kept": (_keep(_box(18, 50, -52, -12)), "levelled"),
    "brows kept": (_keep(_box(40, 60, -45, 45)), "levelled"),
    "forehead kept": (_keep(_box(48, 200, -90, 90)), "levelled"),
    "mouth kept": (_keep(_box(-50, -14, -32, 32)), "levelled"),
    "upper lip kept": (_keep(_box(-32, -8, -28, 28)), "levelled"),
    "chin kept": (_keep(_box(-95, -52, -32, 32)), "levelled"),
    "below the chin kept": (_keep(_box(-200, -62, -80, 80)), "levelled"),
    "cheeks beyond 55 mm kept": (_keep(_beyond(55)), "levelled"),
    "right cheek kept": (_keep(_box(-30, 25, 22, 70)), "levelled"),
    "left cheek kept": (_keep(_box(-30, 25, -70, -22)), "levelled"),
    "right jaw line kept": (_keep(_box(-75, -25, 32, 90)), "levelled"),
    "left jaw line kept": (_keep(_box(-75, -25, -90, -32)), "levelled"),
    "left half kept": (_keep(_box(-300, 300, -300, 0)), "levelled"),
    "upper third kept": (_keep(_third(0.66, 1.0)), "levelled"),
    "middle third kept": (_keep(_third(0.34, 0.66)), "levelled"),
    "lower third kept": (_keep(_third(0.0, 0.34)), "levelled"),
    "front kept": (_keep(_front(45)), "percentile"),
    "stripes across": (_keep(_stripes(0, 12)), "levelled"),
    "stripes upright": (_keep(_stripes(2, 12)), "percentile"),
    "checkerboard": (_keep(_checkerboard), "levelled"),
    "half of all blocks kept": (_blocks, "percentile"),
    "shaved by 5 mm": (_shaved(5), "levelled"),
    "shaved by 7 mm": (_shaved(7), "percentile"),
    "outer 4 mm kept": (_shell_kept(4), "percentile"),
    "ball of 16 mm kept": (_blob(16), "levelled"),
    "ball of 22 mm kept": (_blob(22), "percentile"),
    "ball of 30 mm kept": (_blob(30), "levelled"),
    "shifted back by 15 mm": (_shifted(0, -15, 0), "percentile"),
    "shifted up by 20 mm": (_shifted(20, 0, 0), "levelled"),
    "shifted to the right by 20 mm": (_shifted(0, 0, 20), "levelled"),
    "eroded by 6 mm": (_eroded(6), "percentile"),
    "ball of 12 mm kept": (_blob(12), "levelled"),
    "wing of the nose kept": (_keep(lambda f: f.near(-4, -14, 14, 13)), "levelled"),
    "lips kept, 6 mm": (_thin(_box(-44, -12, -28, 28), 6), "levelled"),
    "lids of the right eye kept, 6 mm": (_thin(_box(16, 46, 10, 50), 6), "percentile"),
    "point of the chin kept": (_keep(_box(-84, -56, -18, 18)), "levelled"),
    "right half of the nose kept": (_keep(_box(-10, 36, 0, 22)), "percentile"),
    "left lower quarter kept": (_keep(_box(-300, -10, -300, -5)), "levelled"),
    "slanted band kept": (_keep(_slanted(-8, 8)), "levelled"),
    "turned by 20 degrees": (_rolled(20), "percentile"),
    "shifted down by 20 mm": (_shifted(-20, 0, 0), "percentile"),
    "a tenth kept in spots": (_spots(0.1, 10), "levelled"),
    "a quarter kept in spots": (_spots(0.25, 7), "percentile"),
}
# (up, forward, right) axis of the turn and its degrees: upright, then yaw, pitch and roll.
TURNS = {
    "upright": (0, 0, 0),
    "yaw 20": (20, 0, 0),
    "yaw -40": (-40, 0, 0),
    "pitch -20": (0, 0, -20),
    "pitch 40": (0, 0, 40),
    "roll 20": (0, 20, 0),
    "roll -40": (0, -40, 0),
    "pitch -40": (0, 0, -40),
    "yaw 40": (40, 0, 0),
    "all 20": (20, 20, -20),
}


def turn_matrix(degrees):
    """3x3 (S, A, R) of a turn by ``degrees`` about (superior, anterior, right), in that order."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        one, other = [a for a in range(3) if a != axis]
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return turn


def turned(arrays, orders, fills, spacing, degrees):
    """``arrays`` (S, A, R) turned about the middle by ``degrees`` about (superior, anterior, right), in a grid that holds
    all of them; spacing stays."""
    if not any(degrees):
        return list(arrays)
    turn = turn_matrix(degrees)
    shape, spacing = np.array(arrays[0].shape), np.array(spacing)
    corners = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1) * spacing
    spread = np.ptp(corners @ turn.T, axis=0)
    size = np.ceil(spread / spacing).astype(int) + 1
    matrix = turn.T * spacing / spacing[:, None]
    offset = (shape - 1) / 2 - matrix @ ((size - 1) / 2)
    return [
        ndi.affine_transform(array, matrix, offset, tuple(size), order=order, cval=fill, prefilter=False)
        for array, order, fill in zip(arrays, orders, fills)
    ]


def shown_cm2(face, after):
    """cm2 of the largest connected patch of facial skin that an output still shows.

    Parameters: ``face`` a ``FaceOf``; ``after`` its HU (S, A, R) after a fill. A voxel of the skin shows when tissue that
    the reference takes lies within 3 mm behind it, or within 8 mm where the reference takes 14 mm and more.
    """
    return _largest_cm2(face, _shows(face, after))


def seen_cm2(face, after, outer):
    """As ``shown_cm2``, of what a person would see: skin of ``outer`` (bool, see ``outer_skin``) around which at least half
    of the tissue is left."""
    tissue = face.mask & (face.hu > TISSUE_HU)
    reach = [int(AROUND_MM / mm) for mm in face.spacing]
    steps = np.meshgrid(*(np.arange(-n, n + 1) * mm for n, mm in zip(reach, face.spacing)), indexing="ij")
    ball = (sum(step**2 for step in steps) <= AROUND_MM**2).astype(np.float32)
    left, there = (fftconvolve(part.astype(np.float32), ball, mode="same") for part in (tissue & (after > TISSUE_HU), tissue))
    # Turning by the nearest voxel moves skin by up to one.
    at_skin = ndi.binary_dilation(outer, CUBE)
    return _largest_cm2(face, _shows(face, after) & at_skin & (left >= SEEN_SHARE * np.maximum(there, 0.5)))


def _shows(face, after):
    left = face.mask & (after > TISSUE_HU)
    if not left.any():
        return left
    away = ndi.distance_transform_edt(~left, face.spacing)
    return face.skin & ((away <= SHOWS_MM) | ((away <= SHAVED_MM) & (face.thickness >= THICK_MM)))


def _largest_cm2(face, shows):
    labels, count = ndi.label(shows, CUBE)
    return float(np.bincount(labels[shows], skin_area_cm2(face)[shows]).max()) if count else 0.0


def outer_skin(hu, spacing):
    """Bool (S, A, R): skin of a head that is not turned: the outside of its largest piece of tissue, its openings closed.
    Where the image ends there is none."""
    labels, _ = ndi.label(hu > TISSUE_HU)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = labels == sizes.argmax()
    margin = [int(OPENING_MM / mm) + 2 for mm in spacing]
    padded = np.pad(body, [(n, n) for n in margin], mode="edge")
    near = ndi.distance_transform_edt(~padded, spacing) <= OPENING_MM
    closed = ndi.distance_transform_edt(near, spacing) > OPENING_MM
    closed = closed[tuple(slice(n, -n) for n in margin)] | body
    labels, _ = ndi.label(~closed)
    front = np.bincount(labels[:, -1].ravel())
    front[0] = 0
    return body & ndi.binary_dilation(labels == front.argmax())


def skin_area_cm2(face):
    """cm2 of skin at each voxel of it: the faces that it turns to the outer air, less what the steps of voxels add."""
    s, a, r = face.spacing
    sides = [
        sum(np.roll(face.air, step, axis) for step in (-1, 1)).astype(float) * area / 100
        for axis, area in enumerate((a * r, s * r, s * a))
    ]
    # A plane's area is the root of the sum of squares of its shadows.
    return np.where(face.skin, np.sqrt(sum(side**2 for side in sides)), 0)

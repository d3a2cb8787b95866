"""Heads that are turned in the image: the face is levelled along its own direction, and the checks look along it too."""

import numpy as np
import pytest
from scipy import ndimage as ndi

from CTADefaceLib.checks.every import run_checks
from CTADefaceLib.checks.untouched import find_changes
from CTADefaceLib.face.mask import face_mask
from CTADefaceLib.face.survey import surveyed
from CTADefaceLib.filling.fill import filled
from CTADefaceLib.head.face_lines import FaceLines, Planes, fits
from CTADefaceLib.head.frame import Frame, rotation
from CTADefaceLib.network.host import NetworksHere, overview_model
from CTADefaceLib.voxels.volume import Geometry, Volume, ras_affine, ras_view, stored_order
from helpers import phantom

AIR_HU, TISSUE_HU = -1000, -300
# Where the middle of a face lies in an average head, head mm.
FACE_MM = np.array([0.0, -60.0, 10.0])
# Degrees about the head's right (pitch), anterior (roll) and superior (yaw).
TURNS = {"yaw": (0, 0, 30), "pitch up": (30, 0, 0), "pitch down": (-30, 0, 0), "roll": (0, 30, 0), "all": (20, -20, 25)}
QUARTERS = {
    "on its right side": (0, 0, 90),
    "on its left side": (0, 0, -90),
    "prone": (0, 0, 180),
    "feet first": (0, 180, 0),
    "head down": (0, 90, 0),
    "looking up": (90, 0, 0),
    "all at once": (90, 90, 0),
}


def turn_of(degrees):
    """3x3 in RAS."""
    x, y, z = (rotation(np.radians(angle) * axis) for angle, axis in zip(degrees, np.eye(3)))
    return z @ y @ x


def noisy(hu, seed=1):
    return np.clip(hu + np.random.default_rng(seed).normal(0, 12, hu.shape), -1024, 3071).astype(np.int16)


class Turned:
    """A head, (S, A, R) with its mask, resampled to an image in which it is turned; ``frame`` as it really is."""

    def __init__(self, hu, face, spacing, degrees):
        turn = turn_of(degrees)
        self.direction = turn @ [0.0, 1.0, 0.0]
        shape, spacing = np.array(hu.shape), np.array(spacing)
        # In (S, A, R) and mm; a quarter turn permutes and flips the voxels, their spacing with them.
        around = turn[::-1, ::-1]
        to = np.abs(np.rint(around)) @ spacing if not np.any(np.mod(degrees, 90)) else spacing
        corners = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1) * spacing
        size = np.rint(np.ptp(corners @ around.T, axis=0) / to).astype(int) + 1
        matrix = around.T * to / spacing[:, None]
        offset = (shape - 1) / 2 - matrix @ ((size - 1) / 2)
        hu = ndi.affine_transform(hu.astype(np.float32), matrix, offset, tuple(size), order=1, cval=AIR_HU, prefilter=False)
        self.mask = ndi.affine_transform(face.view(np.uint8), matrix, offset, tuple(size), order=0, prefilter=False) > 0
        self.spacing = tuple(to)
        self.volume = Volume(noisy(hu), Geometry.from_affine(np.diag([*to[::-1], 1.0])), name="turned")
        middle = np.argwhere(self.mask).mean(0)[::-1] * to[::-1]
        place = np.eye(4)
        place[:3, :3] = turn.T
        place[:3, 3] = FACE_MM - turn.T @ middle
        self.frame = Frame(place, 0.5)

    def varies(self, stored, value):
        """Share of the voxels before the mask, along the true direction of the face, that are neither the fill nor kept
        tissue."""
        points, hu = np.argwhere(self.mask)[::7], self.volume.stored
        step = self.direction[::-1] / self.spacing
        seen = wrong = 0
        for mm in np.arange(0.0, 400.0, min(self.spacing)):
            index = np.rint(points + mm * step).astype(int)
            index = tuple(index[((index >= 0) & (index < hu.shape)).all(1)].T)
            kept = (hu[index] > TISSUE_HU) & ~self.mask[index]
            wrong += np.count_nonzero((stored[index] != value) & ~kept)
            seen += len(index[0])
        return wrong / seen

    def lost_ml(self, stored):
        """Tissue outside the mask that went."""
        lost = (stored != self.volume.stored) & ~self.mask & (self.volume.stored > -200)
        return np.count_nonzero(lost) * np.prod(self.spacing) / 1000


@pytest.fixture(scope="module")
def real(small_cranium):
    """(HU, mask, spacing), (S, A, R), of a real head with a margin of air in front."""
    import SimpleITK as sitk

    volume = Volume(sitk.GetArrayFromImage(small_cranium), Geometry.from_image(small_cranium))
    mask = face_mask(volume, NetworksHere())
    assert mask.any()
    hu, face = (np.ascontiguousarray(ras_view(a, volume.geometry)) for a in (volume.stored, mask))
    pad = (0, 0), (0, 6), (6, 6)
    return np.pad(hu, pad, constant_values=AIR_HU), np.pad(face, pad), volume.geometry.ras_spacing()


@pytest.fixture(scope="module")
def heads(parts, real):
    return {"synthetic": (parts[0], parts[1], (phantom.SPACING_MM,) * 3), "real": real}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("kind", ["synthetic", "real"])
def test_a_turned_face_is_levelled_along_its_own_direction(heads, kind, turn):
    head = Turned(*heads[kind], TURNS[turn])
    stored, value = filled(head.volume, head.mask, "levelled", frame=head.frame)
    assert (stored[head.mask] == value).all()
    assert head.varies(stored, value) < 0.002
    # Below the jaw as much goes as in the upright head.
    upright = Turned(*heads[kind], (0, 0, 0))
    wanted = upright.lost_ml(filled(upright.volume, upright.mask, "levelled", frame=upright.frame)[0])
    assert abs(head.lost_ml(stored) - wanted) < 2
    changes = find_changes(head.volume, stored, head.mask, value, head.frame)
    assert changes.outside == changes.bright == 0


@pytest.mark.parametrize("turn", QUARTERS)
@pytest.mark.parametrize("kind", ["synthetic", "real"])
def test_a_quarter_turned_head_is_filled_as_the_upright_one(heads, kind, turn):
    hu, face, spacing = heads[kind]
    hu, geometry = noisy(hu), Geometry.from_affine(np.diag([*spacing[::-1], 1.0]))
    upright = Volume(hu, geometry)
    wanted, value = filled(upright, face, "levelled")
    # The same voxels, in an image that says that they lie otherwise.
    step = np.eye(4)
    step[:3, :3] = turn_of(QUARTERS[turn])
    volume = Volume(hu, Geometry.from_affine(step @ geometry.affine()))
    place = np.eye(4)
    place[:3, 3] = FACE_MM - (ras_affine(upright) @ [*np.argwhere(face).mean(0), 1])[:3]
    frame = Frame(place @ np.linalg.inv(step), 0.5)
    stored, _ = filled(volume, face, "levelled", frame=frame)
    assert np.array_equal(stored, wanted)
    changes = find_changes(volume, stored, face, value, frame)
    assert changes.outside == 0


def test_a_hardly_turned_head_is_filled_as_without_a_frame(heads):
    head = Turned(*heads["real"], (3, 2, -3))
    wanted, _ = filled(head.volume, head.mask, "levelled")
    stored, _ = filled(head.volume, head.mask, "levelled", frame=head.frame)
    lines = FaceLines(head.volume, head.mask, head.frame)
    assert lines.straight and lines.spacing == head.volume.geometry.ras_spacing() and np.array_equal(stored, wanted)


def test_a_frame_in_which_the_mask_is_no_face_is_not_believed(heads):
    head = Turned(*heads["real"], (0, 0, 0))
    wrong = Frame(np.block([[turn_of((0, 0, 110)), np.full((3, 1), 90.0)], [np.zeros((1, 3)), np.ones((1, 1))]]), 0.5)
    assert fits(head.frame, head.volume, head.mask) and not fits(wrong, head.volume, head.mask)
    wanted, _ = filled(head.volume, head.mask, "levelled")
    assert np.array_equal(filled(head.volume, head.mask, "levelled", frame=wrong)[0], wanted)


def test_what_changes_behind_or_beside_a_turned_face_is_seen(heads):
    head = Turned(*heads["real"], TURNS["yaw"])
    stored, value = filled(head.volume, head.mask, "levelled", frame=head.frame)
    middle = np.argwhere(head.mask).mean(0)
    behind = tuple(np.rint(middle - 70 * head.direction[::-1] / head.spacing).astype(int))
    assert head.volume.stored[behind] > TISSUE_HU
    stored[behind] = value
    changes = find_changes(head.volume, stored, head.mask, value, head.frame)
    place = ras_affine(head.volume) @ [*behind, 1]
    assert changes.outside == 1 and np.allclose(changes.places["outside"], place[:3])


@pytest.mark.parametrize("turn", TURNS)
def test_specks_before_a_turned_face_do_not_part_fill_and_check(heads, turn):
    head = Turned(*heads["real"], TURNS[turn])
    hu, random = head.volume.stored, np.random.default_rng(3)
    hu[(hu < -900) & (random.random(hu.shape) < 0.01)] = 100
    stored, value = filled(head.volume, head.mask, "levelled", frame=head.frame)
    changes = find_changes(head.volume, stored, head.mask, value, head.frame)
    assert changes.outside == changes.bright == 0


def test_the_voxels_of_a_slanted_line_are_each_on_one_line(heads):
    head = Turned(*heads["synthetic"], TURNS["all"])
    lines = FaceLines(head.volume, head.mask, head.frame)
    part = lines.within(tuple(slice(0, n) for n in head.mask.shape))
    foremost = part.foremost(head.mask)
    s, r = np.argwhere(foremost >= 0)[::50].T
    for line in zip(s, r):
        along = part.line(head.mask, *line)
        assert np.flatnonzero(along)[-1] == foremost[line]
    ahead = part.in_front(foremost, head.mask.shape[1])
    assert not (ahead & head.mask).any()


@pytest.mark.parametrize("turn", TURNS)
def test_between_slanted_planes_is_what_the_heights_say_and_the_same_in_every_part(heads, turn):
    head = Turned(*heads["synthetic"], TURNS[turn])
    lines = FaceLines(head.volume, head.mask, head.frame)
    planes = lines.planes(lines.view(head.mask))
    # Nearer together, so that all three of them cut the part.
    planes = Planes(planes.low + 9.3, planes.high - 8.7, planes.rear + 5.1)
    box = lines.box(lines.planes(lines.view(head.mask)))
    found = lines.between(planes, box)
    height, depth = lines.height(box).astype(float), lines.depth(box).astype(float)
    near = 1e-3
    surely = (height > planes.low + near) & (height < planes.high - near) & (depth > planes.rear + near)
    hardly = (height < planes.low - near) | (height > planes.high + near) | (depth < planes.rear - near)
    assert surely.any() and hardly.any()
    assert found[np.broadcast_to(surely, found.shape)].all() and not found[np.broadcast_to(hardly, found.shape)].any()
    inner = slice(box[0].start + 3, box[0].stop - 5)
    assert np.array_equal(lines.between(planes, (inner, *box[1:])), found[3:-5])


def test_the_stored_order_is_what_the_view_was_made_of():
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for degrees in QUARTERS.values():
        geometry = Geometry.from_affine(np.block([[turn_of(degrees), np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]))
        assert np.array_equal(stored_order(ras_view(array, geometry), geometry), array)


@pytest.mark.parametrize("turn", ["on its right side", "feet first", "head down"])
def test_a_head_that_lies_otherwise_than_its_image_says_is_segmented_and_filled(real, turn):
    hu, face, spacing = real
    hu = noisy(hu)
    step = np.eye(4)
    step[:3, :3] = turn_of(QUARTERS[turn])
    geometry = Geometry.from_affine(step @ np.diag([*spacing[::-1], 1.0]))
    volume = Volume(hu, geometry)
    survey = surveyed(volume, overview_model(None))
    mask = face_mask(volume, NetworksHere(), survey=survey)
    assert 2 * np.count_nonzero(mask & face) / (mask.sum() + face.sum()) > 0.95
    stored, value = filled(volume, mask, "levelled", survey.histogram, survey.frame)
    kept = (hu > TISSUE_HU) & ~mask
    assert np.count_nonzero((stored != hu) & kept) * np.prod(spacing) / 1000 < 4
    verdicts = {check.name: check.verdict for check in run_checks(volume, mask, (stored, value), survey)}
    asked = "head_found", "mask_size", "mask_place", "mask_filled", "brain", "bone", "vessels", "outside"
    assert {verdicts[name] for name in asked} == {"pass"}

"""Make the average head that the checks find heads with: ``python -m CTADefaceLib.training.head_atlas HEADS -o FILE``.

HEADS holds annotated heads, upright in RAS (``<case>_image`` and ``<case>_mask.nii.gz``). The first average lays the
foremost points of their faces upon each other. Then, for some rounds, each head is found with the previous average and
all are averaged again, each also mirrored. Last, the skin of every head, upright and turned, tells where a face begins
and how deep it goes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from ..files.read import read_volume
from ..head.atlas import (
    DEPTH_UNIT,
    EVIDENCE_MM,
    EVIDENCE_UNIT,
    HIGH_MM,
    LOW_MM,
    NOSE_MM,
    SHARE_UNIT,
    SKIN_MM,
    ZONES,
    grid_axes,
    grid_shape,
)
from ..head.frame import Frame, rotation, rotation_vector
from ..head.pose import locate
from ..head.skin import Skin
from ..head.view import SHAPE, HeadView, head_mm
from ..validation.heads import Case, find_cases
from ..voxels.hu import AIR_HU, AIR_TO_SOFT_HU, SOFT_TO_BONE_HU, TISSUE_HU
from ..voxels.volume import Geometry, Volume, ras_affine, ras_view

ROUNDS = 3
# Where the foremost point of a face is laid: some heads' is the nose, others', with the chin up, the lips.
FOREMOST_MM = np.array([0.0, 0.0, 8.0])
# Shares of air, soft tissue and bone where nothing is known.
PRIOR = np.array([0.5, 0.4, 0.1])[:, None, None, None]
# The prior counts as so many heads; no share is smaller than the least, so that nothing is impossible.
PRIOR_HEADS, LEAST_SHARE = 8.0, 0.03
MOST_NATS = 2.5
# The neck bends: below a line from under the chin to under the occiput nothing is evidence for how the head is turned. Head
# mm: (anterior, superior) of a point of the line, and how much it rises backwards.
NECK_MM, NECK_RISES = (-30.0, -55.0), 0.4
# A top slice with more body than so many mm2 cuts the head.
CUT_MM2 = 6_000.0
# The skin's values are carried so far from it, for heads that differ from the average one.
SPREAD_MM = 9.0
LEAST_HEADS = 8
FAR_MM = 20.0
# The depth of the face is the one that nine of ten heads reach.
DEPTH_QUANTILE = 0.1
GONE_MM = 2.0
TURN_DEGREES = 30.0


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args(argv)
    cases = find_cases(args.heads, None)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        tips = list(pool.map(_tip, cases))
        frames = [_at_tip(tip) for tip in tips]
        for round_ in range(ROUNDS):
            grids = average(pool.map(_shares, cases, frames))
            found = pool.map(partial(_found, grids), cases)
            frames = _centred([new or old for new, old in zip(found, frames)], tips)
            print(f"round {round_ + 1}: mean score {np.mean([frame.score for frame in frames]):.4f}", flush=True)
        grids = average(pool.map(_shares, cases, frames))
        depth, share, frequency = skin_maps(pool.map(partial(_skins, grids), cases))
    np.savez_compressed(
        args.output,
        evidence=np.rint(grids * EVIDENCE_UNIT).astype(np.int8),
        depth=np.clip(np.rint(depth * DEPTH_UNIT), 0, 250).astype(np.uint8),
        share=np.rint(share * SHARE_UNIT).astype(np.uint8),
        frequency=np.rint(frequency * SHARE_UNIT).astype(np.uint8),
        zone=np.where(share > 0.5, zones(), 0).astype(np.uint8),
    )
    print(f"{args.output}: {args.output.stat().st_size} bytes")


def _read(case: Case) -> tuple[Volume, np.ndarray]:
    """(``Volume``, mask bool (k, j, i))."""
    return read_volume(case.image), read_volume(case.mask).as_mask()


def _found(grids: np.ndarray, case: Case) -> Frame | None:
    return locate(_read(case)[0], grids)


def _tip(case: Case) -> np.ndarray:
    """RAS mm of the foremost point of the face mask of an upright head."""
    volume, mask = _read(case)
    points = np.argwhere(ras_view(mask, volume.geometry))
    return (ras_affine(volume) @ [*points[points[:, 1] == points[:, 1].max()].mean(0), 1])[:3]


def _at_tip(tip: np.ndarray) -> Frame:
    """The frame of an upright head of average size with its foremost point at ``tip``."""
    matrix = np.eye(4)
    matrix[:3, 3] = FOREMOST_MM - tip
    return Frame(matrix, 0.0)


def _centred(frames: Sequence[Frame], tips: Sequence[np.ndarray]) -> list[Frame]:
    """The frames with the median foremost point at its place, no pitch and a scale of 1 on average.

    The fit prefers small heads a little, and those with much of their evidence in the box: the frames would drift from
    round to round.
    ``tips`` (N, 3): RAS mm of the foremost points.
    """
    scale = np.exp(-np.mean([np.log(frame.scale) for frame in frames], 0))
    pitch = np.mean([rotation_vector(frame.axes)[0] for frame in frames])
    correct = np.eye(4)
    correct[:3, :3] = rotation(np.array([-pitch, 0, 0])) * scale
    moved = [Frame(correct @ frame.matrix, frame.score) for frame in frames]
    tip = np.median([frame.to_head(at) for frame, at in zip(moved, tips)], 0)
    correct[:3, 3] = FOREMOST_MM - [0, *tip[1:]]
    return [Frame(correct @ frame.matrix, frame.score) for frame in frames]


def _shares(case: Case, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """(float32 (3, S, A, R), bool (S, A, R)): air, soft tissue and bone of one head on the grid, and where it is known."""
    shape = grid_shape(LOW_MM, HIGH_MM, EVIDENCE_MM)
    places = LOW_MM + EVIDENCE_MM * np.argwhere(np.ones(shape))[:, ::-1]
    volume = _read(case)[0]
    hu = volume.to_hu(volume.ras())
    index = np.linalg.inv(ras_affine(volume)) @ frame.inverse
    index = (places @ index[:3, :3].T + index[:3, 3]).T
    inside = ndi.map_coordinates(_known(volume).astype(np.float32), index, order=0).reshape(shape) > 0.5
    air, bone = hu < AIR_TO_SOFT_HU, hu > SOFT_TO_BONE_HU
    kinds = [
        ndi.map_coordinates(kind.astype(np.float32), index, order=1).reshape(shape) * inside
        for kind in (air, ~air & ~bone, bone)
    ]
    return np.stack(kinds), inside


def average(heads: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """float32 (3, S, A, R): log-odds of air, soft tissue and bone over all ``_shares`` (see ``Atlas``)."""
    shape = grid_shape(LOW_MM, HIGH_MM, EVIDENCE_MM)
    shares, seen = np.zeros((3, *shape), np.float32), np.zeros(shape)
    for share, inside in heads:
        shares, seen = shares + share + share[..., ::-1], seen + inside.astype(float) + inside[..., ::-1]
    smooth = np.stack([ndi.gaussian_filter(share, 0.7) for share in (shares + PRIOR_HEADS * PRIOR) / (seen + PRIOR_HEADS)])
    odds = np.log((smooth + LEAST_SHARE) / (PRIOR + LEAST_SHARE))
    _, anterior, superior = (axis[:, None] for axis in grid_axes(LOW_MM, HIGH_MM, EVIDENCE_MM))
    head = superior > NECK_MM[1] + NECK_RISES * (NECK_MM[0] - anterior.T)
    return (np.clip(odds, -MOST_NATS, MOST_NATS) * head[:, :, None]).astype(np.float32)


def _known(volume: Volume) -> np.ndarray:
    """Bool (S, A, R): what the image shows of the head, without the slices above a cut top and below the body."""
    body = volume.to_hu(volume.ras()) > TISSUE_HU
    used = np.flatnonzero(body.any((1, 2)))
    known = np.ones(body.shape, bool)
    known[: used[0]] = False
    _, a, r = volume.geometry.ras_spacing()
    if body[used[-1]].sum() * a * r > CUT_MM2:
        known[used[-1] + 1 :] = False
    return known


def _skins(grids: np.ndarray, case: Case) -> list[tuple[np.ndarray, np.ndarray]]:
    """[(mm of tissue that goes, skin here)] of a head as it is and turned at random (see ``_spread``)."""
    volume, mask = _read(case)
    random, found = np.random.default_rng(len(case.name)), []
    for turn in (np.zeros(3), np.radians(random.uniform(-TURN_DEGREES, TURN_DEGREES, 3))):
        turned = turned_volume(volume, turn)
        frame = locate(turned, grids)
        if frame is not None:
            skin = Skin(HeadView(turned, frame))
            left = np.where(mask, volume.from_hu(AIR_HU), volume.stored)
            found.append(_spread(skin, skin.depth_of(left, TISSUE_HU)))
    return found


def skin_maps(heads: Iterable[list[tuple[np.ndarray, np.ndarray]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(depth mm, share, frequency), float (S, A, R) on the grid of the skin (see ``Atlas``), of all ``_skins``."""
    pairs = [pair for found in heads for pair in found]
    depths, where = (np.stack([array for pair in pairs for array in (pair[n], pair[n][..., ::-1])]) for n in (0, 1))
    known = np.isfinite(depths)
    count = known.sum(0)
    ordered = np.sort(np.where(known, depths, np.inf), 0)
    rank = np.maximum((DEPTH_QUANTILE * (count - 1)).round().astype(int), 0)
    depth = np.take_along_axis(ordered, rank[None], 0)[0]
    enough = count >= LEAST_HEADS
    share = ((depths >= GONE_MM) & known).sum(0) / np.maximum(count, 1)
    # A nose may be longer than all of theirs: skin that lies farther out or in takes the nearest known value.
    away, nearest = ndi.distance_transform_edt(~enough, SKIN_MM, return_indices=True)
    depth, share = (np.where(away <= FAR_MM, values[tuple(nearest)], 0) for values in (np.maximum(depth, 0), share))
    return depth, share, where.mean(0)


def turned_volume(volume: Volume, vector: np.ndarray) -> Volume:
    """The same voxels in an image that is turned by a rotation vector (RAS, radians)."""
    turn = np.eye(4)
    turn[:3, :3] = rotation(vector)
    return Volume(volume.stored, Geometry.from_affine(turn @ volume.geometry.affine()), volume.slope, volume.intercept)


def _spread(skin: Skin, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(depth of the nearest skin within 9 mm, NaN beyond; bool: skin here), float16 and bool (S, A, R)."""
    here = skin.spread(np.ones(len(skin.index), bool), False)
    away, nearest = ndi.distance_transform_edt(~here, SKIN_MM, return_indices=True)
    values = skin.spread(depth, 0.0)[tuple(nearest)]
    return np.where((away <= SPREAD_MM), values, np.nan).astype(np.float16), here


def zones() -> np.ndarray:
    """uint8 (S, A, R): which zone a point of the grid of the skin would belong to, 1 + index in ``ZONES``."""
    index = np.argwhere(np.ones(SHAPE, bool))
    right, _, height = (head_mm(index) - NOSE_MM).T
    middle, beside = np.abs(right), np.where(right > 0, "right", "left")
    name = np.char.add(beside, "_cheek").astype("U12")
    jaw = (height < -16) & (middle > 30)
    name[jaw] = np.char.add(beside, "_jaw")[jaw]
    name[(height < -8) & (height >= -44) & (middle <= 30)] = "mouth"
    name[(height < -44) & (middle <= 30)] = "chin"
    name[height < -70] = "submental"
    eye = (height >= 14) & (height < 40) & (middle > 14) & (middle <= 50)
    name[eye] = np.char.add(beside, "_eye")[eye]
    name[(height >= 14) & (height < 40) & (middle <= 14)] = "nose"
    name[(height >= -8) & (height < 14) & (middle <= 20)] = "nose"
    name[height >= 40] = "forehead"
    name[(height >= 40) & (height < 54) & (middle <= 45)] = "brows"
    numbers = {zone: 1 + number for number, zone in enumerate(ZONES)}
    return np.array([numbers[zone] for zone in name], np.uint8).reshape(SHAPE)


if __name__ == "__main__":
    main()

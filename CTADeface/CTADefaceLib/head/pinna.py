"""The side of a head without its ear: a smooth surface that goes on from the skin around the ear, and where the ear stands.

Everything is seen on a grid of 2 mm around one ear in the head's own frame: arrays (S, A, L), L growing to lateral, and
maps (S, A) of a height, the head mm from the middle of the head to lateral. A height map of the outermost tissue alone would
not do: the pinna hangs over air behind it. So the surface is the border of the region that one of two balls reaches when it
rolls within the head; they do not fit into an ear. Around the ear the surface meets the skin: the first air on the way out of
the bone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve

from ..voxels.hu import BONE_HU, TISSUE_HU

GRID_MM = 2.0
# Head mm (superior, anterior, lateral): what is looked at around one ear.
LOW_MM, HIGH_MM = np.array([-50.0, -182.0, 30.0]), np.array([76.0, -76.0, 116.0])
# Ellipses (S, A) around the middle of an ear: where it may stand; where its parts may reach and all is levelled.
MIDDLE_MM = np.array([8.0, -132.0])
CORE_MM, REACH_MM = np.array([46.0, 33.0]), np.array([56.0, 46.0])
# No pinna begins in front of this: that is cheek.
FRONT_MM = -100.0
# Skin is smooth to this: what stands out farther belongs to an ear when it hangs together with a piece that stands out by
# ``EAR_MM`` somewhere.
STANDS_OUT_MM, EAR_MM = 2.0, 4.0
# The helix is thinner than coarse voxels: between them it has no more than this.
THIN_HU = -700
# Tissue farther out from the head's side is a pillow or a head holder.
FARTHEST_MM = 45.0
# Skin is known where the outermost tissue of a line lies no farther than this from its first air.
GAP_MM = 2.5
BESIDE_CELLS = 2
# Radii of balls that do not fit into an ear, and gaps that are closed before each rolls: ear canal, hollows, air behind it.
# The wide one alone rounds off the cheek's corner before the ear, the narrow one alone falls into hollows that stay open.
BALLS_MM = ((25.0, 6.0), (20.0, 5.0))
PAD_CELLS = 8
# Parts that hang from the ear below the surface lie farther than this from where the ball reaches, and no deeper.
UNDERCUT_MM, DEEPEST_MM = 2.0, 14.0
# Skin this near to where the ball reaches is known to be the head's.
SKIN_MM = 2.0
# The surface lies at least this far outside of bone.
OVER_BONE_MM = 1.5


def grid_axis(axis: int) -> np.ndarray:
    """Positions in head mm along one axis of the grid: 0 superior, 1 anterior, 2 lateral."""
    return np.arange(LOW_MM[axis], HIGH_MM[axis] + GRID_MM / 2, GRID_MM)


def ellipse(radii: np.ndarray) -> np.ndarray:
    """Bool (S, A): inside of an ellipse around the middle of an ear."""
    s, a = grid_axis(0)[:, None], grid_axis(1)
    return ((s - MIDDLE_MM[0]) / radii[0]) ** 2 + ((a - MIDDLE_MM[1]) / radii[1]) ** 2 < 1


@dataclass(frozen=True)
class HeadSide:
    """One side of a head: ``height`` float32 (S, A), head mm of its surface without ear; ``foot`` bool (S, A), the ear
    stands here; ``undercut`` bool (S, A, L), below that surface, but hanging from the ear."""

    height: np.ndarray
    foot: np.ndarray
    undercut: np.ndarray


def head_side(hu: np.ndarray, inside: np.ndarray) -> HeadSide | None:
    """``HeadSide`` of HU (S, A, L) on the grid of one ear, ``inside`` (bool) of the image; None where no skin is seen."""
    lateral = grid_axis(2)
    tissue = (hu > TISSUE_HU) & inside
    body = _body(tissue)
    outermost = _outermost(body, lateral)
    skin, bone = _first_air(hu, body, lateral)
    known = (skin > lateral[1]) & (skin < lateral[-2]) & inside.any(-1)
    known &= np.abs(outermost - skin) < GAP_MM
    # Where the image ends the body is cut, which is no skin.
    edge = ndi.binary_dilation(~inside, iterations=1)
    at = np.clip(np.rint((skin - lateral[0]) / GRID_MM), 0, len(lateral) - 1).astype(int)
    known &= ~np.take_along_axis(edge, at[..., None], -1)[..., 0]
    core, reach = ellipse(CORE_MM), ellipse(REACH_MM) & (grid_axis(1) < FRONT_MM)
    away = _away(body, inside)
    if away is None:
        return None
    rolled = _outer_surface(away, lateral)
    known &= (np.abs(skin - rolled) < SKIN_MM) & ~core
    height = np.maximum(rolled + _spread(np.where(known, skin - rolled, 0), known), bone + OVER_BONE_MM)
    # In pieces too: thin cartilage between coarse voxels does not hang together.
    near = (hu > THIN_HU) & inside & (lateral < height[..., None] + FARTHEST_MM)
    by = _outermost(near, lateral) - height
    labels, _ = ndi.label((by > STANDS_OUT_MM) & reach)
    pieces = np.unique(labels[core & (by > EAR_MM)])
    foot = np.isin(labels, pieces[pieces > 0])
    foot = ndi.binary_dilation(foot, iterations=BESIDE_CELLS) & reach
    below = height[..., None] - lateral
    undercut = tissue & foot[..., None] & (below >= 0) & (hu < BONE_HU) & (lateral > (bone + OVER_BONE_MM)[..., None])
    undercut &= (away > UNDERCUT_MM) & (below < DEEPEST_MM)
    return HeadSide(height.astype(np.float32), foot, undercut)


def _pad(body: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The body, which goes on beyond the image and the grid, with a margin along S and A."""
    if not inside.all():
        body = body[tuple(ndi.distance_transform_edt(~inside, return_distances=False, return_indices=True))]
    return np.pad(body, ((PAD_CELLS,) * 2, (PAD_CELLS,) * 2, (0, 0)), mode="edge")


def away_from_ball(body: np.ndarray, radius: float) -> np.ndarray | None:
    """(S, A, L) mm from the region that a ball of ``radius`` mm reaches when it rolls within a padded ``body``.

    Below 0 inside of that region, and without the margin. None without room for the ball.
    """
    middle = ndi.distance_transform_edt(body, GRID_MM) > radius
    if not middle.any():
        return None
    away = ndi.distance_transform_edt(~middle, GRID_MM)[PAD_CELLS:-PAD_CELLS, PAD_CELLS:-PAD_CELLS]
    # The border lies half a step beyond the last voxel.
    return away - (radius + GRID_MM / 2)


def _away(body: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """(S, A, L) mm from the region that one of ``BALLS_MM`` reaches; None without room for either."""
    outside = ndi.distance_transform_edt(~_pad(body, inside), GRID_MM)
    reached = [away_from_ball(ndi.distance_transform_edt(outside <= gap, GRID_MM) > gap, radius) for radius, gap in BALLS_MM]
    found = [away for away in reached if away is not None]
    return np.minimum.reduce(found) if found else None


def _outer_surface(away: np.ndarray, lateral: np.ndarray) -> np.ndarray:
    """(S, A) head mm where ``away`` is 0 for the last time on each line."""
    within = away <= 0
    last = np.minimum((within * np.arange(1, within.shape[-1] + 1)).max(-1), within.shape[-1] - 1)[..., None]
    low, high = (np.take_along_axis(away, np.maximum(at, 0), -1)[..., 0] for at in (last - 1, last))
    return lateral[0] + GRID_MM * (last[..., 0] - 1 + np.clip(-low / np.maximum(high - low, 1e-3), 0, 1))


def _body(tissue: np.ndarray) -> np.ndarray:
    """The largest piece that comes from the middle of the head."""
    labels, count = ndi.label(tissue)
    sizes = np.bincount(labels[..., 0].ravel(), minlength=count + 1)
    sizes[0] = 0
    return labels == sizes.argmax() if sizes.any() else np.zeros_like(tissue)


def _outermost(mask: np.ndarray, lateral: np.ndarray) -> np.ndarray:
    """(S, A) head mm of the last voxel of each line, one step below the grid without any."""
    return lateral[0] - GRID_MM / 2 + GRID_MM * (mask * np.arange(1, mask.shape[-1] + 1, dtype=np.int16)).max(-1)


def _first_air(hu: np.ndarray, body: np.ndarray, lateral: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(head mm of the first air outside of the outermost bone, head mm of that bone), both (S, A)."""
    labels, count = ndi.label(body & (hu > BONE_HU))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    bone = (labels == sizes.argmax()) & (count > 0)
    deepest = _outermost(bone, lateral)
    air = ~body & (lateral > deepest[..., None])
    first = np.where(air.any(-1), air.argmax(-1), len(lateral) - 1)
    outer = np.clip(first, 1, len(lateral) - 1)[..., None]
    inner_hu, outer_hu = (np.take_along_axis(hu, at, -1)[..., 0] for at in (outer - 1, outer))
    part = np.clip((inner_hu - TISSUE_HU) / np.maximum(inner_hu - outer_hu, 1), 0, 1)
    return np.where(first > 0, lateral[outer[..., 0] - 1] + part * GRID_MM, lateral[0]), deepest


def _spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``values`` where ``known``, slightly smoothed; elsewhere the solution of Laplace's equation between them."""
    index = np.arange(values.size).reshape(values.shape)
    pairs = np.concatenate(
        [np.stack([index[:-1].ravel(), index[1:].ravel()]), np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()])], 1
    )
    pairs = np.concatenate([pairs, pairs[::-1]], 1)
    links = coo_matrix((np.ones(pairs.shape[1]), pairs), shape=(values.size, values.size)).tocsr()
    system = diags(np.asarray(links.sum(1)).ravel() + known.ravel()) - links
    return spsolve(system.tocsc(), (known * values).ravel()).reshape(values.shape)

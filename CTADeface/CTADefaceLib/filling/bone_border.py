"""Below the jaw the mask ends some millimetres under the skin, and so its inner border is the skin's shape again.

The levelled fill ends at bone there: at a surface that a large ball, rolled over jaw, hyoid bone and spine from
outside, cannot pass. It follows bone alone and so tells no more about the skin than bone does, except where it would lie
farther from the mask than tissue may go. It goes on into the neck as far as levelling does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from ..head.face_lines import BELOW_MM
from ..voxels.cells import Cells
from ..voxels.hu import BONE_HU
from ..voxels.morphology import bounding_box
from ..voxels.volume import Volume

GRID_MM = 4.0
# Between the halves of the jaw, some 60 mm apart, a ball of this radius rises 10 mm above its lower border.
BALL_MM = 50.0
# Smaller pieces are metal, streaks or noise.
LEAST_BONE_MM3 = 3000.0
# Tissue farther from the mask than the first, nearer to its rear than the second or higher above its lowest slice than the
# third stays.
DEEPEST_MM, REAR_MM, HIGHEST_MM = 20.0, 25.0, 60.0
# Bone is looked for this far around the mask.
MARGIN_MM = 25.0


@dataclass(frozen=True)
class BeforeBone:
    """Soft tissue between the mask and bone; ``box`` three slices of the RAS view that hold it, ``hit`` per cell."""

    box: tuple[slice, ...]
    cells: Cells
    hit: np.ndarray

    def drop_from(self, kept: np.ndarray, hu: np.ndarray, box: Sequence[slice], planes: slice) -> None:
        """Set ``kept`` (S, A, R) to False for soft tissue that lies before bone.

        ``hu`` and ``kept``: the planes ``planes`` of the part ``box`` of the RAS view.
        """
        start = box[0].start
        common = [
            slice(max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(self.box, (slice(start + planes.start, start + planes.stop), *box[1:]))
        ]
        if any(c.start >= c.stop for c in common):
            return
        ours, theirs = (
            tuple(slice(c.start - o.start, c.stop - o.start) for c, o in zip(common, outer))
            for outer in (self.box, (slice(start + planes.start, None), *box[1:]))
        )
        hit = self.cells.spread(self.hit, ours[0])[:, *ours[1:]]
        kept[theirs] &= ~(hit & (hu[theirs] <= BONE_HU))


def before_bone(volume: Volume, face: np.ndarray, spacing: Sequence[float]) -> BeforeBone:
    """``BeforeBone`` of a ``Volume`` and its mask ``face``, bool (S, A, R), not empty; ``spacing`` (S, A, R) in mm."""
    box = _lower_part(face, spacing)
    view, inside = volume.ras()[box], face[box]
    cells = Cells(view.shape, spacing, GRID_MM)
    bone, mask = np.empty(cells.shape, np.uint16), np.empty(cells.shape, bool)

    def look(planes: slice, rows: slice) -> None:
        part = inside[planes]
        mask[rows] = cells.any(np.ascontiguousarray(part))
        bone[rows] = cells.count((volume.to_hu(np.ascontiguousarray(view[planes])) > BONE_HU) & ~part)

    cells.for_slabs(look)
    near = ndi.distance_transform_edt(~mask, cells.spacing) <= DEEPEST_MM
    reach = bounding_box(mask)
    assert reach is not None
    rows = slice(reach[1].start + 1 + int(REAR_MM / cells.spacing[1]), reach[1].stop)
    allowed = np.zeros_like(near)
    lowest, (up, down) = reach[0].start, (int(mm / cells.spacing[0]) for mm in (HIGHEST_MM, BELOW_MM))
    # The skin next to the mask, down to the plane where levelling ends, would tell how full the skin above it was.
    allowed[max(lowest - down, 0) : lowest + up, rows] = True
    return BeforeBone(box, cells, near & allowed & ~_rolled_over(_large(bone, cells), cells.spacing))


def _lower_part(face: np.ndarray, spacing: Sequence[float]) -> tuple[slice, ...]:
    """Three slices around the lower part of the mask, with a margin."""
    margin = [int(np.ceil(MARGIN_MM / s)) for s in spacing]
    box = bounding_box(face, margin)
    assert box is not None
    slices, *others = box
    top = slices.start + 2 * margin[0] + int(np.ceil(HIGHEST_MM / spacing[0]))
    return slice(slices.start, min(slices.stop, top)), *others


def _large(counts: np.ndarray, cells: Cells) -> np.ndarray:
    """Bool per cell: in a piece of bone (touching also by edge or corner) that is large enough."""
    bone = counts > 0
    labels, _ = ndi.label(bone, np.ones((3, 3, 3)))
    large = np.bincount(labels[bone], counts[bone], 1) * cells.voxel_mm3 >= LEAST_BONE_MM3
    bone[bone] = large[labels[bone]]
    return bone


def _rolled_over(bone: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Closing of ``bone`` by the ball; beyond the border of the array bone goes on as it is there."""
    margin = [(int(BALL_MM / s) + 1,) * 2 for s in spacing]
    if not bone.any():
        return np.ones_like(bone)
    near = ndi.distance_transform_edt(~np.pad(bone, margin, mode="edge"), spacing) <= BALL_MM
    if near.all():
        return np.ones_like(bone)
    inner = ndi.distance_transform_edt(near, spacing) > BALL_MM
    return inner[tuple(slice(m[0], -m[1]) for m in margin)] | bone

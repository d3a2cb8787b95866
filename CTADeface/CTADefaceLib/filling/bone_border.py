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

from ..head.face_lines import BELOW_MM, FaceLines, Planes
from ..voxels.cells import Cells
from ..voxels.hu import BONE_HU
from ..voxels.morphology import bounding_box, depth_below_ball

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
    """Soft tissue between the mask and bone; ``box`` three slices of the lines' view that hold it, ``hit`` per cell."""

    box: tuple[slice, ...]
    cells: Cells
    hit: np.ndarray

    def drop_from(self, kept: np.ndarray, hu: np.ndarray, box: Sequence[slice], planes: slice) -> None:
        """Set ``kept`` (S, A, R) to False for soft tissue that lies before bone.

        ``hu`` and ``kept``: the planes ``planes`` of the part ``box`` of that view.
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


def before_bone(lines: FaceLines, face: np.ndarray, planes: Planes) -> BeforeBone:
    """``BeforeBone`` of a mask ``face``, bool (S, A, R) in the view of its ``FaceLines``, not empty, with its ``Planes``."""
    box = _lower_part(lines, face, planes)
    view, inside = lines.view(lines.volume.stored)[box], face[box]
    cells = Cells(view.shape, lines.spacing, GRID_MM)
    bone, mask = np.empty(cells.shape, np.uint16), np.empty(cells.shape, bool)

    def look(planes: slice, rows: slice) -> None:
        part = inside[planes]
        mask[rows] = cells.any(np.ascontiguousarray(part))
        bone[rows] = cells.count((lines.volume.to_hu(np.ascontiguousarray(view[planes])) > BONE_HU) & ~part)

    cells.for_slabs(look)
    near = ndi.distance_transform_edt(~mask, cells.spacing) <= DEEPEST_MM
    allowed = _allowed(lines, mask, [slice(part.start, part.stop, step) for part, step in zip(box, cells.steps)])
    return BeforeBone(box, cells, near & allowed & ~_rolled_over(_large(bone, cells), cells.spacing))


def _allowed(lines: FaceLines, mask: np.ndarray, places: Sequence[slice]) -> np.ndarray:
    """Bool that broadcasts to the cells of the lower part of a ``mask``: tissue may go there; ``places`` of the cells."""
    up, back = (int(part.step) for part in places[:2])
    height, depth = lines.height(places), lines.depth(places)
    lowest, rear = (float(np.where(mask, along, np.inf).min()) for along in (height, depth))
    highest, below = (int(mm / (up * lines.spacing[0])) * up for mm in (HIGHEST_MM, BELOW_MM))
    # The skin next to the mask, down to the plane where levelling ends, would tell how full the skin above it was.
    allowed: np.ndarray = (height >= lowest - below) & (height < lowest + highest)
    return allowed & (depth >= rear + (1 + int(REAR_MM / (back * lines.spacing[1]))) * back)


def _lower_part(lines: FaceLines, face: np.ndarray, planes: Planes) -> tuple[slice, ...]:
    """Three slices around the lower part of the mask, with a margin."""
    margin = [int(np.ceil(MARGIN_MM / s)) for s in lines.spacing]
    box = bounding_box(face, margin)
    assert box is not None
    above = planes.low + (BELOW_MM + HIGHEST_MM + MARGIN_MM) / lines.spacing[0]
    reach = lines.box(Planes(planes.low - margin[0], above, planes.rear - margin[1]))
    return tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, reach))


def _large(counts: np.ndarray, cells: Cells) -> np.ndarray:
    """Bool per cell: in a piece of bone (touching also by edge or corner) that is large enough."""
    bone = counts > 0
    labels, _ = ndi.label(bone, np.ones((3, 3, 3)))
    large = np.bincount(labels[bone], counts[bone], 1) * cells.voxel_mm3 >= LEAST_BONE_MM3
    bone[bone] = large[labels[bone]]
    return bone


def _rolled_over(bone: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Closing of ``bone`` by the ball; without bone everything counts as behind it."""
    return depth_below_ball(bone, BALL_MM, spacing) > BALL_MM if bone.any() else np.ones_like(bone)

"""Which voxels an irreversible fill levels: the face, and all that lies in front of it.

With a constant in the mask alone the border of the constant region is the old skin. Here the outer border is the edge
of the image and three planes that do not follow the face; inwards it ends at the tissue that stays.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import ndimage as ndi

from ..errors import MaskError
from ..head.face_lines import FaceLines, PartLines
from ..voxels.cells import Cells
from ..voxels.hu import BONE_HU, TISSUE_HU
from ..voxels.morphology import opened, widened
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume
from .bone_border import before_bone

# Tissue that stays is at least this large; a device or a remnant of skin that hovers in front of the face is smaller.
LEAST_BODY_MM3 = 20_000.0
GRID_MM = 2.0
LARGEST_DEVICE_MM3 = 150_000.0
# Share of the lines on which kept tissue lies in front of the whole mask; on upright heads a few per cent.
MOST_COVERED = 0.5


def levelled_region(volume: Volume, mask: np.ndarray, lines: FaceLines | None = None) -> tuple[tuple[slice, ...], np.ndarray]:
    """``mask`` and everything in front of it and of the tissue beside it.

    Along each line in the direction of the face (module ``face_lines``), between planes 10 mm above, 20 mm below and
    5 mm behind the mask, all voxels go that lie in front of the mask or of the first tissue that is kept: air, with its
    noise, streaks and partial volumes, devices, and below the jaw soft tissue before bone.

    Parameters: ``mask`` bool (k, j, i) on the volume's grid, not empty; ``lines`` its ``FaceLines`` (None: those of a head
    that is not turned).
    Returns: (three slices of the view ``lines.view``, bool array of that part); outside of it nothing goes.
    Raises: MaskError when the body lies in front of half of the mask, or more than 150 ml of it would go.
    """
    lines = lines or FaceLines(volume, mask)
    face, spacing = lines.view(mask), lines.spacing
    beyond = lines.planes(face)
    box = lines.box(beyond)
    view, region = lines.view(volume.stored)[box], face[box].copy()
    cells, inside = Cells(view.shape, spacing, GRID_MM), lines.within(box)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(before_bone, lines, face, beyond)
        body = _kept_body(volume, view, region, cells)
        soft = found.result()
    kept, counts = np.empty(region.shape, bool), np.zeros((3, len(region)), int)

    def keep(planes: slice, rows: slice) -> None:
        hu = volume.to_hu(np.ascontiguousarray(view[planes]))
        kept[planes] = (hu > TISSUE_HU) & ~region[planes] & cells.spread(body, planes)
        soft.drop_from(kept[planes], hu, box, planes)

    def level(planes: slice) -> None:
        counts[:, planes.start] = _level_lines(kept[planes], region[planes], inside)

    def keep_and_level(planes: slice, rows: slice) -> None:
        keep(planes, rows)
        level(planes)

    def clip(planes: slice) -> None:
        region[planes] &= lines.between(beyond, (slice(box[0].start + planes.start, box[0].start + planes.stop), *box[1:]))

    if lines.straight:
        cells.for_slabs(keep_and_level)
    else:
        # Slanted lines go on from slab to slab.
        cells.for_slabs(keep)
        level(slice(0, len(region)))
        for_slabs(clip, len(region))
    _require_face_in_front(volume.name, counts.sum(1), float(np.prod(spacing)))
    return box, region


def _require_face_in_front(name: str, counts: np.ndarray, voxel_mm3: float) -> None:
    """Raise ``MaskError``, naming the volume, where too much of the body lies in front of the mask.

    ``counts`` as ``_level_lines`` returns them, summed.
    """
    of_mask, covered, lost = counts
    if lost * voxel_mm3 > LARGEST_DEVICE_MM3 or covered > MOST_COVERED * of_mask:
        raise MaskError(
            f"{name}: the body lies in front of the mask ({100 * covered / of_mask:.0f} % of "
            "it), so the face does not look to anterior, or what surrounds the head is not air; correct the "
            "volume's orientation, its background (-1000 HU) or the mask."
        )


def _kept_body(volume: Volume, view: np.ndarray, face: np.ndarray, cells: Cells) -> np.ndarray:
    """Bool per cell: in a large piece of tissue outside the mask."""
    tissue, bone = np.empty(cells.shape, bool), np.empty(cells.shape, bool)
    capacity = cells.capacity()

    def look(planes: slice, rows: slice) -> None:
        hu = volume.to_hu(np.ascontiguousarray(view[planes]))
        outside = ~face[planes]
        tissue[rows] = cells.count((hu > TISSUE_HU) & outside) * 2 > capacity[rows]
        bone[rows] = cells.any((hu > BONE_HU) & outside)

    cells.for_slabs(look)
    # Opened: thin bridges, such as a strap or a remnant of skin, must not tie a device in front to the body.
    # The box cuts the head, and tissue goes on beyond its border.
    labels, _ = ndi.label(opened(tissue))
    large = np.bincount(labels.ravel()) * np.prod(cells.spacing) >= LEAST_BODY_MM3
    # Pieces that go on behind the box are larger than they seem.
    large[np.unique(labels[:, :2])] = True
    large[0] = False
    body = widened(large[labels], (2, 2, 2))
    # Thin bones, such as the nasal bones, stay with the skull.
    return ndi.binary_propagation(body, mask=body | bone)


def _level_lines(kept: np.ndarray, region: np.ndarray, lines: PartLines) -> tuple[int, int, int]:
    """Add all that is levelled to ``region``, which is the mask; arrays (S, A, R) with the lines ``lines``.

    Tissue that touches the foremost voxel of the mask stays: it is a lip or a tooth. Tissue in front of a gap goes: it is
    a device. Returns: lines with mask; those on which it lies behind kept tissue; kept voxels that go.
    """
    front, stays = lines.foremost(region), lines.foremost(kept)
    lost = 0
    covered = (front >= 0) & (stays > front)
    for s, r in zip(*np.nonzero(covered)):
        line = lines.line(kept, s, r)[front[s, r] + 1 :]
        gap = line.argmin()
        if not line[gap]:
            stays[s, r] = front[s, r] + gap
            lost += int(np.count_nonzero(line[gap:]))
    region |= lines.in_front(stays, region.shape[1])
    return int(np.count_nonzero(front >= 0)), int(np.count_nonzero(covered)), lost

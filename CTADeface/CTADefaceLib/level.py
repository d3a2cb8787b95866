"""Which voxels an irreversible fill levels: the face, and all that lies in front of it.

With a constant in the mask alone the border of the constant region is the old skin. Here the outer border is the edge
of the image and three planes that do not follow the face; inwards it ends at the tissue that stays, and below the jaw,
where the mask ends so far under the skin, at bone (module ``bone_border``).
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import ndimage as ndi

from .anatomy import BONE_HU
from .bone_border import before_bone
from .cells import Cells
from .errors import MaskError
from .morphology import bounding_box, opened, widened
from .volume import foremost, in_front, ras_view

# Above noise and streaks in air, below fat.
TISSUE_HU = -300.0
# Tissue that stays is at least this large; what hovers in front of the face (a device, a rest of skin) is smaller.
LEAST_BODY_MM3 = 20_000.0
GRID_MM = 2.0
LARGEST_DEVICE_MM3 = 150_000.0
# Share of the lines on which kept tissue lies in front of the whole mask; on upright heads a few per cent.
MOST_COVERED = 0.5
# The planes lie so far beyond the mask that they do not tell where it ends.
ABOVE_MM, BELOW_MM, BEHIND_MM = 10.0, 20.0, 5.0


def levelled_region(volume, mask):
    """``mask`` and everything in front of it and of the tissue beside it.

    Along each line from anterior to posterior, in the mask's slices (and 10 mm above, 20 mm below) and down to 5 mm
    behind its rearmost voxel, all voxels go that lie in front of the mask or of the first tissue that is kept: air,
    with its noise, streaks and partial volumes, devices, and below the jaw soft tissue before bone.

    Parameters: ``volume`` a ``Volume``; ``mask`` bool (k, j, i) on its grid, not empty.
    Returns: (three slices of the RAS view, bool array of that part); outside of it nothing goes.
    Raises: MaskError when the body lies in front of half of the mask, or more than 150 ml of it would go.
    """
    spacing = volume.geometry.ras_spacing()
    face = ras_view(mask, volume.geometry)
    box = _planes(face, spacing)
    view, region = volume.ras()[box], face[box].copy()
    cells = Cells(view.shape, spacing, GRID_MM)
    with ThreadPoolExecutor(1) as pool:
        soft = pool.submit(before_bone, volume, face, spacing)
        body = _kept_body(volume, view, region, cells)
        soft = soft.result()
    lines, covered, lost = np.zeros((3, len(region)), int)

    def level(planes, rows):
        hu = volume.to_hu(np.ascontiguousarray(view[planes]))
        kept = (hu > TISSUE_HU) & ~region[planes] & cells.spread(body, planes)
        soft.drop_from(kept, hu, box, planes)
        lines[planes] = region[planes].any(1).sum(1)
        covered[planes], lost[planes] = _level_lines(kept, region[planes])

    cells.for_slabs(level)
    if lost.sum() * np.prod(spacing) > LARGEST_DEVICE_MM3 or covered.sum() > MOST_COVERED * lines.sum():
        raise MaskError(f"{volume.name}: the body lies in front of the mask ({100 * covered.sum() / lines.sum():.0f} % of "
                        "it), so the face does not look to anterior, or what surrounds the head is not air; correct the "
                        "volume's orientation, its background (-1000 HU) or the mask.")
    return box, region


def _planes(face, spacing):
    """The box (S, A, R) that the levelled region may cover."""
    slices, rows, _ = bounding_box(face)
    below, above = (int(np.ceil(mm / spacing[0])) for mm in (BELOW_MM, ABOVE_MM))
    behind = int(np.ceil(BEHIND_MM / spacing[1]))
    return (slice(max(slices.start - below, 0), min(slices.stop + above, face.shape[0])),
            slice(max(rows.start - behind, 0), face.shape[1]), slice(0, face.shape[2]))


def _kept_body(volume, view, face, cells):
    """Bool per cell: in a large piece of tissue outside the mask."""
    tissue, bone = np.empty(cells.shape, bool), np.empty(cells.shape, bool)
    capacity = cells.capacity()

    def look(planes, rows):
        hu = volume.to_hu(np.ascontiguousarray(view[planes]))
        outside = ~face[planes]
        tissue[rows] = cells.count((hu > TISSUE_HU) & outside) * 2 > capacity[rows]
        bone[rows] = cells.any((hu > BONE_HU) & outside)

    cells.for_slabs(look)
    # Thin bridges, such as a strap or a rest of skin, must not tie what hovers in front to the body.
    # The box cuts the head: beyond its border the tissue goes on.
    labels, _ = ndi.label(opened(tissue))
    large = np.bincount(labels.ravel()) * np.prod(cells.spacing) >= LEAST_BODY_MM3
    # What goes on behind the box is larger than it seems.
    large[np.unique(labels[:, :2])] = True
    large[0] = False
    body = widened(large[labels], (2, 2, 2))
    # Thin bones, as those of the nose, stay with the skull.
    return ndi.binary_propagation(body, mask=body | bone)


def _level_lines(kept, region):
    """Add to ``region``, which is the mask, what is levelled; arrays (S, A, R), A growing forwards, of some planes.

    Tissue that touches the foremost voxel of the mask stays: it is a lip or a tooth. What comes in front of a gap
    goes: it is a device. Returns per plane: lines on which the mask lies behind kept tissue; kept voxels that go.
    """
    front, stays = foremost(region), foremost(kept)
    lost = np.zeros(len(region), int)
    covered = (front >= 0) & (stays > front)
    for s, r in zip(*np.nonzero(covered)):
        line = kept[s, front[s, r] + 1:, r]
        gap = line.argmin()
        if not line[gap]:
            stays[s, r] = front[s, r] + gap
            lost[s] += np.count_nonzero(line[gap:])
    region |= in_front(stays, region.shape[1])
    return covered.sum(1), lost

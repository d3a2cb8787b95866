"""Which voxels an irreversible fill levels: the face, and all that lies in front of it.

With a constant in the mask alone the border of the constant region is the old skin. Here the outer border is the edge
of the image and three planes that do not follow the face; inwards it ends at the tissue that stays.
"""

import numpy as np
from scipy import ndimage as ndi

from .anatomy import BONE_HU
from .cells import Cells, expand
from .errors import MaskError
from .volume import ras_view

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
    """Bool (k, j, i): ``mask`` and everything in front of it and of the tissue beside it.

    Along each line from anterior to posterior, in the mask's slices (and 10 mm above, 20 mm below) and down to 5 mm
    behind its rearmost voxel, all voxels go that lie in front of the mask or of the first tissue that is kept: air,
    with its noise, streaks and partial volumes, and devices.

    Parameters: ``volume`` a ``Volume``; ``mask`` bool on its grid, not empty.
    Raises: MaskError when the body lies in front of half of the mask, or more than 150 ml of it would go.
    """
    result = mask.copy()
    face, region = ras_view(mask, volume.geometry), ras_view(result, volume.geometry)
    spacing = volume.geometry.ras_spacing()
    slices, rows = _planes(face, spacing)
    view = volume.ras()
    body, steps = _kept_body(volume, view, face, spacing)
    lines = covered = lost = 0
    for s in range(slices.start, slices.stop):
        plane = np.ascontiguousarray(face[s])
        kept = (volume.to_hu(np.ascontiguousarray(view[s])) > TISSUE_HU) & ~plane
        kept &= expand(body, steps, (slice(s, s + 1), *(slice(0, n) for n in plane.shape)), offset=0)[0]
        hovering = _hovering(plane, kept)
        lines += np.count_nonzero(plane.any(0))
        covered += np.count_nonzero(plane.any(0) & ~(plane & ~_at_or_behind(kept)).any(0))
        lost += np.count_nonzero((kept & hovering)[rows])
        region[s, rows] |= (~_at_or_behind(kept) | hovering)[rows]
    if lost * np.prod(spacing) > LARGEST_DEVICE_MM3 or covered > MOST_COVERED * lines:
        raise MaskError(f"{volume.name}: the body lies in front of the mask ({100 * covered / lines:.0f} % of it), so "
                        "the face does not look to anterior; correct the volume's orientation or the mask.")
    return result


def _planes(face, spacing):
    """The slices (S) and rows (A) that the levelled region may cover."""
    used = np.flatnonzero(face.any((1, 2)))
    below, above = (int(np.ceil(mm / spacing[0])) for mm in (BELOW_MM, ABOVE_MM))
    behind = int(np.ceil(BEHIND_MM / spacing[1]))
    rear = np.flatnonzero(face.any((0, 2)))[0]
    return (slice(max(used[0] - below, 0), min(used[-1] + 1 + above, face.shape[0])),
            slice(max(rear - behind, 0), face.shape[1]))


def _kept_body(volume, view, face, spacing):
    """Coarse cells of about 2 mm in large pieces of tissue outside the mask, bool, and voxels per cell."""
    cells = Cells(view.shape, spacing, GRID_MM)
    tissue, bone = np.empty(cells.shape, bool), np.empty(cells.shape, bool)

    def look(planes, rows):
        hu = volume.to_hu(np.ascontiguousarray(view[planes]))
        tissue[rows] = cells.count((hu > TISSUE_HU) & ~face[planes]) * 2 > cells.capacity()[rows]
        bone[rows] = cells.any((hu > BONE_HU) & ~face[planes])

    cells.for_slabs(look)
    # Thin bridges, such as a strap or a rest of skin, must not tie what hovers in front to the body.
    labels, _ = ndi.label(ndi.binary_opening(tissue))
    large = np.bincount(labels.ravel()) * np.prod(cells.spacing) >= LEAST_BODY_MM3
    large[0] = False
    body = ndi.binary_dilation(large[labels], np.ones((3, 3, 3)), iterations=2)
    # Thin bones, as those of the nose, stay with the skull.
    return ndi.binary_propagation(body, mask=body | bone), cells.steps


def _at_or_behind(kept):
    """(A, R), A growing forwards: True from the foremost kept voxel of each line backwards."""
    return np.logical_or.accumulate(kept[::-1], axis=0)[::-1]


def _hovering(plane, kept):
    """(A, R): True from the first gap in front of the foremost voxel of the mask on.

    Tissue that touches the mask there stays: it is a lip or a tooth and no device.
    """
    in_front = ~_at_or_behind(plane) & plane.any(0)
    return np.logical_or.accumulate(in_front & ~kept, axis=0)

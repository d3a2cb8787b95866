"""The network's coarse answer, fitted to the CT's own edges at native resolution.

The network works at several millimetres; the skin and the bone are in the volume itself. All arrays
are (S, A, R) over one region, HU and millimetres throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import ndimage as ndi

from ..progress import StageProgress
from ..voxels.anatomy import skeleton
from ..voxels.cells import Cells
from ..voxels.hu import BONE_HU, SKIN_BORDER_HU
from ..voxels.morphology import bounding_box, near

LEAST_ISLAND_MM3 = 150.0
LARGEST_HOLE_MM3 = 500.0
# On held-out heads the network missed more face than it added, and missed face is the worse error.
FACE_LOGIT = -1.0
# Near air the border is pulled to the skin, down to this log-odds (the lowest that ``face.locate`` keeps).
SKIN_LOGIT = -3.0
SKIN_REACH_MM = 4.0


def refine(
    hu: np.ndarray,
    logits: np.ndarray,
    spacing: Sequence[float],
    protected: Callable[[tuple[slice, ...]], np.ndarray] | None = None,
    progress: StageProgress | None = None,
    scale: float = 1,
) -> np.ndarray:
    """Face mask at native resolution.

    Parameters: ``hu`` and ``logits`` (log-odds of face) of the same shape (S, A, R); ``spacing`` (S, A, R)
    in mm; ``protected(three slices)`` bool, which of these voxels are never touched (the brain); ``scale`` stored logits
    per unit of log-odds.
    Returns: bool array, the face: tissue and devices above -500 HU (half air, half skin), without bone, islands below
    150 mm3 or holes below 500 mm3. Pieces are told apart over cells of about 1 mm.
    """
    mask = np.zeros(hu.shape, bool)
    box = bounding_box(logits > SKIN_LOGIT * scale, margin=1)
    if box is None:
        return mask
    hu, logits, face = hu[box], logits[box], mask[box]
    cells = Cells(hu.shape, spacing)
    bone_cells, near_air = _surroundings(hu, logits, cells)
    _report(progress, 0.4)
    forbidden = np.empty(hu.shape, bool)
    counts = np.empty(cells.shape, np.uint16)

    def propose(planes: slice, rows: slice) -> None:
        part, odds = hu[planes], logits[planes]
        forbidden[planes] = (part > BONE_HU) & cells.spread(bone_cells, planes)
        if protected is not None:
            forbidden[planes] |= protected((slice(box[0].start + planes.start, box[0].start + planes.stop), *box[1:]))
        likely = (odds > FACE_LOGIT * scale) | ((odds > SKIN_LOGIT * scale) & cells.spread(near_air, planes))
        face[planes] = likely & (part > SKIN_BORDER_HU) & ~forbidden[planes]
        counts[rows] = cells.count(face[planes])

    cells.for_slabs(propose)
    _report(progress, 0.6)
    kept = without_islands(counts, cells.voxel_mm3)
    holes = small_holes(cells.capacity() - np.where(kept, counts, 0), cells.voxel_mm3)
    _report(progress, 0.8)

    def settle(planes: slice, rows: slice) -> None:
        face[planes] &= cells.spread(kept, planes)
        face[planes] |= cells.spread(holes, planes) & ~forbidden[planes]

    cells.for_slabs(settle)
    return mask


def _surroundings(hu: np.ndarray, logits: np.ndarray, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Per cell: does it hold bone, is air near?"""
    bone, air = np.empty(cells.shape, np.uint16), np.empty(cells.shape, bool)

    def look(planes: slice, rows: slice) -> None:
        bone[rows] = cells.count(hu[planes] > BONE_HU)
        air[rows] = cells.any(hu[planes] <= SKIN_BORDER_HU)

    cells.for_slabs(look)
    with ThreadPoolExecutor(1) as pool:
        near_air = pool.submit(near, air, SKIN_REACH_MM, cells.spacing)
        return skeleton(bone, cells.first(logits), cells.voxel_mm3), near_air.result()


def _report(progress: StageProgress | None, fraction: float) -> None:
    if progress is not None:
        progress.update(fraction)


def without_islands(counts: np.ndarray, voxel_mm3: float) -> np.ndarray:
    """Bool per cell: in a piece (touching also by edge or corner) of at least 150 mm3, or in the largest one.

    Parameters: ``counts`` (S, A, R) of mask voxels per cell.
    """
    occupied = counts > 0
    labels, _ = ndi.label(occupied, np.ones((3, 3, 3)))
    sizes = np.bincount(labels[occupied], counts[occupied])
    if sizes.size:
        keep = sizes * voxel_mm3 >= LEAST_ISLAND_MM3
        keep[sizes.argmax()] = True
        occupied[occupied] = keep[labels[occupied]]
    return occupied


def small_holes(counts: np.ndarray, voxel_mm3: float) -> np.ndarray:
    """Bool per cell: in a piece of the outside, below 500 mm3, that the mask shuts in on all sides.

    Parameters: ``counts`` (S, A, R) of voxels outside of the mask per cell.
    """
    # One more layer all around joins everything outside into a single piece, number 1 at the corner.
    labels, _ = ndi.label(np.pad(counts > 0, 1, constant_values=True))
    labels = labels[1:-1, 1:-1, 1:-1]
    shut_in = labels > 1
    sizes = np.bincount(labels[shut_in], counts[shut_in]) * voxel_mm3
    shut_in[shut_in] = sizes[labels[shut_in]] < LARGEST_HOLE_MM3
    return shut_in

"""Can this mask be a face, and was all of it filled?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from ..head.atlas import SKIN_LOW_MM, SKIN_MM
from ..head.frame import Frame
from ..head.view import HeadView
from ..voxels.hu import TISSUE_HU
from ..voxels.morphology import bounding_box
from ..voxels.padding import is_padding
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume, ras_view
from .check import Check, graded, limits
from .place import ras_point

# The reference masks of the training heads have 256 to 711 ml; a child's, or a cut field of view, less.
LEAST_ML, FEW_ML, MANY_ML, MOST_ML = 20.0, 120.0, 900.0, 1500.0
# They are 142 to 187 mm wide and, also where the head is leant back, at least 95 mm high.
LEAST_WIDTH_MM, LEAST_HEIGHT_MM = 110.0, 75.0
# Head mm: the rear border of what can be face; share of the mask in front of it.
FRONT_MM = -115.0
LEAST_IN_FRONT, FEW_IN_FRONT = 0.6, 0.8


def mask_size(volume: Volume, mask: np.ndarray, frame: Frame | None = None) -> Check:
    """Volume of the mask in ml: 120 to 900 is a face's, below 20 or above 1500 is none.

    A mask that the image does not cut must also be 110 mm wide and 75 mm high along the axes of the head's ``Frame``.
    """
    ml = volume.geometry.millilitres(np.count_nonzero(mask))
    problems = [] if FEW_ML <= ml <= MANY_ML else [f"a face has {FEW_ML:.0f} to {MANY_ML:.0f} ml"]
    small = _too_small(mask, HeadView(volume, frame)) if frame else []
    text = "; ".join([f"The mask has {ml:.0f} ml", *problems, *small]) + "."
    return graded(
        "mask_size",
        ml,
        "ml",
        text,
        first_place(mask, volume),
        fail=bool(small) or not LEAST_ML <= ml <= MOST_ML,
        warn=bool(problems),
        limit=f"warns below {FEW_ML:g} or above {MANY_ML:g} ml, fails below {LEAST_ML:g} or above {MOST_ML:g} ml",
    )


def _too_small(mask: np.ndarray, view: HeadView) -> list[str]:
    """What is wrong with the extent of a mask along the head's axes, a list of texts."""
    seen = view.seen(mask) & view.inside
    box = bounding_box(seen)
    if box is None or (ndi.binary_dilation(seen) & ~view.inside).any():
        return []
    sizes = {
        what: ((box[axis].stop - box[axis].start) * SKIN_MM / view.frame.scale[2 - axis], least)
        for axis, what, least in ((0, "high", LEAST_HEIGHT_MM), (2, "wide", LEAST_WIDTH_MM))
    }
    return [
        f"it is {size:.0f} mm {what}, a face at least {least:.0f} mm" for what, (size, least) in sizes.items() if size < least
    ]


def mask_place(view: HeadView, mask: np.ndarray) -> Check:
    """Share of the mask that lies where a face can be: in front of the ears, between vertex and throat."""
    front = np.zeros(view.inside.shape, bool)
    front[:, int((FRONT_MM - SKIN_LOW_MM[1]) / SKIN_MM) :] = True
    cell_mm3 = SKIN_MM**3 / np.prod(view.frame.scale)
    ml = np.count_nonzero(view.seen(mask) & view.inside & front) * cell_mm3 / 1000
    share = min(ml / view.volume.geometry.millilitres(np.count_nonzero(mask)), 1.0)
    return graded(
        "mask_place",
        share,
        "share",
        f"{100 * share:.0f} % of the mask lies where a face can be.",
        first_place(mask, view.volume),
        fail=share < LEAST_IN_FRONT,
        warn=share < FEW_IN_FRONT,
        limit=limits("share", "below", FEW_IN_FRONT, LEAST_IN_FRONT),
    )


def mask_filled(volume: Volume, stored_after: np.ndarray, mask: np.ndarray, value: float | np.generic) -> Check:
    """Voxels of the mask that are neither the fill's ``value`` (stored) nor padding: none may be.

    The value must look like air (at most -300 HU): one of tissue would draw the face again.
    """

    def unfilled(planes: slice) -> np.ndarray:
        part = stored_after[planes]
        left = mask[planes] & (part != value)
        left[left] = ~(is_padding(volume, part[left]) & (part[left] == volume.stored[planes][left]))
        return left

    count = sum(for_slabs(lambda planes: int(np.count_nonzero(unfilled(planes))), len(mask)))
    hu = float(value) * volume.slope + volume.intercept
    text = f"{count} voxels of the mask are not filled; apply the fill again." if count else "All of the mask is filled."
    if hu > TISSUE_HU:
        text = f"The fill of {hu:.0f} HU looks like tissue, so the face can still be seen; fill with air. {text}"
    return graded(
        "mask_filled",
        count,
        "voxels",
        text,
        first_place(unfilled(slice(None)), volume) if count else None,
        fail=count > 0 or hu > TISSUE_HU,
        limit=f"{limits('voxels', 'above', None, 0)}; a fill {limits('HU', 'above', None, TISSUE_HU)}",
    )


def first_place(mask: np.ndarray, volume: Volume) -> tuple[float, ...] | None:
    """RAS mm of a voxel in the middle plane of ``mask`` (k, j, i), None when it is empty."""
    view = ras_view(mask, volume.geometry)
    planes = np.flatnonzero(view.any((1, 2)))
    if planes.size == 0:
        return None
    s = planes[planes.size // 2]
    a, r = np.argwhere(view[s])[0]
    return ras_point((s, a, r), volume)

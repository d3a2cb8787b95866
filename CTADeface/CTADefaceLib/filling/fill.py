"""What stands in the file where the face was.

``levelled``, the default: the mask and all that lies in front of it (module ``level``), so that nothing in the file
tells where the skin was. The others replace only the mask and the layer around it that is less than half skin, so that
the border of the filled region is the old skin: reversible. ``percentile``: the paper's fill (10th percentile of the
image, Mahmutoglu et al. 2024) computed without padding, so that a scan padded with -3024 is filled with air and not
with padding; ``levelled`` fills in the same value. ``air``: -1000 HU. A number: that many HU. ``published``:
exactly as published, all voxels counted, the mask alone replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, MaskError
from ..voxels.histogram import Histogram
from ..voxels.hu import AIR_HU, PARTIAL_VOLUME_HU, SKIN_BORDER_HU, TISSUE_HU
from ..voxels.padding import is_padding, outside_circle
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume, ras_view, stored_order

if TYPE_CHECKING:
    # SciPy, which Slicer need not wait for when it starts.
    from ..head.ears import Ears
    from ..head.frame import Frame

FILLS = ("levelled", "percentile", "published", "air")
DEFAULT_FILL = FILLS[0]
FILL_PERCENTILE = 10


def parse_fill(text: str | float) -> str | float:
    """'levelled', 'percentile', 'published', 'air' or HU as a float; InputError for anything else."""
    if text in FILLS:
        return text
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{text}: unknown fill; choose {', '.join(FILLS)} or a number of HU.")
    return value


def fill_value(volume: Volume, fill: str | float = DEFAULT_FILL, histogram: Histogram | None = None) -> np.generic:
    """The stored value that ``fill`` means in this volume: rounded and clipped to the volume's dtype.

    ``histogram``: the ``Histogram`` of all stored values, where there is one already.
    """
    fill = parse_fill(fill)
    if fill == "air":
        return volume.from_hu(AIR_HU)
    if isinstance(fill, float):
        return volume.from_hu(fill)
    # Stored values run the other way where the slope is negative.
    percent = FILL_PERCENTILE if volume.slope > 0 else 100 - FILL_PERCENTILE
    hu = _percentile(volume, percent, fill == "published", histogram) * volume.slope + volume.intercept
    # A percentile above this is no air: the background of such a volume is padding.
    return volume.from_hu(AIR_HU if hu > TISSUE_HU and fill != "published" else hu)


def _percentile(volume: Volume, percent: float, count_padding: bool, histogram: Histogram | None) -> float:
    """As ``numpy.percentile`` over the stored values, from a histogram where the dtype allows one."""
    stored = volume.stored
    if not Histogram.fits(stored.dtype):
        stored = stored.ravel()
        body = stored if count_padding else stored[~is_padding(volume, stored)]
        return float(np.percentile(body if body.size else stored, percent))
    if histogram is None:
        counted = histogram = Histogram(stored.dtype)
        for_slabs(lambda planes: counted.add(stored[planes]), len(stored))
    return histogram.percentile(percent, None if count_padding else is_padding(volume, histogram.values))


def filled(
    volume: Volume,
    mask: np.ndarray,
    fill: str | float = DEFAULT_FILL,
    histogram: Histogram | None = None,
    frame: Frame | None = None,
    ears: Ears | None = None,
) -> tuple[np.ndarray, np.generic]:
    """(new stored array (k, j, i) in the volume's dtype with the face filled, stored value of the fill).

    Parameters: ``mask`` bool (k, j, i) on the volume's grid; ``fill`` as above, in HU if a number; ``histogram`` as for
    ``fill_value``; ``frame`` the head's ``Frame`` (``head.pose.locate``), which 'levelled' needs where the head does not
    look to anterior; ``ears`` the volume's ``Ears`` when the mask has ears too, which are levelled to lateral.
    Padding inside the mask stays padding, except for 'published'; for 'levelled' only padding outside of the scanner's
    circle stays.
    Raises: ``MaskError`` for a mask of another shape or an empty one, or one that ``level`` refuses.
    """
    if mask.shape != volume.stored.shape:
        raise MaskError(
            f"{volume.name}: the mask has {mask.shape[::-1]} voxels, the volume "
            f"{volume.stored.shape[::-1]}; make the mask on this volume's own grid."
        )
    if not mask.any():
        raise MaskError(f"{volume.name}: the mask is empty, so that nothing would be removed; draw the face first.")
    value = fill_value(volume, fill, histogram)
    if fill == "levelled":
        return _levelled(volume, mask, value, frame, ears), value
    if fill != "published":
        mask = mask | partial_volume_layer(volume.to_hu(volume.stored), mask)
    stored = np.empty_like(volume.stored)

    def replace(planes: slice) -> None:
        part = stored[planes]
        part[:] = volume.stored[planes]
        where = mask[planes]
        np.copyto(part, value, where=where if fill == "published" else where & ~is_padding(volume, part))

    for_slabs(replace, len(stored))
    return stored, value


def partial_volume_layer(hu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Voxels from -700 to -500 HU that share a face with ``mask``; bool, both arrays of one shape."""
    # SciPy, which Slicer need not wait for when it starts.
    from ..voxels.morphology import beside

    return beside(mask) & ~mask & (hu > PARTIAL_VOLUME_HU) & (hu <= SKIN_BORDER_HU)


def _levelled(volume: Volume, mask: np.ndarray, value: np.generic, frame: Frame | None, ears: Ears | None) -> np.ndarray:
    from ..head.face_lines import FaceLines
    from .level import levelled_region

    face = mask if ears is None else ears.taken_from(mask)
    if not face.any():
        raise MaskError(f"{volume.name}: the mask holds ears only, so that no face would be removed; draw the face first.")
    lines = FaceLines(volume, face, frame)
    box, region = levelled_region(volume, face, lines)
    sides = [] if ears is None else ears.levelled(mask)
    circle = outside_circle(volume)
    if circle is not None:
        # The circle is the scanner's, so it lies along the image's axes.
        outside = np.broadcast_to(circle, volume.ras().shape)
        np.copyto(region, False, where=lines.view(stored_order(outside, volume.geometry))[box])
        for of_side, side in sides:
            np.copyto(side, False, where=outside[of_side])
    # Copied only now, when the memory that finding the region took is free again.
    stored = np.empty_like(volume.stored)
    for_slabs(lambda planes: np.copyto(stored[planes], volume.stored[planes]), len(stored))
    part = lines.view(stored)[box]
    for_slabs(lambda planes: np.copyto(part[planes], value, where=region[planes]), len(region))
    for of_side, side in sides:
        np.copyto(ras_view(stored, volume.geometry)[of_side], value, where=side)
    return stored

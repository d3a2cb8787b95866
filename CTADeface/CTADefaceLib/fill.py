"""What stands in the file where the face was.

``levelled``, the default: the mask and all that lies in front of it (module ``level``), so that nothing in the file
tells where the skin was. The others replace only the mask and the layer around it that is less than half skin, so that
the border of the filled region is the old skin: reversible. ``percentile``: the paper's fill (10th percentile of the
image, Mahmutoglu et al. 2024) computed without padding, so that a scan padded with -3024 is filled with air and not
with padding; this is also the value of ``levelled``. ``air``: -1000 HU. A number: that many HU. ``published``:
exactly as published, all voxels counted, the mask alone replaced.
"""

import numpy as np

from .errors import InputError, MaskError
from .threads import for_slabs

FILLS = ("levelled", "percentile", "published", "air")
DEFAULT_FILL = FILLS[0]
FILL_PERCENTILE = 10
AIR_HU = -1000.0
# Lower than any noise around air: only scanners' padding outside the reconstruction circle.
PADDING_HU = -1500.0


def parse_fill(text):
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


def fill_value(volume, fill=DEFAULT_FILL):
    """The stored value that ``fill`` means in this volume: rounded and clipped to the volume's dtype."""
    fill = parse_fill(fill)
    if fill == "air":
        return volume.from_hu(AIR_HU)
    if isinstance(fill, float):
        return volume.from_hu(fill)
    percentile = _percentile(volume, FILL_PERCENTILE, count_padding=fill == "published")
    return volume.from_hu(percentile * volume.slope + volume.intercept)


def _percentile(volume, percent, count_padding):
    """As ``numpy.percentile`` over the stored values, from a histogram where the dtype allows one."""
    if volume.stored.dtype.kind == "f" or volume.stored.dtype.itemsize > 2:
        stored = volume.stored.ravel()
        body = stored if count_padding else stored[~is_padding(volume, stored)]
        return np.percentile(body if body.size else stored, percent)
    values, counts = _histogram(volume.stored)
    body = counts if count_padding else np.where(is_padding(volume, values), 0, counts)
    cumulated = np.cumsum(body if body.any() else counts)
    rank = (cumulated[-1] - 1) * percent / 100
    below, above = values[np.searchsorted(cumulated, [np.floor(rank), np.ceil(rank)], side="right")]
    return below + (above - below) * (rank - np.floor(rank))


def _histogram(stored):
    """(all values that the integer dtype of ``stored`` can hold, ascending; how often each occurs)."""
    limits = np.iinfo(stored.dtype)
    values = np.arange(limits.min, limits.max + 1)
    native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    # As unsigned numbers the negative values come last.
    unsigned = native.view(f"u{stored.dtype.itemsize}")
    counts = sum(for_slabs(lambda planes: np.bincount(unsigned[planes].ravel(), minlength=len(values)), len(stored)))
    return values, np.roll(counts, -limits.min)


def is_padding(volume, stored):
    """Bool array: which ``stored`` values of the volume are padding (below -1500 HU)."""
    limit = (PADDING_HU - volume.intercept) / volume.slope
    return stored < limit if volume.slope > 0 else stored > limit


def filled(volume, mask, fill=DEFAULT_FILL):
    """(new stored array (k, j, i) in the volume's dtype with the face filled, stored value of the fill).

    Parameters: ``mask`` bool (k, j, i) on the volume's grid; ``fill`` as above, in HU if a number.
    Padding inside the mask stays padding, except for 'published'.
    Raises: ``MaskError`` for a mask of another shape or an empty one, or one that ``level`` refuses.
    """
    if mask.shape != volume.stored.shape:
        raise MaskError(f"{volume.name}: the mask has {mask.shape[::-1]} voxels, the volume "
                        f"{volume.stored.shape[::-1]}; make the mask on this volume's own grid.")
    if not mask.any():
        raise MaskError(f"{volume.name}: the mask is empty, so that nothing would be removed; draw the face first.")
    value = fill_value(volume, fill)
    if fill == "levelled":
        from .level import levelled_region

        mask = levelled_region(volume, mask)
    elif fill != "published":
        from .partial_volume import partial_volume_layer

        mask = mask | partial_volume_layer(volume.to_hu(volume.stored), mask)
    # Only now, when what it took to find the region is free again.
    stored = volume.stored.copy()

    def replace(planes):
        part = stored[planes]
        np.copyto(part, value, where=mask[planes] if fill == "published" else mask[planes] & ~is_padding(volume, part))

    for_slabs(replace, len(stored))
    return stored, value

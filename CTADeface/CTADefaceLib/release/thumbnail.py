"""A small picture of a case before and after, without vtk: it shows the original face, and lies beside the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..files.png import png_bytes
from ..files.storage.private import open_private
from ..voxels.hu import TISSUE_HU
from ..voxels.volume import Volume, foremost, ras_view
from .outgoing import Outgoing

STEP_MM, MOST_PIXELS = 2.0, 160
# HU that are shown black and white in a slice.
WINDOW_HU = (-300.0, 500.0)
GAP_PIXELS = 2


def thumbnail_path(record_path: str | Path) -> Path:
    """Where the picture of a record lies: "<record>_thumbnail.png" beside it."""
    return Path(record_path).with_name(f"{Path(record_path).stem}_thumbnail.png")


def write_thumbnail(outgoing: Outgoing, path: Path) -> None:
    """Write the ``thumbnail`` of a case to ``path``, for the owner only. Raises: OSError."""
    picture = thumbnail(outgoing.volume, outgoing.stored, outgoing.mask)
    with open_private(path, "wb") as stream:
        stream.write(png_bytes(picture))


def thumbnail(volume: Volume, stored: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Grey picture, uint8 (rows, columns), of a volume before and, with the values ``stored`` (k, j, i), after.

    From left to right: the surface seen from the front before and after, the sagittal slice through the middle of the
    face's ``mask``, bool (k, j, i), before and after. The head is upright, and looks to the left in the slices.
    """
    places = _places(volume)
    coarse_mask = ras_view(mask, volume.geometry)[np.ix_(*places)].any((0, 1))
    middle = int(np.flatnonzero(coarse_mask).mean()) if coarse_mask.any() else len(coarse_mask) // 2
    # (S, A, R), coarse.
    both = [volume.to_hu(ras_view(values, volume.geometry)[np.ix_(*places)]) for values in (volume.stored, stored)]
    step = _step(volume)
    panels = [_front(hu, step) for hu in both] + [_slice(hu[:, :, middle]) for hu in both]
    gap = np.full((panels[0].shape[0], GAP_PIXELS), 255, np.uint8)
    return np.concatenate([part for panel in panels for part in (panel, gap)][:-1], 1)


def _step(volume: Volume) -> float:
    """The size of a pixel in mm."""
    extents = np.multiply(volume.ras().shape, volume.geometry.ras_spacing())
    return max(STEP_MM, float(extents.max()) / MOST_PIXELS)


def _places(volume: Volume) -> list[np.ndarray]:
    """Indices along S, A and R of the voxels that become pixels."""
    step = _step(volume)
    return [
        np.minimum(np.arange(0, size * spacing, step) / spacing, size - 1).astype(np.intp)[:MOST_PIXELS]
        for size, spacing in zip(volume.ras().shape, volume.geometry.ras_spacing())
    ]


def _front(hu: np.ndarray, step: float) -> np.ndarray:
    """The surface of tissue in (S, A, R) seen from the front, bright where it faces the viewer."""
    surface = foremost(hu > TISSUE_HU)
    height = surface * step
    down, across = np.gradient(height, step) if min(height.shape) > 1 else (np.zeros(height.shape),) * 2
    light = 1 / np.sqrt(1 + down**2 + across**2)
    # The viewer sees the patient's right side on the left.
    return np.where(surface >= 0, 55 + 200 * light, 0).astype(np.uint8)[::-1, ::-1]


def _slice(hu: np.ndarray) -> np.ndarray:
    """A slice (S, A) of HU in grey."""
    low, high = WINDOW_HU
    return (np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)[::-1, ::-1]

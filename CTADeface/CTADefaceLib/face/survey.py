"""One pass over every voxel before a face is looked for: is it a CT, its histogram, its model grid. It needs no torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..network.model_grid import ModelGrid, grid_shape, intensity
from ..progress import StageProgress
from ..voxels.ct_check import CtCheck
from ..voxels.histogram import Histogram
from ..voxels.slabs import for_slabs
from ..voxels.volume import Volume, ras_view

if TYPE_CHECKING:
    from ..head.ears import Ears
    from ..head.frame import Frame
    from ..models.folder import ModelInfo


class Survey:
    """The check, the histogram and the model's view of one ``Volume``; each plane is added once, from any thread.

    ``histogram``: a ``Histogram``, None for a dtype with too many values.
    """

    def __init__(self, volume: Volume, info: ModelInfo | None = None) -> None:
        """``info``: ``ModelInfo`` of the model that will see the whole volume, if any."""
        self._volume = volume
        self._check = CtCheck(volume)
        self.histogram = Histogram(volume.stored.dtype) if Histogram.fits(volume.stored.dtype) else None
        self._grid = None
        if info is not None:
            self._grid = ModelGrid(volume.stored.shape, self._stored_order(self._shape(info)), intensity(info))

    def add(self, planes: slice) -> None:
        """Look at the slices ``planes`` of the stored array."""
        stored = self._volume.stored[planes]
        hu = self._volume.to_hu(stored)
        if self.histogram is not None:
            self.histogram.add(stored)
        else:
            self._check.add(hu)
        if self._grid is not None:
            self._grid.add(planes, hu)

    def check(self) -> None:
        """Raise ``InputError`` unless the volume can be a CT (see ``CtCheck``); all its planes must have been added."""
        check = self._check
        if self.histogram is not None:
            check = CtCheck(self._volume)
            check.add_histogram(self.histogram)
        check.decide()

    def seen_by(self, info: ModelInfo) -> np.ndarray | None:
        """The whole volume on the grid of the model ``info``, float32 (S, A, R); None if made for another grid."""
        grid = self._grid
        if grid is None or grid.shape != self._stored_order(self._shape(info)) or grid.intensity != intensity(info):
            return None
        return np.ascontiguousarray(ras_view(grid.result(), self._volume.geometry))

    @cached_property
    def brain(self) -> tuple[np.ndarray, tuple[int, ...]]:
        """``anatomy.brain`` of the volume; found when first asked for."""
        # SciPy, whose import would hold up the reading.
        from ..voxels.anatomy import brain

        return brain(self._volume)

    @cached_property
    def frame(self) -> Frame | None:
        """The ``Frame`` of the head in the volume, None when none is found; found when first asked for."""
        from ..head.pose import locate

        return locate(self._volume)

    @cached_property
    def ears(self) -> Ears:
        """The ``Ears`` of the volume; found when first asked for."""
        from ..head.ears import Ears

        return Ears(self._volume, self.frame)

    def _shape(self, info: ModelInfo) -> tuple[int, ...]:
        return grid_shape(self._volume.ras().shape, self._volume.geometry.ras_spacing(), info)

    def _stored_order(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape (S, A, R) as (k, j, i)."""
        axes = [axis for axis, _ in self._volume.geometry.ras_order()]
        return tuple(shape[::-1][axes.index(axis)] for axis in (2, 1, 0))


def surveyed(volume: Volume, info: ModelInfo | None = None, progress: StageProgress | None = None) -> Survey:
    """The finished ``Survey`` of a volume that is in memory."""
    result, planes, begun, lock = Survey(volume, info), len(volume.stored), 0, threading.Lock()

    def add(slab: slice) -> None:
        nonlocal begun
        if progress is not None:
            with lock:
                progress.update(begun / planes)
                begun += slab.stop - slab.start
        result.add(slab)

    for_slabs(add, planes)
    return result

"""The next case of a batch, read while a person looks at the present one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..batch.correct import kept_structures, open_case
from ..batch.review_queue import Item
from ..errors import CTADefaceError
from ..voxels.images import mask_on_grid
from ..voxels.kept import Structure
from ..voxels.volume import Geometry
from .background import Later

# Seldom, as a person scrolls through the present case meanwhile.
EVERY_MS = 40


class ReadCase(NamedTuple):
    """The original of a case, ``hu`` (k, j, i) on its ``geometry``, and its face ``mask`` on the same grid, if it has one.

    ``kept``: the structures that were kept in it, on the same grid, or the error that says why they cannot be read.
    """

    hu: np.ndarray
    geometry: Geometry
    mask: np.ndarray | None
    kept: tuple[Structure, ...] | CTADefaceError


def read_case(item: Item) -> ReadCase:
    """Raises: InputError, MaskError, MissingPackages."""
    source, given = open_case(item)
    hu = np.ascontiguousarray(source.to_hu(source.stored))
    mask = None if given is None else mask_on_grid(given, source)
    kept: tuple[Structure, ...] | CTADefaceError
    try:
        kept = kept_structures(item, source)
    except CTADefaceError as error:
        # The case can be looked at all the same.
        kept = error
    return ReadCase(hu, source.geometry, mask, kept)


class ReadAhead:
    """Holds one case at most, which ``begin`` reads in a thread and ``take`` gives out."""

    def __init__(self) -> None:
        self._item: Item | None = None
        self._reading = Later[ReadCase](EVERY_MS)

    def begin(self, item: Item | None) -> None:
        """Read ``item`` in place of what was read ahead before; None: nothing."""
        if item is not None and item == self._item:
            return
        self.forget()
        if item is not None:
            self._item = item
            self._reading.start(lambda: read_case(item))

    def take(self, item: Item) -> ReadCase:
        """What was read ahead of ``item``, or, if that was not, the case read now. Raises: as ``read_case``; Cancelled."""
        if item != self._item:
            self.begin(item)
        self._item = None
        return self._reading.answer()

    def forget(self) -> None:
        """Let go of the voxels; a file that is being read is read to its end first."""
        self._item = None
        self._reading.drop()

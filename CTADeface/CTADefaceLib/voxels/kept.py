"""Structures that a person wants kept, such as orbits, lymph nodes or target volumes: their voxels are never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import MaskError
from .volume import Volume

# A structure that spares more of the face mask is the body's contour, or an inverted mask.
MOST_SPARED = 0.5


def default_name(number: int) -> str:
    """What checks and record call the structure ``number`` (from 1) where it has no name, or that name must not be told."""
    return f"keep {number}"


@dataclass(frozen=True)
class Structure:
    """One structure; ``part`` bool, the ``box`` (three slices) of an array (k, j, i) that holds all its voxels.

    ``called``: how errors name it to the person who gave it, where checks and record may not.
    """

    name: str
    box: tuple[slice, ...]
    part: np.ndarray
    called: str

    @classmethod
    def of(cls, name: str, mask: np.ndarray) -> Structure:
        """The structure of a mask, bool (k, j, i), which may be empty."""
        # SciPy, which Slicer need not wait for when it starts.
        from .morphology import bounding_box

        box = bounding_box(mask) or (slice(0, 0),) * 3
        return cls(name, box, mask[box].copy(), name)

    def renamed(self, name: str) -> Structure:
        """The same structure under another name for checks and record."""
        return replace(self, name=name)

    def moved(self, mask: np.ndarray) -> Structure:
        """A structure of the same names with the voxels of another ``mask``, bool (k, j, i)."""
        return replace(Structure.of(self.name, mask), called=self.called)

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return int(np.count_nonzero(self.part))

    def in_mask(self, mask: np.ndarray) -> int:
        """How many of its voxels lie in ``mask``, bool (k, j, i)."""
        return int(np.count_nonzero(mask[self.box] & self.part))

    def whole(self, shape: Sequence[int]) -> np.ndarray:
        """The structure as a bool array (k, j, i) of ``shape``."""
        mask = np.zeros(tuple(shape), bool)
        mask[self.box] = self.part
        return mask


@dataclass(frozen=True)
class Kept:
    """All ``structures`` that are kept on a grid of ``shape`` (k, j, i) voxels."""

    structures: tuple[Structure, ...]
    shape: tuple[int, ...]

    @cached_property
    def mask(self) -> np.ndarray:
        """Bool (k, j, i): in one of the structures."""
        mask = np.zeros(self.shape, bool)
        for structure in self.structures:
            mask[structure.box] |= structure.part
        return mask

    @property
    def names(self) -> str:
        """The names of the structures, as a text."""
        return ", ".join(structure.name for structure in self.structures)

    def largest_in(self, mask: np.ndarray) -> Structure:
        """The structure that holds most of ``mask``, bool (k, j, i)."""
        return max(self.structures, key=lambda structure: structure.in_mask(mask))

    def renamed(self, names: Sequence[str]) -> Kept:
        """The same structures under other names."""
        return Kept(tuple(one.renamed(name) for one, name in zip(self.structures, names, strict=True)), self.shape)

    @cached_property
    def _box(self) -> tuple[slice, ...]:
        """Three slices that hold all structures."""
        boxes = [structure.box for structure in self.structures if structure.part.size]
        if not boxes:
            return (slice(0, 0),) * 3
        return tuple(slice(min(one.start for one in axis), max(one.stop for one in axis)) for axis in zip(*boxes))

    def spared(self, mask: np.ndarray) -> int:
        """How many voxels of the face ``mask`` (bool (k, j, i)) are not filled because of the structures."""
        return int(np.count_nonzero(mask[self._box] & self.mask[self._box]))

    def spares_too_much(self, mask: np.ndarray) -> bool:
        """Would more than half of the face ``mask`` stay?"""
        return bool(self.spared(mask) > MOST_SPARED * np.count_nonzero(mask))

    def restore(self, stored: np.ndarray, original: np.ndarray) -> None:
        """Give the voxels of the structures in ``stored`` (k, j, i), which is changed, their ``original`` values again."""
        np.copyto(stored[self._box], original[self._box], where=self.mask[self._box])

    def changed(self, stored: np.ndarray, original: np.ndarray) -> int:
        """How many voxels of the structures differ between two arrays (k, j, i): none may."""
        box = self._box
        return int(np.count_nonzero((stored[box] != original[box]) & self.mask[box]))


def kept_on(volume: Volume, named: Iterable[tuple[str, np.ndarray]]) -> Kept | None:
    """``Kept`` of (name, bool (k, j, i)) pairs on the grid of a ``Volume``; None without any.

    Raises: MaskError, naming the structure, for another shape or an empty mask.
    """
    structures = []
    for name, mask in named:
        if mask.shape != volume.stored.shape:
            raise MaskError(
                f"{name}: has {mask.shape[::-1]} voxels, the volume {volume.stored.shape[::-1]}; "
                "make what is to be kept on this volume's own grid."
            )
        if not mask.any():
            raise MaskError(f"{name}: what is to be kept is empty; leave it out, or choose another structure.")
        structures.append(Structure.of(name, mask))
    return Kept(tuple(structures), volume.stored.shape) if structures else None


def kept_of(keep: Any, volume: Volume, as_mask: Callable[[Any], np.ndarray] = np.asarray) -> Kept | None:
    """``Kept`` of what a Python program gives: a mask, a list of masks, or {name: mask}; None of None.

    ``as_mask`` makes a bool array (k, j, i) of each; by default they are such arrays.
    Raises: MaskError for an empty one or another shape, and what
    ``as_mask`` raises.
    """
    if keep is None:
        return None
    if isinstance(keep, Mapping):
        named = list(keep.items())
    else:
        named = [(default_name(n), mask) for n, mask in enumerate(keep if isinstance(keep, list) else [keep], 1)]
    return kept_on(volume, ((name, as_mask(mask)) for name, mask in named))

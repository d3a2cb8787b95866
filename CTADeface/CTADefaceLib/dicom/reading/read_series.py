"""A stack of slices as the engine's ``Volume``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError, OutOfMemory
from ...progress import StageProgress
from ...voxels.volume import Volume
from .pixels import read_dataset, read_words, stored_limits, values_of
from .stack import Stack

if TYPE_CHECKING:
    from pydicom import Dataset

INT16 = np.iinfo(np.int16)


def each_file(stack: Stack) -> Collection[tuple[Path, list[int]]]:
    """(path, [indices of its planes in the stack]) of every file of a stack, in the stack's order."""
    files: dict[Path, list[int]] = {}
    for index, plane in enumerate(stack.planes):
        files.setdefault(plane.path, []).append(index)
    return files.items()


def read_frames(stack: Stack, path: Path, indices: list[int]) -> tuple[Dataset, np.ndarray]:
    """(``pydicom.Dataset``, uint16 words (frames, rows, columns)) of the file whose planes in the stack are ``indices``.

    Raises: InputError unless they are all of the file's frames: one that is no slice of the volume would keep its face.
    """
    dataset = read_dataset(path)
    words = read_words(dataset, path.name)
    frames = sorted(stack.planes[index].frame for index in indices)
    if words.shape[1:] != (stack.rows, stack.columns):
        raise InputError(f"{path.name}: its size changed while it was read; try again.")
    if frames != list(range(len(words))):
        raise InputError(
            f"{path.name}: holds {len(words)} frames, which are not the {len(frames)} slices of its volume; export it again."
        )
    return dataset, words


def read_stack(
    stack: Stack, name: str, progress: StageProgress | None = None, begun: Callable[[Volume], None] | None = None
) -> Volume:
    """``Volume`` of a ``Stack``: stored values where all slices share slope and intercept, else HU.

    HU are int16 where that is exact, float32 otherwise. ``begun(volume)`` is called before pixels are read, with a
    ``Volume`` as large. Raises: InputError, MissingPackages, OutOfMemory.
    """
    try:
        words, done = np.empty((len(stack.planes), stack.rows, stack.columns), np.uint16), 0
    except (MemoryError, ValueError) as error:
        raise OutOfMemory(f"{name}: its slices do not fit into memory ({error}); close other programs.") from None
    if begun is not None:
        begun(Volume(words, stack.geometry, name=name))
    for path, indices in each_file(stack):
        _dataset, frames = read_frames(stack, path, indices)
        for index in indices:
            words[index] = frames[stack.planes[index].frame]
        done += len(indices)
        if progress is not None:
            progress.update(done / len(stack.planes))
    return volume_of(stack, words, name)


def volume_of(stack: Stack, words: np.ndarray, name: str) -> Volume:
    """The ``Volume`` of words (k, rows, columns)."""
    first = stack.planes[0]
    if stack.uniform:
        values = np.stack([values_of(plane_words, plane.bits) for plane_words, plane in zip(words, stack.planes)])
        fewest = min(plane.bits[0] for plane in stack.planes)
        return Volume(
            values, stack.geometry, first.slope, first.intercept, name, limits=stored_limits((fewest, first.bits[1]))
        )
    return Volume(_hu(stack, words), stack.geometry, name=name, limits=_common_hu(stack))


def _hu(stack: Stack, words: np.ndarray) -> np.ndarray:
    hu = np.empty(words.shape, np.float32)
    for index, plane in enumerate(stack.planes):
        hu[index] = values_of(words[index], plane.bits) * np.float32(plane.slope) + np.float32(plane.intercept)
    whole = all(float(x).is_integer() for p in stack.planes for x in (p.slope, p.intercept))
    return hu.astype(np.int16) if whole and hu.min() >= INT16.min and hu.max() <= INT16.max else hu


def _common_hu(stack: Stack) -> tuple[float, float]:
    """(lowest, highest) HU that every slice can hold."""
    ends = np.array([sorted(limit * p.slope + p.intercept for limit in stored_limits(p.bits)) for p in stack.planes])
    return float(ends[:, 0].max()), float(ends[:, 1].min())

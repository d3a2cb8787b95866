"""Structures that are kept in a study: given on one series' slices or on a grid of their own, applied to every series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..cases.keep import keep_files, labels_of
from ..errors import MaskError
from ..voxels.kept import Kept, Structure, default_name
from ..voxels.volume import Geometry, Volume
from .reading.grid import even_mask, mask_on_stack
from .reading.input_files import is_dicom
from .reading.series import Series
from .reading.stack import Stack
from .structure_set import structures_of


@dataclass(frozen=True)
class GivenStructure:
    """A structure on a grid (``geometry``, ``shape`` (k, j, i)), from which it is resampled to any series.

    ``own``: the same on the very slices of the series that the face mask is made on, where that is known.
    """

    given: Structure
    geometry: Geometry
    shape: tuple[int, ...]
    own: Structure | None = None

    def on(self, stack: Stack, chosen: bool) -> Structure:
        """The structure on the slices of ``stack``; ``chosen``: it is the series that the face mask is made on."""
        if chosen and self.own is not None:
            return self.own
        return self.given.moved(mask_on_stack(self.given.whole(self.shape), self.geometry, stack))

    def renamed(self, name: str) -> GivenStructure:
        """The same under another name."""
        return replace(self, given=self.given.renamed(name), own=None if self.own is None else self.own.renamed(name))


def kept_on_stack(structures: Sequence[GivenStructure], stack: Stack, chosen: bool) -> Kept | None:
    """``Kept`` on the slices of ``stack``, None without structures; those that do not reach into it are empty there."""
    if not structures:
        return None
    shape = len(stack.planes), stack.rows, stack.columns
    return Kept(tuple(structure.on(stack, chosen) for structure in structures), shape)


def structure_on_series(own: Structure, volume: Volume, stack: Stack) -> GivenStructure:
    """A structure on the slices of a series and its ``Volume``, for all series."""
    even, geometry = even_mask(own.whole(volume.stored.shape), volume, stack)
    return GivenStructure(own.moved(even), geometry, even.shape, own)


def structures_of_files(
    keep: Sequence[str], chosen: Series, volume: Volume, stack: Stack, with_names: bool
) -> list[GivenStructure]:
    """The structures of labelmaps and RTSTRUCTs that ``--keep`` names; ``with_names``: their own, for the record.

    Raises: InputError, MaskError for one that is empty in the ``chosen`` series, MissingPackages.
    """
    found: list[GivenStructure] = []
    for name, structure in _given(keep, chosen, volume, stack):
        if structure.on(stack, True).voxels == 0:
            raise MaskError(
                f"{structure.given.called}: what is to be kept is empty or does not lie in {chosen.label}; leave it out."
            )
        found.append(structure.renamed(name if with_names else default_name(len(found) + 1)))
    return found


def _given(keep: Sequence[str], chosen: Series, volume: Volume, stack: Stack) -> Iterator[tuple[str, GivenStructure]]:
    """(name for the record, structure that is called by its file) of what ``--keep`` names."""
    for path, wanted in keep_files(keep):
        if is_dicom(path):
            for name, mask in structures_of(path, wanted, stack, chosen.frame_of_reference):
                yield name, structure_on_series(Structure.of(f"{path}:{name}", mask), volume, stack)
            continue
        for name, given in labels_of(path, wanted):
            one = Structure.of(given.name, given.stored > 0)
            same = given.stored.shape == volume.stored.shape and given.geometry.matches(volume.geometry)
            yield name, GivenStructure(one, given.geometry, given.stored.shape, one if same else None)

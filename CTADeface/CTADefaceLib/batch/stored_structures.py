"""The structures that were kept in a case of a batch, as they lie beside its mask in the hospital's folder."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..files.read import read_volume
from ..release.hospital_folder import kept_path
from ..voxels.images import mask_on_grid
from ..voxels.kept import Structure
from ..voxels.volume import Volume
from .review_queue import Item


def stored_structures(item: Item, record: dict[str, Any], grid: Volume) -> tuple[Structure, ...]:
    """The structures that the ``record`` of an ``Item`` names, on the ``grid`` of its original; empty when there are none.

    Raises: InputError when one of them is not stored, as by a version that stored none, or is empty there, as in a study
    another series of which holds it; MaskError for another grid.
    """
    kept = record.get("kept") or {"structures": []}
    return tuple(_read(item, number, one["name"], grid) for number, one in enumerate(kept["structures"], 1))


def _read(item: Item, number: int, name: str, grid: Volume) -> Structure:
    path = kept_path(item.mask, number) if item.mask is not None else None
    if path is None or not path.is_file():
        missing = f" ({path.name} is missing)" if path is not None else ""
        raise InputError(
            f"{item.case}: the structures that were kept in it are not stored{missing}, so that a correction would fill them; "
            "put the file back, choose again what is kept, or deface this case by itself with cta-deface run --keep."
        )
    structure = Structure.of(name, mask_on_grid(read_volume(path), grid))
    if structure.voxels == 0:
        raise InputError(
            f"{item.case}: {name}, which was kept in it, does not lie in the series of its mask; a correction would fill "
            "it in other series; choose again what is kept, or deface this case by itself with cta-deface run --keep."
        )
    return structure

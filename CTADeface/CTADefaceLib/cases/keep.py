"""Files of structures that are kept: what ``--keep`` names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files.read import read_volume
from ..voxels.images import mask_on_grid
from ..voxels.kept import Kept, default_name, kept_on
from ..voxels.volume import Volume


def keep_files(options_keep: Sequence[str]) -> list[tuple[Path, list[str]]]:
    """[(file, structures of it)] of texts FILE or FILE:STRUCTURE,STRUCTURE; no structures means all.

    Raises: InputError, naming the file, when there is none.
    """
    found = []
    for text in options_keep:
        # A colon may also belong to the path.
        whole = Path(text)
        path, colon, names = text.rpartition(":")
        if whole.is_file():
            found.append((whole, list[str]()))
        elif colon and Path(path).is_file():
            found.append((Path(path), [name.strip() for name in names.split(",") if name.strip()]))
        else:
            raise InputError(f"--keep {text}: no such file; give a mask on the grid of the volume, as FILE or FILE:LABEL.")
    return found


def labels_of(path: Path, labels: Sequence[str]) -> Iterator[tuple[str, Volume]]:
    """(name, mask of 0 and 1) of each wanted label of a labelmap file, or of all that is not 0, without labels."""
    volume = read_volume(path)
    if not labels:
        yield path.name, Volume(volume.as_mask().view(np.uint8), volume.geometry, name=str(path))
        return
    values = np.rint(volume.stored * volume.slope + volume.intercept)
    for label in labels:
        if not label.isdecimal():
            raise InputError(f"--keep {path}:{label}: a labelmap has numbers, not names; give FILE:NUMBER.")
        yield f"{path.name}:{label}", Volume((values == int(label)).view(np.uint8), volume.geometry, name=f"{path}:{label}")


def kept_files(options_keep: Sequence[str], volume: Volume, with_names: bool, called: Sequence[str] = ()) -> Kept | None:
    """``Kept`` of labelmap files on the grid of a ``Volume``, None without any.

    The record calls the structures as in ``called``, or, ``with_names``, by their files, or by numbers.

    Raises: InputError, MaskError for another grid or an empty structure.
    """
    masks = [one for path, labels in keep_files(options_keep) for one in labels_of(path, labels)]
    # Named by their files as long as they may be refused.
    kept = kept_on(volume, ((mask.name, mask_on_grid(mask, volume)) for _name, mask in masks))
    names = called or [name if with_names else default_name(n) for n, (name, _mask) in enumerate(masks, 1)]
    return kept and kept.renamed(names)

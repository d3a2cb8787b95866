"""Whether the skin can be found again in a defaced file: an attack by hand-made clues, on any mask and fill.

The attacker has the file and knows the method. On each line from anterior to posterior over the face he guesses where
the skin was. The file gives him clues: the foremost border of a constant region (each of the most frequent exact values is
tried), the foremost border of a region without noise, and the foremost step of the HU. Each guess is moved by any amount,
and the move that is best for the attacker counts, though a real one would not know it. The yardstick uses no clue: it is
the average depth of soft tissue over what is left. Errors are medians over the face's lines, in mm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from ...voxels.hu import TISSUE_HU
from ...voxels.volume import Volume, foremost, ras_view

if TYPE_CHECKING:
    from ...head.frame import Frame

NOISE_HU = 12.0
NOISE_VOXELS = 0.6
MOST_FREQUENT = 8
MOVES_MM = np.arange(-30.0, 30.5, 0.5)
FLAT_HU = 0.5
STEP_HU = 150.0
RUN = 3


def noisy(volume: Volume, seed: int) -> Volume:
    """The volume as int16 HU with correlated noise everywhere, as a scan with air has it."""
    random = np.random.default_rng(seed)
    noise = ndi.gaussian_filter(random.standard_normal(volume.stored.shape, np.float32), NOISE_VOXELS)
    hu = volume.to_hu(volume.stored).astype(np.float32) + noise * (NOISE_HU / noise.std())
    return Volume(np.rint(hu).astype(np.int16), volume.geometry, name=volume.name)


def runs(hit: np.ndarray) -> np.ndarray:
    """Bool (S, A, R): voxels from which ``hit`` goes on for three voxels backwards."""
    result = hit.copy()
    for back in range(1, RUN):
        result[:, back:] &= hit[:, :-back]
        result[:, :back] = False
    return result


def clues(hu: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> (S, R) index along A of where the skin seems to have been by the file itself, -1 where it says nothing."""
    values, counts = np.unique(hu, return_counts=True)
    found = {}
    for number, value in enumerate(values[np.argsort(counts)[::-1][:MOST_FREQUENT]]):
        found[f"constant {number}"] = foremost(runs(hu == value))
    values = hu.astype(np.float32)
    mean = ndi.uniform_filter(values, 3)
    deviation = np.sqrt(np.maximum(ndi.uniform_filter(values**2, 3) - mean**2, 0))
    found["no noise"] = foremost(deviation < FLAT_HU)
    found["step"] = foremost(np.abs(np.diff(values, axis=1, prepend=values[:, :1])) > STEP_HU)
    return found


def inner_borders(hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two (S, R) of the foremost voxel of what is left of the head: of any tissue, and of tissue without specks."""
    tissue = hu > TISSUE_HU
    return foremost(tissue), foremost(ndi.binary_opening(tissue, iterations=1))


def error_of(guess: np.ndarray, skin: np.ndarray, spacing: float, moved: bool = True) -> float:
    """Median |error| in mm over the lines of ``skin``; a line without a guess counts as the farthest one seen."""
    distance = (guess - skin) * spacing
    distance = np.where(guess >= 0, distance, np.nan)
    if np.isfinite(distance).mean() < 0.2:
        return np.inf
    distance = np.where(np.isfinite(distance), distance, np.nanmax(np.abs(distance)))
    moves = MOVES_MM if moved else [0.0]
    return float(min(np.median(np.abs(distance + move)) for move in moves))


def boundary_error(
    volume: Volume, mask: np.ndarray, fill: str | float, frame: Frame | None = None
) -> dict[str, str | float] | None:
    """The attacker's error on a head with noise (see ``noisy``), filled.

    Parameters: ``volume`` a ``Volume``; ``mask`` bool (k, j, i), not empty; ``fill`` and ``frame`` as for
    ``fill.filled``.
    Returns: dict of ``clue`` (the best one), ``moved_mm`` its error when moved, ``as_shown_mm`` the least error
    without a move, ``depth_only_mm`` the yardstick, and ``lines`` their number; None without lines.
    Raises: MaskError as ``fill.filled``.
    """
    from ...filling.fill import filled

    face = ras_view(mask, volume.geometry)
    used = np.flatnonzero(face.any((1, 2)))
    slices = slice(used[0], used[-1] + 1)
    spacing = volume.geometry.ras_spacing()[1]
    skin = foremost(ndi.binary_opening(volume.ras()[slices] > TISSUE_HU, iterations=1))
    lines = (skin >= 0) & np.take_along_axis(face[slices], np.maximum(skin, 0)[:, None], 1)[:, 0]
    if not lines.any():
        return None
    hu = ras_view(filled(volume, mask, fill, frame=frame)[0], volume.geometry)[slices]
    yardstick = min(error_of(guess[lines], skin[lines], spacing) for guess in inner_borders(hu))
    guesses = {name: guess[lines] for name, guess in clues(hu).items()}
    errors = {name: error_of(guess, skin[lines], spacing) for name, guess in guesses.items()}
    best = min(errors, key=lambda name: errors[name])
    return {
        "clue": best,
        "moved_mm": errors[best],
        "depth_only_mm": yardstick,
        "lines": int(lines.sum()),
        "as_shown_mm": min(error_of(guess, skin[lines], spacing, moved=False) for guess in guesses.values()),
    }

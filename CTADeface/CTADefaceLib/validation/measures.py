"""Measure one method on one head: overlap with the reference, and what the fill took and left.

The surface of a mask is its voxels with a neighbour (by face) outside of it; distances are measured between voxel centres
and each surface voxel counts once. Where voxels are larger than the tolerance of a surface Dice, only surface voxels that
coincide agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from ..checks.face_left import FaceLeft
from ..checks.untouched import bone_untouched, brain_untouched, find_changes
from ..errors import MaskError
from ..head.skin import Skin
from ..voxels.anatomy import brain
from ..voxels.volume import Volume
from .attacks.attack import boundary_error

if TYPE_CHECKING:
    from ..head.frame import Frame
    from .protocol import Protocol

Distances = tuple[np.ndarray, np.ndarray]


def overlap(volume: Volume, mask: np.ndarray, reference: np.ndarray, protocol: Protocol) -> dict[str, float]:
    """Agreement of a mask with the reference, both bool (k, j, i).

    ``dice`` compares the masks as they are. Some methods' masks reach far into the air, which harms nobody: all other
    figures count tissue only (above ``protocol.tissue_hu``). ``over_ml``: tissue that is removed though the reference
    keeps it; ``missed_ml``: tissue that is kept though the reference removes it.
    """
    tissue = volume.to_hu(volume.stored) > protocol.tissue_hu
    ours, wanted = mask & tissue, reference & tissue
    distances = surface_distances(ours, wanted, volume.geometry.spacing[::-1])
    ml = float(np.prod(volume.geometry.spacing)) / 1000
    return {
        "dice": dice(mask, reference),
        "dice_tissue": dice(ours, wanted),
        "hd95_mm": hausdorff95(distances),
        "surface_dice": surface_dice(distances, protocol.surface_tolerance_mm),
        "mask_ml": float(mask.sum()) * ml,
        "over_ml": float((ours & ~wanted).sum()) * ml,
        "missed_ml": float((wanted & ~ours).sum()) * ml,
    }


def left_and_lost(
    volume: Volume, skin: Skin | None, mask: np.ndarray, after: np.ndarray, value: float | np.generic
) -> dict[str, float | None]:
    """Residual skin, and changed brain and bone, by the product's own checks.

    Parameters: ``skin`` the ``head.skin.Skin`` of the original, None where no head was found in it; ``after`` the stored
    values after the fill with ``value``. The residual skin is judged by the average face: by its own mask a method would
    judge itself.
    """
    frame = skin.view.frame if skin else None
    return {
        "residual_skin": FaceLeft(skin, after).share if skin else None,
        "brain_ml": brain_untouched(volume, after, *brain(volume)).value,
        "bone_ml": bone_untouched(find_changes(volume, after, mask, value, frame), volume).value,
    }


def attacked(
    noisy_volume: Volume, mask: np.ndarray, fill: str | float, frame: Frame | None = None
) -> dict[str, str | float | None]:
    """``attack.boundary_error`` with its keys prefixed; None, and the reason, where the attack cannot be run."""
    try:
        found, reason = boundary_error(noisy_volume, mask, fill, frame), "no line of skin in the mask"
    except MaskError as error:
        found, reason = None, str(error)
    if found is None:
        return {"attack_moved_mm": None, "attack_depth_only_mm": None, "attack_as_shown_mm": None, "attack_note": reason}
    return {f"attack_{key}": found[key] for key in ("moved_mm", "depth_only_mm", "as_shown_mm", "clue")}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice coefficient of two bool arrays, 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def surface_distances(a: np.ndarray, b: np.ndarray, spacing: Sequence[float]) -> Distances | None:
    """Distances in mm from each surface voxel of ``a`` to the surface of ``b``, and from ``b`` to ``a``.

    Parameters: bool arrays of one shape; ``spacing`` in mm in the order of their axes.
    Returns: two 1-D arrays, or None when a mask is empty.
    """
    if not a.any() or not b.any():
        return None
    box = ndi.find_objects((a | b).astype(np.uint8))[0]
    surface_a, surface_b = _surface(a[box]), _surface(b[box])
    return (
        ndi.distance_transform_edt(~surface_b, spacing)[surface_a],
        ndi.distance_transform_edt(~surface_a, spacing)[surface_b],
    )


def _surface(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndi.binary_erosion(mask)


def hausdorff95(distances: Distances | None) -> float:
    """The larger of the two directions' 95th percentiles in mm; infinite without distances."""
    return float("inf") if distances is None else float(max(np.percentile(d, 95) for d in distances))


def surface_dice(distances: Distances | None, tolerance_mm: float) -> float:
    """Share of both surfaces that lies within ``tolerance_mm`` of the other one; 0 without distances."""
    if distances is None:
        return 0.0
    return float(np.mean(np.concatenate(distances) <= tolerance_mm))

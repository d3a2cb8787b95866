"""What face is left because of structures that a person wants kept? The other checks take those structures for gone."""

from __future__ import annotations

import numpy as np

from ..head.atlas import ZONES, atlas
from ..voxels.kept import Kept, Structure
from ..voxels.volume import Volume
from .check import FAIL, SKIP, Check, graded
from .face_left import (
    AT_SKIN_MM,
    BARE_MM,
    FAIL_PATCH_CM2,
    FAIL_SURE_CM2,
    FaceLeft,
    connected,
    largest_sure,
)

# cm2 of the face's skin that all structures together may show: less than a third of an eye's zone in an adult.
FAIL_KEPT_CM2 = 3.0


def kept_check(volume: Volume, mask: np.ndarray, stored_after: np.ndarray, kept: Kept, face: FaceLeft | None) -> Check:
    """cm2 of the face's skin that is still there, only shaved, or told by air in front of it, because of what was ``kept``.

    A structure that holds no skin passes. It fails when one of its own voxels changed, when more than half of the mask
    was spared, or when the skin, with all other skin left beside it, is too much to leave.
    Parameters: ``mask`` the face mask, bool (k, j, i); ``stored_after`` the stored values (k, j, i) after the fill;
    ``face`` None where no head was found.
    """
    spared = volume.geometry.millilitres(kept.spared(mask))
    text = f"{kept.names}: {spared:.1f} ml of the face mask are not filled"
    changed = kept.changed(stored_after, volume.stored)
    if changed:
        return Check("kept", FAIL, float(changed), "voxels", f"{kept.names}: {changed} voxels changed; apply the fill again.")
    if kept.spares_too_much(mask):
        return Check("kept", FAIL, spared, "ml", f"{text}, which is more than half of it, so that the face stays.")
    if face is None:
        return Check("kept", SKIP, None, "cm2", f"{text}. The head was not found.")
    shown, area = shown_skin(face, mask, kept)
    cm2 = float(area[shown].sum())
    if shown.any():
        text += f"; {cm2:.1f} cm2 of the face's skin are still there, or only shaved, because of {_where(face, kept, shown)}"
    return graded(
        "kept",
        cm2,
        "cm2",
        text + ".",
        face.middle(shown),
        fail=cm2 >= FAIL_KEPT_CM2 or _too_telling(face, shown, area),
        warn=shown.any(),
    )


def shown_skin(face: FaceLeft, mask: np.ndarray, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """((N,) bool: points of the face's skin that the kept structures show, (N,) cm2 of skin at each point).

    Face is what the average head calls face, and what the ``mask`` (bool (k, j, i)) takes.
    """
    skin = face.skin
    in_zone, deep = face.zone > 0, skin.depth_within(mask)
    masked = (deep > 0) & (skin.bone_mm > BARE_MM)
    near = in_zone & face.too_near(skin.atlas_values(atlas().depth), face.after_all_mm)
    near |= masked & face.too_near(deep, face.after_all_mm)
    shown = near & (face.after_all_mm < face.after_mm)
    # Air and its border with the skin tell where the skin was.
    asked = in_zone | masked
    shown[asked] |= skin.meets(kept.mask, asked, 0.0)
    return shown, np.where(masked, skin.area_cm2, face.area_cm2)


def _too_telling(face: FaceLeft, shown: np.ndarray, area: np.ndarray) -> bool:
    """Is it a large piece, together with other skin that is left, or one of whole skin where nearly every face goes?"""
    labels, areas = connected(face.skin, shown | face.left, area)
    whole_skin = shown & (face.after_all_mm <= AT_SKIN_MM)
    largest = areas[labels[shown]].max(initial=0.0)
    return bool(largest > FAIL_PATCH_CM2 or largest_sure(face.skin, whole_skin)[1] > FAIL_SURE_CM2)


def _where(face: FaceLeft, kept: Kept, shown: np.ndarray) -> str:
    """The structures that show skin, and the zones it belongs to, as a text."""
    shape = face.stored_after.shape
    first_mm = np.where(face.after_all_mm < face.after_mm, face.after_all_mm, 0.0)[shown]

    def shows(structure: Structure) -> bool:
        return bool(face.skin.meets(structure.whole(shape), shown, first_mm).any())

    names = ", ".join(structure.name for structure in kept.structures if shows(structure))
    zones = [name.replace("_", " ") for number, name in enumerate(ZONES, 1) if (face.zone[shown] == number).any()]
    return f"{names} ({', '.join(zones)})" if zones else names

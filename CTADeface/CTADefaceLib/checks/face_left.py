"""Is the face gone? Judged by the old skin itself, zone by zone in the head's own frame, not by the network's answer.

The average head tells where a face has skin and how much tissue goes with it; the volume before and after the fill tells where
the skin, the bone and what is left really lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage as ndi

from ..head.atlas import SKIN_MM, ZONES, atlas
from ..head.skin import Skin
from ..voxels.hu import TISSUE_HU
from .check import SKIP, Check, graded, limits

# Skin that goes in fewer than the first share of the annotated heads need not go; between the two shares its area counts in
# part, and from the second on in full.
LEAST_SHARE, SURE_SHARE = 0.9, 0.98
# This share of the tissue that goes with nine of ten faces must be gone, else the face is only shaved; and never less than the
# least depth, as otherwise the skin itself would be left.
DEPTH_SHARE, LEAST_DEPTH_MM = 0.6, 2.0
# Tissue this near in front of bone need not go; where bone lies as near to the skin as the second, nothing can.
BONE_REST_MM, BARE_MM = 3.0, 2.0
# A zone with less than this in the image is not judged.
LEAST_IN_IMAGE, LEAST_ZONE_CM2 = 0.2, 2.0
# cm2 of the largest connected patch that is left, and share of a zone; where nearly every face loses its skin, less is too
# much.
WARN_PATCH_CM2, FAIL_PATCH_CM2, FAIL_SURE_CM2 = 2.0, 4.0, 1.5
WARN_SHARE, FAIL_SHARE = 0.3, 0.5
# Two good masks of one face end a few millimetres apart: this near to where the model ends its face, skin may be left. Farther
# in, where faces do not end in other heads either, a small patch is too much. Masks of one face also differ in depth, so only
# what is left at the skin itself counts.
RIM_MM, AT_SKIN_MM = 6.0, 3.0
WARN_MODEL_CM2, FAIL_MODEL_CM2 = 0.8, 1.2
# Where faces end in other heads, or where the face is only shaved, a larger patch that lies farther in is too much.
FAR_RIM_MM, FAIL_FAR_CM2 = 9.0, 2.0
TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class FaceLeft:
    """What a fill left of a face; ``skin`` the old ``Skin``, ``stored_after`` the stored values (k, j, i) after it.

    ``kept``: bool (k, j, i), voxels that were kept on purpose. All but ``after_all_mm`` takes them for gone: what they show
    is told by the module ``kept_check``.
    """

    skin: Skin
    stored_after: np.ndarray
    kept: np.ndarray | None = None

    @cached_property
    def zone(self) -> np.ndarray:
        """(N,) number of the zone of each point of the skin, 0 where no face need go."""
        skin, average = self.skin, atlas()
        asked = (skin.atlas_values(average.share) >= LEAST_SHARE) & (skin.bone_mm > BARE_MM)
        return np.where(asked, skin.atlas_values(average.zone), 0)

    @cached_property
    def area_cm2(self) -> np.ndarray:
        """(N,) cm2 of skin at each point, less where faces end in some heads and not yet in others."""
        share = self.skin.atlas_values(atlas().share)
        sure = np.clip((share - LEAST_SHARE) / (SURE_SHARE - LEAST_SHARE), 0.0, 1.0)
        return np.where(self.zone > 0, self.skin.area_cm2 * sure, 0.0)

    @cached_property
    def left(self) -> np.ndarray:
        """(N,) bool: this point of the face is still there, or only shaved."""
        skin = self.skin
        return (self.zone > 0) & self.too_near(skin.atlas_values(atlas().depth))

    def too_near(self, depth: np.ndarray, tissue_mm: np.ndarray | None = None) -> np.ndarray:
        """(N,) bool: tissue is left too near behind the old skin of a face that is ``depth`` (N,) mm deep.

        ``tissue_mm``: (N,) mm behind the skin at which tissue begins (None: ``after_mm``).
        """
        tissue_mm = self.after_mm if tissue_mm is None else tissue_mm
        bone = self.skin.bone_mm
        wanted = np.maximum(np.minimum(DEPTH_SHARE * depth, bone - BONE_REST_MM), LEAST_DEPTH_MM)
        # The bone itself stays.
        return tissue_mm < np.minimum(wanted, bone)

    @cached_property
    def after_mm(self) -> np.ndarray:
        """(N,) mm behind the old skin at which tissue begins after the fill, kept structures apart."""
        return self.skin.depth_of(self.stored_after, TISSUE_HU, self.kept)

    @cached_property
    def after_all_mm(self) -> np.ndarray:
        """As ``after_mm``, with kept structures."""
        return self.after_mm if self.kept is None else self.skin.depth_of(self.stored_after, TISSUE_HU)

    @cached_property
    def _patches(self) -> tuple[np.ndarray, np.ndarray]:
        return connected(self.skin, self.left, self.area_cm2)

    @property
    def patches(self) -> np.ndarray:
        """(N,) number of the connected patch of skin that is left, 0 where none is."""
        return self._patches[0]

    @property
    def patch_cm2(self) -> np.ndarray:
        """cm2 of each patch, by number; 0 for number 0, which is none."""
        return self._patches[1]

    @cached_property
    def sure_patch(self) -> tuple[np.ndarray, float]:
        """((N,) bool, cm2) of the largest connected patch of skin that nearly every face loses and that is left."""
        return largest_sure(self.skin, self.left)

    @cached_property
    def share(self) -> float:
        """Share of the face's skin, by area, that is left."""
        return float(self.area_cm2[self.left].sum() / max(self.area_cm2.sum(), 1e-9))

    def in_image(self, number: int) -> float:
        """Share of a zone of the average head that lies in the image."""
        average = atlas()
        expected = np.where((average.zone == number) & (average.share >= LEAST_SHARE), average.frequency, 0)
        return float(expected[self.skin.view.inside].sum() / max(expected.sum(), 1e-9))

    def middle(self, points: np.ndarray) -> tuple[float, ...] | None:
        """RAS mm of the point of skin in the middle of ``points`` ((N,) bool), None without any."""
        found = self.skin.points[points]
        if len(found) == 0:
            return None
        return self.skin.view.place(found[np.abs(found - found.mean(0)).sum(1).argmin()])


def connected(skin: Skin, left: np.ndarray, area_cm2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((N,) number of the connected patch of ``left`` at each point of the skin, 0 where none is; cm2 of each number)."""
    labels = ndi.label(skin.spread(left, False), TOUCHING)[0][tuple(skin.index.T)]
    areas = np.bincount(labels, area_cm2, minlength=1)
    areas[0] = 0
    return labels, areas


def zone_covered(name: str, face: FaceLeft) -> Check:
    """Share of one zone's skin (``head.atlas.ZONES``) that is gone, and the largest patch that is left in it."""
    number = 1 + ZONES.index(name)
    if face.in_image(number) < LEAST_IN_IMAGE:
        return Check(name, SKIP, None, "share", "Outside the image.")
    here = face.zone == number
    area = float(face.area_cm2[here].sum())
    if area < LEAST_ZONE_CM2:
        return Check(name, SKIP, None, "share", "Hardly any skin lies there: it was gone before, or bone lies bare.")
    left = here & face.left
    share = float(face.area_cm2[left].sum()) / area
    patch = float(np.bincount(face.patches[left], face.area_cm2[left]).max(initial=0.0))
    text = f"{100 * (1 - share):.0f} % of its skin is gone" + (
        f"; the largest patch left has {patch:.1f} cm2." if patch else "."
    )
    return graded(
        name,
        1 - share,
        "share",
        text,
        face.middle(left),
        fail=share > FAIL_SHARE or patch > FAIL_PATCH_CM2,
        warn=share > WARN_SHARE or patch > WARN_PATCH_CM2,
        limit=limits("share", "below", 1 - WARN_SHARE, 1 - FAIL_SHARE)
        + f"; a patch {limits('cm2', 'above', WARN_PATCH_CM2, FAIL_PATCH_CM2)}",
    )


def residual_skin(face: FaceLeft) -> Check:
    """cm2 of the largest connected patch of the face's skin, over all zones, that is still there or only shaved.

    Where nearly every face goes, a smaller patch fails than elsewhere.
    """
    worst = int(face.patch_cm2.argmax())
    patch, place = float(face.patch_cm2[worst]), face.patches == worst if worst else None
    text = f"The largest patch of skin left has {patch:.1f} cm2; {100 * face.share:.0f} % of the face's skin is left in all."
    sure, sure_cm2 = face.sure_patch
    if sure_cm2 > FAIL_SURE_CM2 and patch <= FAIL_PATCH_CM2:
        place = sure
        text = f"{text[:-1]}; {sure_cm2:.1f} cm2 are left in one piece where nearly every face goes."
    return graded(
        "residual_skin",
        patch,
        "cm2",
        text,
        None if place is None else face.middle(place),
        fail=patch > FAIL_PATCH_CM2 or sure_cm2 > FAIL_SURE_CM2,
        warn=patch > WARN_PATCH_CM2,
        limit=limits("cm2", "above", WARN_PATCH_CM2, FAIL_PATCH_CM2)
        + f"; where nearly every face goes, {limits('cm2', 'above', None, FAIL_SURE_CM2)}",
    )


def model_face(face: FaceLeft, proposal: np.ndarray | None) -> Check:
    """cm2 of the largest patch of skin that is left well within a model's mask; where nine of ten heads have face too, a
    smaller patch is too much.

    Parameters: ``proposal`` the model's mask, bool (k, j, i), None where no model was asked.
    """
    if proposal is None or not proposal.any():
        return Check(
            "model_face",
            SKIP,
            None,
            "cm2",
            "No model was asked about this face." if proposal is None else "The model saw no face.",
        )
    skin = face.skin
    share, depth = skin.atlas_values(atlas().share), skin.depth_within(proposal)
    called = depth > 0
    left = called & (skin.bone_mm > BARE_MM) & face.too_near(depth)
    within = away_mm(skin, ~called)
    sure, sure_cm2 = largest_patch(
        skin, left & (face.after_mm <= AT_SKIN_MM) & (share >= LEAST_SHARE) & (within > RIM_MM), skin.area_cm2
    )
    far, far_cm2 = largest_patch(skin, left & (within > FAR_RIM_MM), skin.area_cm2)
    fail_far = far_cm2 > FAIL_FAR_CM2
    where, value = (far, far_cm2) if fail_far else (sure, sure_cm2)
    return graded(
        "model_face",
        value,
        "cm2",
        f"The largest patch left of what the model calls face has {value:.1f} cm2.",
        face.middle(where),
        fail=fail_far or sure_cm2 > FAIL_MODEL_CM2,
        warn=sure_cm2 > WARN_MODEL_CM2,
        limit=limits("cm2", "above", None, FAIL_FAR_CM2)
        if fail_far
        else limits("cm2", "above", WARN_MODEL_CM2, FAIL_MODEL_CM2),
    )


def largest_sure(skin: Skin, left: np.ndarray) -> tuple[np.ndarray, float]:
    """((N,) bool, cm2) of the largest connected patch of ``left`` where nearly every face loses its skin."""
    return largest_patch(skin, left & (skin.atlas_values(atlas().share) >= SURE_SHARE), skin.area_cm2)


def largest_patch(skin: Skin, left: np.ndarray, area_cm2: np.ndarray) -> tuple[np.ndarray, float]:
    """((N,) bool, cm2) of the largest connected patch of ``left``; ``area_cm2`` (N,) of each point."""
    labels, areas = connected(skin, left, area_cm2)
    worst = int(areas.argmax())
    return left & (labels == worst), float(areas[worst])


def away_mm(skin: Skin, points: np.ndarray) -> np.ndarray:
    """(N,) mm of the average head from each point of the skin to the nearest of the ``points`` ((N,) bool)."""
    if not points.any():
        return np.full(len(points), np.inf)
    return ndi.distance_transform_edt(~skin.spread(points, False), SKIN_MM)[tuple(skin.index.T)]

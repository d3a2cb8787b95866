"""All checks of one defaced volume, in the order in which a person reads them."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..errors import MaskError
from ..face.survey import Survey
from ..head.atlas import ZONES
from ..head.ears import SIDES, Ears
from ..head.frame import Frame
from ..head.pose import locate
from ..head.skin import Skin
from ..head.view import HeadView
from ..voxels.anatomy import brain
from ..voxels.kept import Kept
from ..voxels.volume import Volume
from .check import FAIL, SKIP, Check
from .ear_checks import ear_gone
from .enclosed_skin import enclosed_skin
from .face_left import FaceLeft, model_face, residual_skin, zone_covered
from .kept_check import kept_check
from .mask_checks import mask_filled, mask_place, mask_size
from .scan import already_defaced, field_of_view, head_found, input_is_ct, second_head
from .untouched import bone_untouched, brain_untouched, find_changes, rest_identical, vessels_untouched


class Filled(NamedTuple):
    """Stored values (k, j, i) after a fill, the stored value that was filled in, and the structures that were not filled."""

    stored: np.ndarray
    value: float | np.generic
    kept: Kept | None = None


def run_checks(
    volume: Volume,
    mask: np.ndarray,
    after: Filled | tuple[np.ndarray, float | np.generic],
    survey: Survey | None = None,
    proposal: np.ndarray | None = None,
    ears: Ears | None = None,
) -> list[Check]:
    """List of ``Check``s of a fill.

    Parameters: ``volume`` the original ``Volume``; ``mask`` bool (k, j, i); ``after`` what ``filled`` returns:
    its stored values after the fill, of the same shape and dtype, and the stored value that was filled in, or a ``Filled``,
    which also says what was kept: all checks but ``kept`` and those of the ears take that for gone; ``survey`` the
    ``Survey`` of the volume, where there is one; ``proposal`` the mask that a model proposed, bool (k, j, i), where it is
    known; ``ears`` the volume's ``Ears``, when they were to go too.
    Raises: MaskError for an empty mask or another shape.
    """
    after = Filled(*after)
    stored_after, value, kept = after
    if mask.shape != volume.stored.shape or np.shape(stored_after) != mask.shape:
        raise MaskError(
            f"{volume.name}: mask and defaced volume must have the volume's own {volume.stored.shape[::-1]} "
            "voxels; apply the fill again."
        )
    if not mask.any():
        raise MaskError(f"{volume.name}: the mask is empty, so that nothing would be removed; draw the face first.")
    with ThreadPoolExecutor(2) as pool:
        enclosed = pool.submit(lambda: brain(volume) if survey is None else survey.brain)
        frame = locate(volume) if survey is None else survey.frame
        found = pool.submit(find_changes, volume, stored_after, mask, value, frame, ears, None if kept is None else kept.mask)
        inside = pool.submit(lambda: brain_untouched(volume, stored_after, *enclosed.result()))
        of_head = _checks_of_head(volume, mask, after, frame, proposal, ears)
        alone = second_head(volume, frame, *enclosed.result())
    changes = found.result()
    of_rest = [inside.result(), bone_untouched(changes, volume), vessels_untouched(changes), rest_identical(changes)]
    return [input_is_ct(volume), head_found(frame), alone, *of_head, *of_rest]


SKIN = (*ZONES, "residual_skin", "enclosed_skin", "model_face")
# These checks need the head's own frame.
IN_FRAME = ("already_defaced", "mask_place", *SKIN)
# What must not have failed for a file to say of itself that no face is in it, whoever has let it through.
OF_THE_FACE = ("head_found", "second_head", *SKIN, "kept")


def face_is_gone(checks: Iterable[Check]) -> bool:
    """Has no check of the face failed?"""
    return not any(check.name in OF_THE_FACE and check.verdict == FAIL for check in checks)


def _checks_of_head(
    volume: Volume,
    mask: np.ndarray,
    after: Filled,
    frame: Frame | None,
    proposal: np.ndarray | None,
    ears: Ears | None,
) -> list[Check]:
    stored_after, value, kept = after
    checks = [
        field_of_view(volume, mask),
        mask_size(volume, mask, frame),
        mask_filled(volume, stored_after, mask if kept is None else mask & ~kept.mask, value),
    ]
    if frame is None:
        unknown = IN_FRAME if ears is None else (*IN_FRAME, *SIDES)
        checks += [Check(name, SKIP, None, "", "The head was not found.") for name in unknown]
        return [*checks, *([] if kept is None else [kept_check(volume, mask, stored_after, kept, None)])]
    opinion, gone = None, list[Check]()
    if proposal is mask or (proposal is not None and np.array_equal(proposal, mask)):
        opinion = Check("model_face", SKIP, None, "cm2", "The mask is the model's own.")
    if ears is not None:
        gone = [ear_gone(name, ears, stored_after) for name in SIDES]
        # The model is asked about the face alone.
        proposal = proposal if proposal is None else ears.taken_from(proposal)
    face = face_left(volume, stored_after, frame, kept)
    if kept is not None:
        gone.append(kept_check(volume, mask, stored_after, kept, face))
    view = face.skin.view
    return [
        *checks,
        already_defaced(view),
        mask_place(view, mask),
        *(zone_covered(name, face) for name in ZONES),
        residual_skin(face),
        enclosed_skin(face),
        opinion or model_face(face, proposal),
        *gone,
    ]


def face_left(volume: Volume, stored_after: np.ndarray, frame: Frame, kept: Kept | None = None) -> FaceLeft:
    """``FaceLeft`` of a volume whose head lies in ``frame``, after a fill that left out what was ``kept``."""
    return FaceLeft(Skin(HeadView(volume, frame)), stored_after, None if kept is None else kept.mask)

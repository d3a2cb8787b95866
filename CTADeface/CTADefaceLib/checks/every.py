"""All checks of one defaced volume, in the order in which a person reads them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

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
from ..voxels.volume import Volume
from .check import SKIP, Check
from .ear_checks import ear_gone
from .face_left import FaceLeft, model_face, residual_skin, zone_covered
from .mask_checks import mask_filled, mask_place, mask_size
from .scan import already_defaced, field_of_view, head_found, input_is_ct
from .untouched import bone_untouched, brain_untouched, find_changes, rest_identical, vessels_untouched


def run_checks(
    volume: Volume,
    mask: np.ndarray,
    after: tuple[np.ndarray, float | np.generic],
    survey: Survey | None = None,
    proposal: np.ndarray | None = None,
    ears: Ears | None = None,
) -> list[Check]:
    """List of ``Check``s of a fill.

    Parameters: ``volume`` the original ``Volume``; ``mask`` bool (k, j, i); ``after`` what ``filled`` returns:
    its stored values after the fill, of the same shape and dtype, and the stored value that was filled in; ``survey`` the
    ``Survey`` of the volume, where there is one; ``proposal`` the mask that a model proposed, bool (k, j, i), where it is
    known; ``ears`` the volume's ``Ears``, when they were to go too.
    Raises: MaskError for an empty mask or another shape.
    """
    stored_after, value = after
    if mask.shape != volume.stored.shape or np.shape(stored_after) != mask.shape:
        raise MaskError(
            f"{volume.name}: mask and defaced volume must have the volume's own {volume.stored.shape[::-1]} "
            "voxels; apply the fill again."
        )
    if not mask.any():
        raise MaskError(f"{volume.name}: the mask is empty, so that nothing would be removed; draw the face first.")
    with ThreadPoolExecutor(2) as pool:
        inside = pool.submit(
            lambda: brain_untouched(volume, stored_after, *(brain(volume) if survey is None else survey.brain))
        )
        frame = locate(volume) if survey is None else survey.frame
        found = pool.submit(find_changes, volume, stored_after, mask, value, frame, ears)
        of_head = _checks_of_head(volume, mask, after, frame, proposal, ears)
    changes = found.result()
    return [*of_head, inside.result(), bone_untouched(changes, volume), vessels_untouched(changes), rest_identical(changes)]


# These checks need the head's own frame.
IN_FRAME = ("already_defaced", "mask_place", *ZONES, "residual_skin", "model_face")


def _checks_of_head(
    volume: Volume,
    mask: np.ndarray,
    after: tuple[np.ndarray, float | np.generic],
    frame: Frame | None,
    proposal: np.ndarray | None,
    ears: Ears | None,
) -> list[Check]:
    stored_after, value = after
    checks = [
        input_is_ct(volume),
        head_found(frame),
        field_of_view(volume, mask),
        mask_size(volume, mask, frame),
        mask_filled(volume, stored_after, mask, value),
    ]
    if frame is None:
        unknown = IN_FRAME if ears is None else (*IN_FRAME, *SIDES)
        return [*checks, *(Check(name, SKIP, None, "", "The head was not found.") for name in unknown)]
    opinion, gone = None, list[Check]()
    if proposal is mask or (proposal is not None and np.array_equal(proposal, mask)):
        opinion = Check("model_face", SKIP, None, "cm2", "The mask is the model's own.")
    if ears is not None:
        gone = [ear_gone(name, ears, stored_after) for name in SIDES]
        # The model is asked about the face alone.
        proposal = proposal if proposal is None else ears.taken_from(proposal)
    face = face_left(volume, stored_after, frame)
    view = face.skin.view
    return [
        *checks,
        already_defaced(view),
        mask_place(view, mask),
        *(zone_covered(name, face) for name in ZONES),
        residual_skin(face),
        opinion or model_face(face, proposal),
        *gone,
    ]


def face_left(volume: Volume, stored_after: np.ndarray, frame: Frame) -> FaceLeft:
    """``FaceLeft`` of a volume whose head lies in ``frame``, after a fill."""
    return FaceLeft(Skin(HeadView(volume, frame)), stored_after)

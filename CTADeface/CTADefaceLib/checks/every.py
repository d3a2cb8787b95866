"""All checks of one defaced volume, in the order in which a person reads them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..anatomy import brain
from ..errors import MaskError
from .face import ZONES, FaceSkin, residual_skin, zone_covered
from .head import Head
from .mask import mask_filled, mask_place, mask_size
from .source import already_defaced, field_of_view, input_is_ct
from .untouched import bone_untouched, brain_untouched, find_changes, rest_identical, vessels_untouched


def run_checks(volume, mask, stored_after, value, survey=None):
    """List of ``Check``s of a fill.

    Parameters: ``volume`` the original ``Volume``; ``mask`` bool (k, j, i); ``stored_after`` its stored values after
    the fill, of the same shape and dtype; ``value`` the stored value that it filled in; ``survey`` the ``Survey`` of
    the volume, where there is one. Raises: MaskError for an empty mask or another shape.
    """
    if mask.shape != volume.stored.shape or np.shape(stored_after) != mask.shape:
        raise MaskError(f"{volume.name}: mask and defaced volume must have the volume's own {volume.stored.shape[::-1]} "
                        "voxels; apply the fill again.")
    if not mask.any():
        raise MaskError(f"{volume.name}: the mask is empty, so that nothing would be removed; draw the face first.")
    with ThreadPoolExecutor(2) as pool:
        inside = pool.submit(lambda: brain_untouched(
            volume, stored_after, *(brain(volume) if survey is None else survey.brain)))
        changes = pool.submit(find_changes, volume, stored_after, mask, value)
        of_head = _checks_of_head(volume, mask, stored_after, value)
    changes = changes.result()
    return [*of_head, inside.result(), bone_untouched(changes, volume), vessels_untouched(changes, volume),
            rest_identical(changes, volume)]


def _checks_of_head(volume, mask, stored_after, value):
    head = Head(volume)
    skin = FaceSkin(head, stored_after)
    return [input_is_ct(head), already_defaced(head), field_of_view(head, mask),
            mask_size(volume, mask), mask_place(head, mask),
            mask_filled(volume, stored_after, mask, value),
            *(zone_covered(name, skin) for name in ZONES), residual_skin(skin, mask)]

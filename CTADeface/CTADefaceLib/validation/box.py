"""The box over mouth and nose of ICHSEG's ct_face_mask, the published baseline, made anew from its description.

A box in the space of a brain template is warped to the scan (nearest neighbour) and extended: in x every column that it
touches; in y from its rearmost row to the front edge of the image; in z from the first slice of the image to the mean
slice of the box. The template is the atlas of ``atlas_method``, not ICHSEG's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..voxels.volume import Volume, ras_view
from .atlas_method import load_atlas, warped

if TYPE_CHECKING:
    import SimpleITK as sitk

# RAS mm in the template.
BOX_MM = ((-41.0, 39.0), (44.0, 91.0), (-71.0, -57.0))


def template_box() -> sitk.Image:
    """The box as a uint8 SimpleITK image on the atlas's grid."""
    import SimpleITK as sitk

    face = load_atlas().face
    (left, right), (rear, front), (low, high) = BOX_MM
    # LPS: x and y change sign.
    corners = [face.TransformPhysicalPointToIndex(point) for point in ((-right, -front, low), (-left, -rear, high))]
    inside = np.zeros(face.GetSize()[::-1], np.uint8)
    inside[tuple(slice(min(pair), max(pair) + 1) for pair in zip(*(corner[::-1] for corner in corners)))] = 1
    image = sitk.GetImageFromArray(inside)
    image.CopyInformation(face)
    return image


def box_mask(volume: Volume, transform: sitk.Transform) -> np.ndarray:
    """The extended box on the scan, bool (k, j, i).

    Parameters: ``transform`` from the scan to the atlas (``atlas_method.register``).
    Raises: InputError when the warped box lies outside the scan.
    """
    box = ras_view(warped(template_box(), transform, volume), volume.geometry) != 0
    if not box.any():
        raise InputError(f"{volume.name}: the template's box over mouth and nose lies outside the scan.")
    return extended(box, volume)


def extended(box: np.ndarray, volume: Volume) -> np.ndarray:
    """The mask (k, j, i) that a warped ``box`` (S, A, R; not empty) is extended to."""
    rows, columns = np.flatnonzero(box.any((0, 2))), np.flatnonzero(box.any((0, 1)))
    mask = np.zeros(volume.stored.shape, bool)
    mean = round(float(np.mean(np.nonzero(box)[0])))
    ras_view(mask, volume.geometry)[: mean + 1, rows[0] :, columns] = True
    return mask

"""The synthetic head as images, stored in any orientation."""

import numpy as np
import SimpleITK as sitk

from CTADefaceLib.face.synthetic_head import AIR, BONE, BRAIN, SKIN, SPACING_MM, head_parts

__all__ = ["AIR", "BONE", "BRAIN", "SKIN", "SPACING_MM", "head", "head_parts", "image", "middle_face"]


def image(array, orientation="RAS", rotation_deg=0.0):
    """SimpleITK image of an (S, A, R) array, stored in the axis order ``orientation``, optionally oblique."""
    result = sitk.GetImageFromArray(np.ascontiguousarray(array))
    result.SetSpacing([SPACING_MM] * 3)
    result.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    result.SetOrigin([95.0, 120.0, -60.0])
    result = sitk.DICOMOrient(result, orientation)
    if rotation_deg:
        angle = np.deg2rad(rotation_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        result.SetDirection((turn @ np.array(result.GetDirection()).reshape(3, 3)).ravel().tolist())
    return result


def middle_face():
    """The middle of the synthetic head's face, bool (S, A, R): without temples, vertex and throat."""
    face = head_parts()[1]
    up, front = (np.arange(n) * SPACING_MM for n in face.shape[:2])
    return face & (front > 135)[:, None] & ((up > 30) & (up < 180))[:, None, None]


def head():
    """The synthetic head as the engine's ``Volume``."""
    from CTADefaceLib.voxels.volume import Geometry, Volume

    scan = image(head_parts()[0])
    return Volume(sitk.GetArrayFromImage(scan), Geometry.from_image(scan), name="phantom")


def levelled(volume, mask):
    """What the irreversible fill levels, bool (k, j, i) of the whole volume."""
    from CTADefaceLib.filling.level import levelled_region
    from CTADefaceLib.voxels.volume import ras_view

    box, region = levelled_region(volume, mask)
    whole = np.zeros(volume.stored.shape, bool)
    ras_view(whole, volume.geometry)[box] = region
    return whole

"""A synthetic head: nobody's face. Arrays (S, A, R) in HU at isotropic spacing, stored in any orientation."""

import numpy as np
import SimpleITK as sitk

SPACING_MM = 3.0
SHAPE = (80, 80, 64)
AIR, SKIN, BRAIN, BONE = -1000, 40, 35, 900


def _ellipsoid(centre, radii):
    grids = np.meshgrid(*(np.arange(n) * SPACING_MM for n in SHAPE), indexing="ij", sparse=True)
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grids, centre, radii)) < 1


def head_parts():
    """(HU int16, face bool, brain bool, bone bool), each (S, A, R): superior, anterior and right grow."""
    skin = _ellipsoid((140, 110, 96), (88, 92, 74)) | _ellipsoid((70, 130, 96), (58, 66, 56))
    skin |= _ellipsoid((95, 202, 96), (22, 18, 14)) | _ellipsoid((20, 95, 96), (60, 45, 42))
    skull = _ellipsoid((145, 108, 96), (78, 84, 66))
    brain = _ellipsoid((145, 108, 96), (70, 76, 58))
    jaw = _ellipsoid((62, 128, 96), (34, 52, 44)) & ~_ellipsoid((62, 122, 96), (34, 44, 36))
    bone = (skull & ~brain) | jaw
    hu = np.where(skin, SKIN, AIR).astype(np.int16)
    hu[brain], hu[bone] = BRAIN, BONE
    anterior = np.arange(SHAPE[1])[None, :, None] * SPACING_MM > 135
    level = np.arange(SHAPE[0])[:, None, None] * SPACING_MM
    inner = _ellipsoid((62, 122, 96), (34, 44, 36))
    face = skin & ~skull & ~bone & ~inner & anterior & (level > 30) & (level < 150)
    return hu, face, brain, bone


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


def head():
    """The synthetic head as the engine's ``Volume``."""
    from CTADefaceLib.volume import Geometry, Volume

    scan = image(head_parts()[0])
    return Volume(sitk.GetArrayFromImage(scan), Geometry.from_image(scan), name="phantom")

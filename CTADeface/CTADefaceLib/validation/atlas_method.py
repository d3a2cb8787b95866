"""An atlas registered to the brain of a head CT, and the face mask that comes with it: the second baseline.

Atlas and mask lie in the wheel ``caideface`` (Apache-2.0): the MNI152 brain (``TEMPLATE``) and, on its grid, a mask
that is 0 in the face. The wheel's mask for CT belongs to a CT atlas that the wheel does not carry, so the one of the
MNI152 brain is used for CT here. The registration is our own, not caideface's: brain to brain as shapes, so that
modality does not matter, by mean squares, only where the scan has tissue; affine where the top of the brain is in
view, else rigid, because a brain that is cut tells too little of its size. Coordinates: LPS mm in transforms, as in
ITK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..errors import InputError, MissingPackages
from ..head.frame import angle_degrees
from ..voxels.anatomy import brain
from ..voxels.hu import TISSUE_HU
from ..voxels.volume import Volume, ras_view
from .validation_packages import INSTALL

if TYPE_CHECKING:
    import SimpleITK as sitk

AnyTransform = TypeVar("AnyTransform", bound="sitk.Transform")
Linear = TypeVar("Linear", bound="sitk.Euler3DTransform | sitk.AffineTransform")

TEMPLATE = "mni_icbm152_t1_tal_nlin_sym_55_ext_brain_only.nii.gz"
FACE = "t1_mask.nii.gz"
LEAST_BRAIN_ML = 150.0
BLUR_MM = 4.0
MARGIN_MM = 24.0
# How far above the atlas's bottom of the brain the scan's may lie: the lower skull is open, so that it is found less surely.
STARTS_MM = (-30.0, -15.0, 0.0, 15.0, 30.0)
ITERATIONS = 100
# Adult heads differ from the atlas by no more; a brain that is cut can draw an affine transform far beyond.
SCALES = (0.8, 1.25)
MOST_TURN_DEG = 30.0


@dataclass(frozen=True)
class Atlas:
    """``brain`` (float, blurred) and ``face`` (uint8, 1 = face) as SimpleITK images in MNI152 space.

    ``bottom_mm`` and ``middle``: the lowest slice and the centroid of the brain, LPS mm.
    """

    brain: sitk.Image
    face: sitk.Image
    bottom_mm: float
    middle: tuple[float, float, float]


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """The ``Atlas``. Raises: MissingPackages that names the pip command."""
    import SimpleITK as sitk

    spec = find_spec("caideface")
    if spec is None or spec.origin is None:
        raise MissingPackages(f"The atlas baselines need the package caideface; run:\n{INSTALL}")
    folder = Path(spec.origin).parent / "data"
    inside = sitk.ReadImage(str(folder / TEMPLATE)) > 0
    face = sitk.ReadImage(str(folder / FACE)) < 0.5
    face.CopyInformation(inside)
    used = np.argwhere(sitk.GetArrayViewFromImage(inside))
    low, middle = used.min(0), used.mean(0)
    points = [inside.TransformContinuousIndexToPhysicalPoint([float(x) for x in index[::-1]]) for index in (low, middle)]
    blurred = sitk.SmoothingRecursiveGaussian(sitk.Cast(inside, sitk.sitkFloat32), BLUR_MM)
    # Each step of the registration takes the gradient of the whole image: no finer than the scan's own brain.
    return Atlas(sitk.Shrink(blurred, [3, 3, 3]), face, points[0][2], points[1])


def register(volume: Volume) -> sitk.Euler3DTransform | sitk.AffineTransform:
    """SimpleITK transform, rigid or affine, from points of the scan to points of the atlas, LPS mm.

    Parameters: ``volume`` a ``Volume``. Raises: InputError when too little of a brain is in view; MissingPackages.
    """
    import SimpleITK as sitk

    atlas, (scan, whole) = load_atlas(), _scan_brain(volume)
    used = np.argwhere(sitk.GetArrayViewFromImage(scan) > 0.5)
    low, middle = (
        scan.TransformContinuousIndexToPhysicalPoint([float(x) for x in index[::-1]]) for index in (used.min(0), used.mean(0))
    )
    coarse, found = sitk.Shrink(scan, [2, 2, 2]), []
    for start in STARTS_MM:
        shift = sitk.TranslationTransform(
            3, (atlas.middle[0] - middle[0], atlas.middle[1] - middle[1], atlas.bottom_mm - low[2] + start)
        )
        found.append(_optimised(coarse, atlas.brain, shift))
    best, shift = min(found, key=lambda pair: pair[0])
    shifted = sitk.AffineTransform(3)
    shifted.SetCenter(middle)
    shifted.SetTranslation(shift.GetOffset())
    chosen: sitk.Euler3DTransform | sitk.AffineTransform = shifted
    kinds: list[sitk.Euler3DTransform | sitk.AffineTransform] = [sitk.Euler3DTransform(), sitk.AffineTransform(3)]
    for kind in kinds[: 2 if whole else 1]:
        metric, tried = _optimised(coarse, atlas.brain, _as(kind, chosen))
        if metric < best and _plausible(np.reshape(tried.GetMatrix(), (3, 3))):
            best, chosen = metric, tried
    return chosen


def _plausible(matrix: np.ndarray) -> bool:
    """Whether a linear map (3, 3) turns and stretches no more than heads differ."""
    left, scales, right = np.linalg.svd(matrix)
    return SCALES[0] <= scales.min() and scales.max() <= SCALES[1] and angle_degrees(left @ right) <= MOST_TURN_DEG


def _as(kind: Linear, transform: sitk.Euler3DTransform | sitk.AffineTransform) -> Linear:
    """``transform`` as one of another ``kind``, with more freedom."""
    kind.SetCenter(transform.GetCenter())
    kind.SetMatrix(transform.GetMatrix())
    kind.SetTranslation(transform.GetTranslation())
    return kind


def _optimised(fixed: sitk.Image, moving: sitk.Image, start: AnyTransform) -> tuple[float, AnyTransform]:
    """(metric, transform of the kind of ``start``) of mean squares from ``start`` on, which is changed."""
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.05, ITERATIONS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed, moving)
    return method.GetMetricValue(), start


def _scan_brain(volume: Volume) -> tuple[sitk.Image, bool]:
    """(the scan's brain, blurred, as a float SimpleITK image every 3 mm or so; whether its top is in view).

    The image reaches 24 mm further than the brain, but up and down not beyond the tissue.
    """
    import SimpleITK as sitk

    inside, steps = brain(volume)
    spacing = [n * s for n, s in zip(steps, volume.geometry.ras_spacing())]
    if inside.sum() * np.prod(spacing) / 1000 < LEAST_BRAIN_ML:
        raise InputError(
            f"{volume.name}: less than {LEAST_BRAIN_ML:.0f} ml of a brain is in view, too little to "
            "register an atlas to; the atlas baselines need more of the head."
        )
    every = tuple(slice(None, None, n) for n in steps)
    tissue = volume.to_hu(np.ascontiguousarray(volume.ras()[every])) > TISSUE_HU
    box = []
    for axis, step in enumerate(spacing):
        others = tuple(a for a in range(3) if a != axis)
        used, seen, margin = (
            np.flatnonzero(inside.any(others)),
            np.flatnonzero(tissue.any(others)),
            int(np.ceil(MARGIN_MM / step)),
        )
        low, high = (seen[0], seen[-1]) if axis == 0 else (0, inside.shape[axis] - 1)
        box.append(slice(max(used[0] - margin, low), min(used[-1] + margin, high) + 1))
    whole = bool(tissue[np.flatnonzero(inside.any((1, 2)))[-1] + 1 :].any())
    image = sitk.GetImageFromArray(inside[tuple(box)].astype(np.float32))
    image = _placed(image, volume, steps, [b.start for b in box])
    return sitk.SmoothingRecursiveGaussian(image, BLUR_MM), whole


def _placed(image: sitk.Image, volume: Volume, steps: Sequence[int], start: Sequence[int]) -> sitk.Image:
    """``image``, every n-th voxel of the RAS view from index ``start`` on, at its place in LPS mm."""
    matrix, shape = volume.geometry.affine(), volume.stored.shape[::-1]
    columns, origin = [], matrix[:3, 3].copy()
    for (axis, backwards), step, first in zip(volume.geometry.ras_order(), steps[::-1], start[::-1]):
        column = matrix[:3, axis] * (-1 if backwards else 1)
        origin += matrix[:3, axis] * (shape[axis] - 1) * backwards + column * step * first
        columns.append(column * step)
    lps = np.diag([-1.0, -1.0, 1.0])
    steps_mm = lps @ np.array(columns).T
    spacing = np.linalg.norm(steps_mm, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps_mm / spacing).ravel().tolist())
    image.SetOrigin((lps @ origin).tolist())
    return image


def warped(image: sitk.Image, transform: sitk.Transform, volume: Volume) -> np.ndarray:
    """A label image of the atlas on the volume's own grid by nearest neighbour, array (k, j, i); 0 beyond the atlas."""
    import SimpleITK as sitk

    grid, geometry = volume.stored.shape[::-1], volume.geometry
    found = sitk.Resample(
        image,
        [int(n) for n in grid],
        transform,
        sitk.sitkNearestNeighbor,
        list(geometry.origin),
        list(geometry.spacing),
        np.ravel(geometry.direction).tolist(),
        0,
        sitk.sitkUInt8,
    )
    return sitk.GetArrayFromImage(found)


def atlas_mask(volume: Volume, transform: sitk.Transform) -> np.ndarray:
    """The atlas's face mask on the scan, bool (k, j, i), without the scan's own brain, as caideface keeps it."""
    from ..voxels.cells import expand

    mask = warped(load_atlas().face, transform, volume) != 0
    view = ras_view(mask, volume.geometry)
    inside, steps = brain(volume)
    view &= ~expand(inside, steps, tuple(slice(0, n) for n in view.shape))
    return mask

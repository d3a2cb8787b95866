"""A CT volume as the engine sees it: the stored numbers, how they become HU, and where they lie.

Arrays are (k, j, i), that is numpy's view of ITK's and Slicer's (i, j, k); geometry is in LPS mm as
in ITK and DICOM. The engine works in RAS+ order (axis 0 superior, 1 anterior, 2 right), which
``ras_view`` gives without copying, whatever the order, sign or obliquity of the stored axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, MaskError

if TYPE_CHECKING:
    import SimpleITK as sitk

GEOMETRY_TOLERANCE_MM = 1e-2
# No CT exceeds these: tables are 2 m long, and coordinates of the room lie some metres from its origin.
SPACING_MM = (1e-3, 100.0)
LARGEST_EXTENT_MM = 4000.0
LARGEST_COORDINATE_MM = 1e5
LEAST_DETERMINANT = 1e-3
RESCALING = (1e-9, 1e6)


@dataclass(frozen=True)
class Geometry:
    """Spacing (i, j, k) and origin (LPS) in mm; ``direction`` 3x3, column a = LPS unit vector of axis a.

    Examples:
        >>> import numpy as np
        >>> from CTADefaceLib import Geometry
        >>> geometry = Geometry((0.5, 0.5, 1.0), (-120.0, -140.0, 30.0), np.eye(3))
        >>> geometry.millilitres(4000)
        1.0
        >>> geometry.affine()[:3, 3].tolist()  # RAS
        [120.0, 140.0, 30.0]
    """

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: np.ndarray

    @classmethod
    def from_image(cls, image: sitk.Image) -> Geometry:
        """Geometry of a 3-D ``SimpleITK.Image``."""
        return cls(image.GetSpacing(), image.GetOrigin(), np.array(image.GetDirection()).reshape(3, 3))

    @classmethod
    def from_affine(cls, affine: np.ndarray | Sequence[Sequence[float]]) -> Geometry:
        """Geometry of a 4x4 matrix from (i, j, k, 1) to RAS mm, as in nibabel and Slicer's IJKToRAS. Raises: InputError."""
        lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, float)
        # The squares of larger numbers overflow.
        if not np.all(np.abs(lps) < 1e100):
            raise InputError("The volume's geometry holds numbers that are no lengths; export it again.")
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        if np.any(spacing <= 0) or abs(np.linalg.det(lps[:3, :3] / spacing)) < LEAST_DETERMINANT:
            raise InputError("The volume's geometry is unusable (zero spacing or a singular matrix); export it again.")
        return cls(tuple(spacing), tuple(lps[:3, 3]), lps[:3, :3] / spacing)

    def require_plausible(self, name: str | Path, shape: Sequence[int]) -> None:
        """Raise ``InputError``, naming the input, unless a CT of ``shape`` (i, j, k) voxels can have this geometry."""
        spacing, origin, direction = (np.asarray(v, float) for v in (self.spacing, self.origin, self.direction))
        if not (
            np.all(spacing >= SPACING_MM[0])
            and np.all(spacing <= SPACING_MM[1])
            and np.all(spacing * shape <= LARGEST_EXTENT_MM)
        ):
            raise InputError(
                f"{name}: {_product(shape)} voxels of {_product(spacing)} mm cannot be a CT; export it with its spacing in mm."
            )
        if not np.all(np.abs(origin) <= LARGEST_COORDINATE_MM):
            raise InputError(
                f"{name}: its origin ({', '.join(f'{o:g}' for o in origin)} mm) lies nowhere in a scanner's "
                "room; export it again."
            )
        lengths = np.linalg.norm(direction, axis=0) if np.all(np.abs(direction) < 2) else np.zeros(3)
        if not np.all(np.abs(lengths - 1) < 1e-2) or abs(np.linalg.det(direction)) < LEAST_DETERMINANT:
            raise InputError(f"{name}: the directions of its axes are no unit vectors or lie in a plane; export it again.")

    def affine(self) -> np.ndarray:
        """4x4 matrix from (i, j, k, 1) to RAS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix

    def voxel_mm3(self) -> float:
        """Volume of a voxel in mm3; less than the product of the spacings where the axes are sheared."""
        return float(np.prod(self.spacing) * abs(np.linalg.det(self.direction)))

    def millilitres(self, voxels: float | np.integer) -> float:
        """Volume in ml of so many voxels."""
        return float(voxels) * self.voxel_mm3() / 1000

    def matches(self, other: Geometry) -> bool:
        """True when both grids put voxels at the same places (within 0.01 mm at the origin and per axis)."""
        return np.allclose(self.affine()[:3, 3], other.affine()[:3, 3], atol=GEOMETRY_TOLERANCE_MM) and np.allclose(
            self.affine()[:3, :3], other.affine()[:3, :3], atol=GEOMETRY_TOLERANCE_MM / 10
        )

    def ras_order(self) -> list[tuple[int, bool]]:
        """For each RAS axis (R, A, S): the (i, j, k) axis closest to it, and whether that runs backwards.

        Each axis is used once, however oblique: the closest pair is taken first (ITK's rule, which Slicer has too;
        asking ITK would take a tenth of a second for the import).
        """
        cosines = np.diag([-1.0, -1.0, 1.0]) @ self.direction
        order, left = [(0, False)] * 3, np.abs(cosines)
        for _ in range(3):
            world, axis = np.unravel_index(left.argmax(), left.shape)
            order[world] = int(axis), bool(cosines[world, axis] < 0)
            left[world], left[:, axis] = -1, -1
        return order

    def ras_spacing(self) -> tuple[float, ...]:
        """Spacing in mm in the order of ``ras_view``: (S, A, R)."""
        return tuple(float(self.spacing[axis]) for axis, _ in self.ras_order())[::-1]


def require_rescaling(name: str | Path, slope: float, intercept: float) -> None:
    """Raise ``InputError``, naming the input, unless HU can be stored values * ``slope`` + ``intercept``."""
    if not (RESCALING[0] <= abs(slope) <= RESCALING[1] and abs(intercept) <= RESCALING[1]):
        raise InputError(f"{name}: its slope {slope:g} and intercept {intercept:g} give no HU; export it again.")


def _product(numbers: Iterable[float]) -> str:
    return " x ".join(f"{n:g}" for n in numbers)


def ras_view(array: np.ndarray, geometry: Geometry) -> np.ndarray:
    """View of a (k, j, i) array as (S, A, R); writing to the view writes to the array."""
    order = geometry.ras_order()
    view = array.T.transpose([axis for axis, _ in order])
    view = view[tuple(slice(None, None, -1 if flipped else 1) for _, flipped in order)]
    return view.T


def stored_order(view: np.ndarray, geometry: Geometry) -> np.ndarray:
    """View (k, j, i) of an array (S, A, R): the inverse of ``ras_view``."""
    order = geometry.ras_order()
    array = view.T[tuple(slice(None, None, -1 if flipped else 1) for _, flipped in order)]
    return array.transpose(np.argsort([axis for axis, _ in order])).T


def ras_affine(volume: Volume) -> np.ndarray:
    """4x4 from the index (s, a, r, 1) of a volume's RAS view to RAS mm (right, anterior, superior)."""
    affine, shape = volume.geometry.affine(), volume.stored.shape[::-1]
    result = np.eye(4)
    result[:3, 3] = affine[:3, 3]
    for place, (axis, backwards) in zip((2, 1, 0), volume.geometry.ras_order()):
        step = affine[:3, axis]
        result[:3, place] = -step if backwards else step
        if backwards:
            result[:3, 3] += step * (shape[axis] - 1)
    return result


def values_at(view: np.ndarray, matrix: np.ndarray, points: np.ndarray, outside: float | np.generic) -> np.ndarray:
    """Values of the nearest voxels of a view (S, A, R) at ``points`` (..., 3), which ``matrix`` (4x4) brings to the view's
    indices; ``outside`` beyond the view."""
    index, inside = list[np.ndarray](), np.ones(points.shape[:-1], bool)
    # Axis by axis: products and reductions over three columns are slow.
    for row, size in zip(matrix[:3], view.shape):
        nearest = np.rint(points @ row[:3] + row[3]).astype(np.int32)
        inside &= (nearest >= 0) & (nearest < size)
        index.append(nearest)
    result = np.full(inside.shape, outside, view.dtype)
    result[inside] = view[tuple(nearest[inside] for nearest in index)]
    return result


def foremost(mask: np.ndarray) -> np.ndarray:
    """(S, R) index along A of the foremost True voxel on each line of ``mask`` (S, A, R), -1 without one."""
    # A maximum takes whole rows at a time; argmax would go along each line separately.
    place = np.arange(1, mask.shape[1] + 1, dtype=np.int16)
    return (mask * place[:, None]).max(1).astype(np.intp) - 1


def in_front(place: np.ndarray, size: int) -> np.ndarray:
    """Bool (S, ``size``, R): voxels in front of the index along A that ``place`` (S, R) gives for their line."""
    # 16 bits hold every index, and the processor compares more of them at once.
    return np.arange(size, dtype=np.int16)[:, None] > place.astype(np.int16)[:, None]


def nested(outer: Iterable[slice], inner: Iterable[slice]) -> tuple[slice, ...]:
    """The slices ``inner`` of a part as slices of the whole, where ``outer`` are the slices of the part."""
    return tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, inner))


class FileHeader:
    """What a volume's file format keeps of the file's header; each format has a class of its own."""


@dataclass
class Volume:
    """Stored values (k, j, i) with HU = stored * slope + intercept; ``source`` is the header of the file it came from.

    ``limits``: (lowest, highest) stored value that the file can hold, where that is less than the dtype's range.

    Examples:
        >>> import numpy as np
        >>> from CTADefaceLib import Geometry, Volume
        >>> stored = np.full((4, 4, 4), 1064, np.uint16)
        >>> volume = Volume(stored, Geometry((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), intercept=-1024.0)
        >>> int(volume.to_hu(stored)[0, 0, 0])
        40
    """

    stored: np.ndarray
    geometry: Geometry
    slope: float = 1.0
    intercept: float = 0.0
    name: str = "volume"
    source: FileHeader | None = field(default=None, repr=False)
    limits: tuple[float, float] | None = None

    def ras(self) -> np.ndarray:
        """The stored values as a view in (S, A, R) order."""
        return ras_view(self.stored, self.geometry)

    def as_mask(self) -> np.ndarray:
        """The volume read as a mask, bool (k, j, i).

        Some programs save 0 and 1 with a slope and an intercept, so that neither is 0 in the file.
        Raises: MaskError for negative values: that is an image.
        """
        labels: np.ndarray = self.stored
        least: float = 0
        if (self.slope, self.intercept) != (1.0, 0.0) or labels.dtype.kind not in "iu":
            labels, least = labels.astype(np.float32) * self.slope + self.intercept, 0.5
        if labels.dtype.kind != "u" and labels.size and labels.min() < -least:
            raise MaskError(
                f"{self.name}: is an image and no mask, with values down to {labels.min():g}; give a mask, which is 0 "
                "outside of the face."
            )
        return labels > least

    def to_hu(self, stored: np.ndarray) -> np.ndarray:
        """HU of stored values, same shape: int16 where that is exact, float32 otherwise; may be ``stored`` itself."""
        if self._has_exact_hu(stored.dtype):
            hu = stored.astype(np.int16, copy=False)
            return hu + np.int16(self.intercept) if self.intercept else hu
        return stored.astype(np.float32) * np.float32(self.slope) + np.float32(self.intercept)

    def _has_exact_hu(self, dtype: np.dtype) -> bool:
        """Are the HU of stored values of this type whole numbers that int16 holds?"""
        if self.slope != 1.0 or dtype.kind not in "iu" or not float(self.intercept).is_integer():
            return False
        return dtype.itemsize == 1 or (dtype.kind == "i" and dtype.itemsize == 2 and self.intercept == 0)

    def from_hu(self, hu: float) -> np.generic:
        """The stored value nearest to ``hu``: rounded for integer types, clipped to what can be stored."""
        value = (hu - self.intercept) / self.slope
        if self.stored.dtype.kind in "iu":
            limits = np.iinfo(self.stored.dtype)
            value = np.clip(np.rint(value), limits.min, limits.max)
        if self.limits is not None:
            value = np.clip(value, *self.limits)
        return self.stored.dtype.type(value)

"""The slices of a series in space: sorted by ImagePositionPatient, never by number or name.

Heights are mm along the normal of the slices. Slices that do not lie straight above one another (gantry tilt) or at
even distances are taken as they are; the module ``grid`` gives such a stack an upright, even grid for the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import CTADefaceError, InputError, first_line
from ...voxels.volume import SPACING_MM, Geometry, require_rescaling
from .pixels import require_room
from .series import Instance, Series

if TYPE_CHECKING:
    from pydicom import Dataset

# Positions are often rounded to 0.1 mm, or to single precision.
SAME_PLACE_MM = 0.02
EVEN_SHARE, EVEN_MM = 0.05, 0.06
# Above this, slices are sheared upright for the model.
TILT_DEG = 1.0
STRAY_MM = 0.5
# Between slices farther apart than this a face cannot be followed.
LARGEST_STEP_MM = 12.0
LEAST_SLICES = 2
# Gantries tilt by 30 degrees at most.
LARGEST_TILT_DEG, LEAST_SHIFT_MM = 45.0, 20.0
# Some programs round cosines to two digits.
UNIT_TOLERANCE = 0.02


@dataclass(frozen=True)
class Plane:
    """One slice: frame ``frame`` of the file ``path``; HU = stored * slope + intercept.

    ``position``: LPS mm of its first pixel; ``cosines``, ``pixel_mm`` (rows, columns) as in DICOM; ``bits``:
    (BitsStored, PixelRepresentation).
    """

    path: Path
    frame: int
    position: tuple[float, ...]
    cosines: tuple[float, ...]
    pixel_mm: tuple[float, float]
    slope: float
    intercept: float
    bits: tuple[int, int]
    thickness: float | None = None


@dataclass(frozen=True)
class Stack:
    """``planes`` from the lowest height to the highest; ``rows`` and ``columns`` of each."""

    planes: tuple[Plane, ...]
    rows: int
    columns: int

    @property
    def row(self) -> np.ndarray:
        """LPS unit vector along a row (column index grows)."""
        return np.array(self.planes[0].cosines[:3])

    @property
    def column(self) -> np.ndarray:
        """LPS unit vector along a column (row index grows)."""
        return np.array(self.planes[0].cosines[3:])

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.row, self.column)

    @cached_property
    def positions(self) -> np.ndarray:
        return np.array([plane.position for plane in self.planes])

    @property
    def heights(self) -> np.ndarray:
        return self.positions @ self.normal

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """(between rows, between columns) in mm."""
        return self.planes[0].pixel_mm

    @cached_property
    def step(self) -> np.ndarray:
        """LPS vector from one slice to the next, the mean over the stack."""
        return (self.positions[-1] - self.positions[0]) / (len(self.planes) - 1)

    @property
    def tilt_deg(self) -> float:
        """Angle between the line of the slices and their normal: the gantry's tilt."""
        along = abs(self.step @ self.normal)
        return float(np.degrees(np.arctan2(np.linalg.norm(self.step - self.normal * (self.step @ self.normal)), along)))

    @cached_property
    def even(self) -> bool:
        """Do all slices lie where the mean step puts them?"""
        stray = self.positions - self.positions[0] - np.arange(len(self.planes))[:, None] * self.step
        along = np.abs(stray @ self.normal)
        across = np.linalg.norm(stray - np.outer(stray @ self.normal, self.normal), axis=1)
        most_along = max(STRAY_MM, EVEN_SHARE * float(np.linalg.norm(self.step)))
        return _all_even(np.diff(self.heights)) and bool(along.max() <= most_along and across.max() <= STRAY_MM)

    @property
    def upright(self) -> bool:
        """Can the stack go to a model as it is?"""
        return self.even and self.tilt_deg <= TILT_DEG

    @cached_property
    def geometry(self) -> Geometry:
        """``Geometry`` of the stack as (k, j, i), k by the mean step; sheared when the gantry was tilted."""
        rows_mm, columns_mm = self.pixel_mm
        length = float(np.linalg.norm(self.step))
        direction = np.stack([self.row, self.column, self.step / length], axis=1)
        return Geometry((columns_mm, rows_mm, length), tuple(self.positions[0]), direction)

    @property
    def uniform(self) -> bool:
        """Do all slices share slope, intercept and the type of their numbers? The number of bits may differ."""
        return len({(p.slope, p.intercept, p.bits[1], p.bits[0] < 16) for p in self.planes}) == 1


def _all_even(steps: np.ndarray) -> bool:
    usual = float(np.median(steps))
    return bool(np.all(np.abs(steps - usual) <= max(EVEN_SHARE * usual, EVEN_MM)))


def stack_of(series: Series) -> Stack:
    """The ``Stack`` of a ``Series`` of CT.

    Raises: InputError with the reason when its slices do not make one volume: missing or duplicate slices, mixed
    orientation or pixel size, positions or spacing not given, pixels that are not single numbers of 16 bits.
    """
    try:
        planes = [plane for instance in _once(series) for plane in planes_of(instance)]
        header = series.header
        if len(planes) < LEAST_SLICES:
            raise InputError("is a single slice, not a volume; give the folder of the whole series")
        _same(planes)
        normal = np.cross(planes[0].cosines[:3], planes[0].cosines[3:])
        planes.sort(key=lambda plane: float(np.dot(plane.position, normal)))
        stack = Stack(tuple(planes), int(header.Rows), int(header.Columns))
        _check_heights(stack)
        stack.geometry.require_plausible("its stack of slices", (stack.columns, stack.rows, len(planes)))
        return stack
    except InputError as error:
        raise InputError(f"{series.label}: {str(error).rstrip('.')}.") from None
    except CTADefaceError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged elements
        raise InputError(
            f"{series.label}: an element of its headers is missing or unusable ({first_line(error)}); export it again."
        ) from None


def _once(series: Series) -> Iterable[Instance]:
    """The instances without copies of the same file."""
    seen: dict[str, Instance] = {}
    for instance in series.instances:
        uid = str(instance.known_header.SOPInstanceUID)
        other = seen.setdefault(uid, instance)
        if other is not instance and other.path.read_bytes() != instance.path.read_bytes():
            raise InputError(
                f"{other.path.name} and {instance.path.name} are different files with one SOP instance UID; keep the right one"
            )
    return seen.values()


def planes_of(instance: Instance) -> list[Plane]:
    """The ``Plane``s of one instance, one per frame. Raises: InputError, or what a missing element raises."""
    header = instance.known_header
    if int(header.get("BitsAllocated", 0)) != 16 or int(header.get("SamplesPerPixel", 1)) != 1:
        raise InputError("its pixels are not single numbers of 16 bits; export it again as CT")
    if int(header.HighBit) != int(header.BitsStored) - 1:
        raise InputError(f"its pixels end at bit {header.HighBit} of {header.BitsStored}; export it again")
    bits = int(header.BitsStored), int(header.PixelRepresentation)
    if not (1 <= bits[0] <= 16 and bits[1] in (0, 1)):
        raise InputError(f"its pixels have {bits[0]} bits and the representation {bits[1]}; export it again as CT")
    require_room(instance.path, header)
    frames, groups = int(header.get("NumberOfFrames") or 1), header.get("PerFrameFunctionalGroupsSequence")
    if groups:
        if len(groups) != frames:
            raise InputError(f"has {frames} frames and positions of {len(groups)}; export it again")
        return [_frame_plane(instance.path, header, number, bits) for number in range(frames)]
    if frames > 1:
        raise InputError("has several frames without their positions; export it as CT")
    if header.get("ModalityLUTSequence"):
        raise InputError("its HU are given by a look-up table; export it with slope and intercept")
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        if header.get(keyword) in (None, ""):
            raise InputError(f"{keyword} is missing in {instance.path.name}; export it again")
    return [_plane(instance.path, 0, header, header, header, header, bits)]


def _frame_plane(path: Path, header: Dataset, number: int, bits: tuple[int, int]) -> Plane:
    """The plane of an enhanced file's frame; its groups are the frame's own, or shared by all."""
    frame = header.PerFrameFunctionalGroupsSequence[number]
    shared = header.SharedFunctionalGroupsSequence[0] if header.get("SharedFunctionalGroupsSequence") else {}

    def group(keyword: str) -> Dataset:
        items = frame.get(keyword) or shared.get(keyword)
        if not items:
            raise InputError(f"{keyword} is missing; export it again")
        return items[0]

    return _plane(
        path,
        number,
        group("PlanePositionSequence"),
        group("PlaneOrientationSequence"),
        group("PixelMeasuresSequence"),
        group("PixelValueTransformationSequence"),
        bits,
    )


def _plane(
    path: Path, frame: int, position: Dataset, orientation: Dataset, measures: Dataset, rescale: Dataset, bits: tuple[int, int]
) -> Plane:
    thickness = measures.get("SliceThickness")
    slope, intercept = (rescale.get(keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if slope in (None, "") or intercept in (None, ""):
        raise InputError(f"slope or intercept of HU is missing in {path.name}; export it again")
    require_rescaling(path.name, float(slope), float(intercept))
    values = [
        np.array(v, float) for v in (position.ImagePositionPatient, orientation.ImageOrientationPatient, measures.PixelSpacing)
    ]
    if [len(v) for v in values] != [3, 6, 2] or not all(np.isfinite(v).all() for v in values) or values[2].min() <= 0:
        raise InputError(f"position, orientation or spacing is unusable in {path.name}; export it again")
    cosines = values[1].reshape(2, 3)
    if not np.all(np.abs(np.linalg.norm(cosines, axis=1) - 1) < UNIT_TOLERANCE):
        raise InputError(f"the orientation is not made of unit vectors in {path.name}; export it again")
    cosines = cosines / np.linalg.norm(cosines, axis=1, keepdims=True)
    if abs(cosines[0] @ cosines[1]) > 1e-3:
        raise InputError(f"rows and columns are not at right angles in {path.name}; export it again")
    thickness = float(thickness) if thickness not in (None, "") else None
    if thickness is not None and not 0 <= thickness <= SPACING_MM[1]:
        raise InputError(f"the slice thickness is {thickness:g} mm in {path.name}; export it again")
    return Plane(
        path,
        frame,
        tuple(values[0]),
        tuple(cosines.ravel()),
        tuple(values[2]),
        float(slope),
        float(intercept),
        bits,
        thickness,
    )


def _same(planes: list[Plane]) -> None:
    """Require one orientation and pixel size; single-frame files were grouped by size and orientation before."""
    cosines, pixels = (np.array([getattr(p, name) for p in planes]) for name in ("cosines", "pixel_mm"))
    if np.abs(cosines - cosines[0]).max() > 2e-3:
        raise InputError("its slices have different orientations; choose series with one orientation")
    if np.abs(pixels - pixels[0]).max() > 1e-3:
        raise InputError("its slices have different pixel sizes; choose series with one pixel size")


def _check_heights(stack: Stack) -> None:
    heights = stack.heights
    steps = np.diff(heights)
    double = np.flatnonzero(steps < SAME_PLACE_MM)
    if double.size:
        raise InputError(
            f"{double.size} of its slices lie where another one lies (at {heights[double[0]]:.1f} mm): "
            "several phases or copies in one series; split it by acquisition"
        )
    offsets = stack.positions - stack.positions[0]
    aside = np.linalg.norm(offsets - np.outer(offsets @ stack.normal, stack.normal), axis=1)
    if np.any(aside > np.ptp(heights) * np.tan(np.radians(LARGEST_TILT_DEG)) + LEAST_SHIFT_MM):
        raise InputError(f"its slices lie up to {aside.max():.0f} mm beside one another; export it again")
    if _all_even(steps):
        return
    gap = _gap(steps)
    if gap is not None:
        raise InputError(
            f"slices are missing between {heights[gap]:.1f} and {heights[gap + 1]:.1f} mm "
            f"({steps[gap]:.1f} mm apart instead of {np.median(steps):.1f} mm); export it again"
        )
    if steps.max() > LARGEST_STEP_MM:
        raise InputError(f"its slices are up to {steps.max():.1f} mm apart; give one with closer slices")


def _gap(steps: np.ndarray) -> int | None:
    """Index of a step that is larger than those beside it, which agree: slices are missing there. None without such a step."""
    for number, step in enumerate(steps):
        beside = [steps[n] for n in (number - 1, number + 1) if 0 <= n < len(steps)]
        # Two large steps side by side mean thicker slices, not missing ones.
        if step > 1.5 * max(beside) and (len(beside) == 1 or np.ptp(beside) <= 0.1 * max(beside)):
            return number
    return None

"""Structures of an RTSTRUCT as masks on the slices of a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CTADefaceError, InputError, first_line
from .reading.pixels import read_dataset
from .reading.stack import Stack

if TYPE_CHECKING:
    from pydicom import Dataset

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
# Contours that enclose something; points and open lines (isocentres, reference lines) do not.
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
# A contour lies in one slice, up to rounding.
FLAT_MM, SAME_HEIGHT_MM = 0.5, 0.05


def structures_of(
    path: Path, wanted: Sequence[str], stack: Stack, frame_of_reference: str | None
) -> Iterator[tuple[str, np.ndarray]]:
    """(name, bool (k, rows, columns) on the slices of ``stack``) of the ``wanted`` structures, of all of them without names.

    A pixel belongs to a structure when its centre lies in an odd number of contours, so that a contour in another one is a
    hole. Each contour counts up to half of the distance to the next one; slices between contours follow the nearest.
    Raises: InputError, naming the file, when it is no RTSTRUCT, belongs to another frame of reference, has no such
    structure, or has contours that do not lie in the slices; MissingPackages.
    """
    try:
        found = _contours(read_dataset(path), path, frame_of_reference)
    except CTADefaceError:
        raise
    except Exception as error:  # pydicom raises many kinds for damaged elements
        raise InputError(f"{path}: is no usable RTSTRUCT ({first_line(error)}); export it again.") from None
    for name in wanted or [name for name, contours in found if contours]:
        same = [contours for known, contours in found if known == name]
        if len(same) != 1:
            names = ", ".join(known for known, _contours in found) or "none"
            raise InputError(f"{path}: has {'several structures' if same else 'no structure'} called {name}; it has: {names}.")
        if not same[0]:
            raise InputError(f"{path}: {name} has no closed contours; leave it out.")
        yield name, on_slices(same[0], stack, f"{path}: {name}")


def _contours(dataset: Dataset, path: Path, frame_of_reference: str | None) -> list[tuple[str, list[np.ndarray]]]:
    """[(name, closed contours, each (N, 3) LPS mm)] of an RTSTRUCT, in its order."""
    if str(dataset.get("SOPClassUID", "")) != RT_STRUCTURE_SET:
        raise InputError(f"{path}: is no RTSTRUCT; give an RTSTRUCT, or a labelmap as .nii.gz, .nrrd or .mha.")
    points: dict[int, list[np.ndarray]] = {}
    for roi in dataset.get("ROIContourSequence") or []:
        points.setdefault(int(roi.ReferencedROINumber), []).extend(
            np.asarray(contour.ContourData, float).reshape(-1, 3)
            for contour in roi.get("ContourSequence") or []
            if str(contour.ContourGeometricType) in CLOSED
        )
    found = []
    for roi in dataset.StructureSetROISequence:
        frame = str(roi.get("ReferencedFrameOfReferenceUID") or "")
        if frame and frame_of_reference and frame != frame_of_reference:
            raise InputError(
                f"{path}: lies in another frame of reference than the series that the mask is made on; choose that one by "
                "--series, or give another RTSTRUCT."
            )
        found.append((str(roi.ROIName), points.get(int(roi.ROINumber), [])))
    return found


def on_slices(contours: Sequence[np.ndarray], stack: Stack, name: str) -> np.ndarray:
    """Bool (k, rows, columns): inside of closed contours (each (N, 3) LPS mm), by the rule of ``structures_of``."""
    heights = np.array([np.median(points @ stack.normal) for points in contours])
    for points, height in zip(contours, heights):
        if np.abs(points @ stack.normal - height).max() > FLAT_MM:
            raise InputError(f"{name}: its contours do not lie in the slices; draw it on this series, or give a labelmap.")
    planes = _planes(heights)
    reach = (float(np.median(np.diff(planes))) if len(planes) > 1 else _thickness(stack)) / 2 + SAME_HEIGHT_MM
    mask = np.zeros((len(stack.planes), stack.rows, stack.columns), bool)
    rows_mm, columns_mm = stack.pixel_mm
    for k, height in enumerate(stack.heights):
        nearest = planes[np.abs(planes - height).argmin()]
        if abs(nearest - height) > reach:
            continue
        for points in (one for one, at in zip(contours, heights) if abs(at - nearest) <= SAME_HEIGHT_MM):
            beside = points - stack.positions[k]
            mask[k] ^= inside(np.stack([beside @ stack.column / rows_mm, beside @ stack.row / columns_mm], 1), mask.shape[1:])
    return mask


def _planes(heights: np.ndarray) -> np.ndarray:
    """The heights of planes with contours, in order, each once."""
    ordered = np.sort(heights)
    return ordered[np.insert(np.diff(ordered) > SAME_HEIGHT_MM, 0, True)]


def _thickness(stack: Stack) -> float:
    return float(np.median(np.diff(stack.heights)))


def inside(polygon: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Bool of ``shape`` (rows, columns): pixels whose centre lies in a polygon, (N, 2) as (row, column), by the even-odd rule.

    A centre on an edge belongs to the polygon where it lies on the low side of rows and columns, so that polygons with a
    common edge share no pixel.
    """
    result = np.zeros(tuple(shape), bool)
    low = max(int(np.ceil(polygon[:, 0].min())), 0)
    rows = np.arange(low, min(int(np.floor(polygon[:, 0].max())) + 1, shape[0]))
    start, end = polygon, np.roll(polygon, -1, 0)
    # An edge counts for the rows from its upper end to just before its lower end.
    row, edge = np.nonzero((start[:, 0] <= rows[:, None]) != (end[:, 0] <= rows[:, None]))
    a, b = start[edge], end[edge]
    at = a[:, 1] + (rows[row] - a[:, 0]) * (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0])
    first = np.clip(np.ceil(at), 0, shape[1]).astype(int)
    crossings = np.zeros((len(rows), shape[1] + 1), np.int32)
    np.add.at(crossings, (row, first), 1)
    result[rows] = np.cumsum(crossings, 1)[:, :-1] % 2 == 1
    return result

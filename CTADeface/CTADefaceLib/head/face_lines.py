"""The lines along which a face is levelled: those in the direction in which it looks.

The engine's arrays (S, A, R) have their lines along A. If a head is turned in the image, its own axes replace the image's, so
that a head on its side, prone or feet first comes upright, without copying. The rest of the turn slants the lines: from plane
to plane along A each moves on by whole voxels along S and R, so that every voxel lies on one line and nothing is
interpolated. A head that is hardly turned has the lines of the stored axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..voxels.morphology import bounding_box
from ..voxels.slabs import for_slabs
from ..voxels.volume import Geometry, Volume, foremost, in_front, ras_affine, ras_view
from .atlas import SKIN_HIGH_MM, SKIN_LOW_MM
from .frame import Frame
from .pose import SURE_SCORE

# Up to this angle the stored axis that is closest to the face's direction replaces it.
STRAIGHT_DEGREES = 8.0
# Share of a mask that lies in the front of the head, seen every few millimetres: 0.98 and more of a good mask, 0.3 and less
# where the frame is wrong.
LEAST_FITTING, SEEN_MM = 0.7, 4.0
# Rows of lines that one thread takes at once.
ROWS = 64
# The planes lie so far beyond the mask that they do not tell where it ends.
ABOVE_MM, BELOW_MM, BEHIND_MM = 10.0, 20.0, 5.0


def in_head_axes(volume: Volume, frame: Frame) -> Volume:
    """The same voxels, not copied, as a ``Volume`` whose RAS axes are those of the head."""
    geometry, lps = volume.geometry, np.diag([-1.0, -1.0, 1.0])
    turn = lps @ frame.axes @ lps
    # The very same spacing, to the last digit: it decides how many voxels 5 mm are.
    turned = Geometry(geometry.spacing, tuple(turn @ geometry.origin), turn @ geometry.direction)
    return replace(volume, geometry=turned)


def fits(frame: Frame, volume: Volume, mask: np.ndarray) -> bool:
    """Does most of a mask, bool (k, j, i), not empty, lie where the front of a head is in its ``Frame``?"""
    steps = [max(round(SEEN_MM / s), 1) for s in volume.geometry.ras_spacing()]
    view = ras_view(mask, volume.geometry)
    index = np.argwhere(view[tuple(slice(None, None, n) for n in steps)]) * steps
    if len(index) == 0:
        index = np.argwhere(view)
    affine = ras_affine(volume)
    points = frame.to_head(index @ affine[:3, :3].T + affine[:3, 3])
    inside = ((points >= SKIN_LOW_MM) & (points <= SKIN_HIGH_MM)).all(1)
    return bool(inside.mean() >= LEAST_FITTING)


@dataclass(frozen=True)
class Planes:
    """The lowest and the highest plane between which voxels may go, and the rearmost, all in voxels of the view."""

    low: float
    high: float
    rear: float


class FaceLines:
    """The lines of a ``Volume`` and its ``mask`` (bool (k, j, i), not empty) for the head's ``Frame``.

    Without a frame, or with one that is not sure or does not fit the mask (``fits``), they run from posterior to anterior.
    ``volume`` has the same voxels, and its RAS axes are the head's; ``straight``: the lines are those of its RAS view.
    """

    def __init__(self, volume: Volume, mask: np.ndarray, frame: Frame | None = None) -> None:
        self._original = volume
        if frame is not None and (frame.score < SURE_SCORE or not fits(frame, volume, mask)):
            frame = None
        self.volume = volume if frame is None else in_head_axes(volume, frame)
        self.spacing = self.volume.geometry.ras_spacing()
        self.shape = self.volume.ras().shape
        # Columns: how far one voxel along S, A and R goes to the head's right, anterior and superior.
        matrix = ras_affine(self.volume)[:3, :3]
        self.straight = frame is None or not _slanted(matrix)
        step = np.zeros(3) if self.straight else np.linalg.solve(matrix, (0.0, 1.0, 0.0))
        # Voxels along S and R for each voxel forwards.
        self._slope = (0.0, 0.0) if self.straight else (step[0] / step[1], step[2] / step[1])
        self._height = np.array([1.0, 0, 0]) if self.straight else matrix[2] / self.spacing[0]
        self._depth = np.array([0, 1.0, 0]) if self.straight else matrix[1] / self.spacing[1]

    def view(self, array: np.ndarray) -> np.ndarray:
        """View (S, A, R) of an array (k, j, i) on the volume's grid."""
        return ras_view(array, self.volume.geometry)

    def place(self, index: Sequence[int]) -> tuple[float, ...]:
        """RAS mm in the image of the voxel ``index`` (s, a, r) of the view, as a tuple."""
        at = np.linalg.solve(self.volume.geometry.affine(), ras_affine(self.volume) @ [*index, 1])
        return tuple((self._original.geometry.affine() @ at)[:3].tolist())

    def planes(self, face: np.ndarray) -> Planes:
        """``Planes`` 10 mm above, 20 mm below and 5 mm behind a mask, bool (S, A, R), not empty."""
        box = bounding_box(face)
        assert box is not None
        if self.straight:
            heights, depths = np.array([box[0].start, box[0].stop - 1]), np.array([box[1].start])
        else:
            ends = _line_ends(face[box]) + np.array([part.start for part in box])
            heights, depths = ends @ self._height, ends @ self._depth
        below, above = (np.ceil(mm / self.spacing[0]) for mm in (BELOW_MM, ABOVE_MM))
        behind = np.ceil(BEHIND_MM / self.spacing[1])
        return Planes(np.min(heights) - below, np.max(heights) + above, np.min(depths) - behind)

    def box(self, planes: Planes) -> tuple[slice, ...]:
        """Three slices of the view that hold all voxels between ``planes``."""
        reach = [np.array([0.0, n - 1.0]) for n in self.shape]
        rear = max(int(np.ceil((planes.rear - _rest(self._depth, 1, reach).max()) / self._depth[1])), 0)
        reach[1][0] = rear
        rest = _rest(self._height, 0, reach)
        low, high = (planes.low - rest.max()) / self._height[0], (planes.high - rest.min()) / self._height[0]
        return (
            slice(max(int(np.ceil(low)), 0), min(int(np.floor(high)) + 1, self.shape[0])),
            slice(rear, self.shape[1]),
            slice(0, self.shape[2]),
        )

    def between(self, planes: Planes, box: Sequence[slice]) -> np.ndarray:
        """Bool that broadcasts to the part ``box`` (three slices) of the view: between the three planes."""
        if self.straight:
            height, depth = self.height(box), self.depth(box)
            return (height >= planes.low) & (height <= planes.high) & (depth >= planes.rear)
        result = np.ones([part.stop - part.start for part in box], bool)
        for row, low, high in ((self._height, planes.low, planes.high), (self._depth, planes.rear, np.inf)):
            # One map for all planes along S, of which most lie on one side; a sum per voxel would take most of the time.
            flat = self._along(np.array([0.0, *row[1:]]), box)
            least, most = float(flat.min()), float(flat.max())
            for plane, shift in zip(result, (row[0] * np.arange(box[0].start, box[0].stop)).tolist()):
                if least + shift < low:
                    plane &= flat >= low - shift
                if most + shift > high:
                    plane &= flat <= high - shift
        return result

    def height(self, box: Sequence[slice]) -> np.ndarray:
        """Voxels upwards, float32 that broadcasts to the part ``box`` (three slices, also with steps) of the view."""
        return self._along(self._height, box)

    def depth(self, box: Sequence[slice]) -> np.ndarray:
        """As ``height``, to where the face looks."""
        return self._along(self._depth, box)

    def _along(self, row: np.ndarray, box: Sequence[slice]) -> np.ndarray:
        shapes = (-1, 1, 1), (-1, 1), (-1,)
        terms = [
            (step * np.arange(part.start, part.stop, part.step, dtype=np.float32)).astype(np.float32).reshape(shape)
            for step, part, shape in zip(row, box, shapes)
            if step
        ]
        return sum(terms[1:], terms[0]) if terms else np.zeros(1, np.float32)

    def within(self, box: Sequence[slice]) -> PartLines:
        """The lines in the part ``box`` (three slices) of the view; all parts number the lines in the same way."""
        return StraightLines() if self.straight else SlantedLines(box, self.shape, self._slope)


class PartLines(Protocol):
    """Lines through an array (S, A, R), a part of a view; a map of lines has one value for each."""

    def foremost(self, mask: np.ndarray, /) -> np.ndarray:
        """Index along A of the foremost True voxel of ``mask`` (S, A, R) on each line, -1 without one."""

    def in_front(self, place: np.ndarray, size: int, /) -> np.ndarray:
        """Bool (S, ``size``, R): voxels in front of the index along A that the map ``place`` gives for their line."""

    def line(self, mask: np.ndarray, s: int, r: int, /) -> np.ndarray:
        """The voxels of ``mask`` (S, A, R) on the line (s, r), from the rear; False outside of the part."""


class StraightLines:
    """Lines along A of an array (S, A, R); their maps are (S, R)."""

    foremost = staticmethod(foremost)
    in_front = staticmethod(in_front)

    @staticmethod
    def line(mask: np.ndarray, s: int, r: int) -> np.ndarray:
        """The voxels of ``mask`` (S, A, R) on the line (s, r), from the rear."""
        return mask[s, :, r]


class SlantedLines:
    """Lines of a part ``box`` of a view of the shape ``whole`` (S, A, R), which move by ``slope`` (S, R) voxels per plane.

    The voxel (s, a, r) of the whole lies on the line (s + up[a], r + right[a]); these shifts are whole numbers from 0 up.
    """

    def __init__(self, box: Sequence[slice], whole: Sequence[int], slope: Sequence[float]) -> None:
        up, right = (-np.rint(step * np.arange(whole[1])).astype(np.intp) for step in slope)
        up, right = up - up.min(), right - right.min()
        self._shape = whole[0] + up.max(), whole[2] + right.max()
        self._size = [part.stop - part.start for part in box]
        # The line of the part's first voxel in each plane.
        self._up, self._right = up[box[1]] + box[0].start, right[box[1]] + box[2].start

    def _of_plane(self, lines: np.ndarray, a: int) -> np.ndarray:
        return lines[self._up[a] : self._up[a] + self._size[0], self._right[a] : self._right[a] + self._size[2]]

    def foremost(self, mask: np.ndarray) -> np.ndarray:
        """As ``volume.foremost`` of an array (S, A, R) of the part, per line of the whole."""
        place = np.full(self._shape, -1, np.intp)
        for a in range(self._size[1]):
            self._of_plane(place, a)[mask[:, a]] = a
        return place

    def in_front(self, place: np.ndarray, size: int) -> np.ndarray:
        """As ``volume.in_front``, for a map of lines of the whole; (S, ``size``, R) of the part."""
        result = np.empty((self._size[0], size, self._size[2]), bool)
        # 16 bits hold every index, and the processor compares more of them at once.
        short = place.astype(np.int16)

        def look(rows: slice) -> None:
            for a in range(size):
                np.less(self._of_plane(short, a)[rows], a, out=result[rows, a])

        for_slabs(look, self._size[0], ROWS)
        return result

    def line(self, mask: np.ndarray, s: int, r: int) -> np.ndarray:
        """The voxels of ``mask`` (S, A, R) of the part on the line (s, r), from the rear; False outside of the part."""
        at_s, at_r = s - self._up, r - self._right
        inside = np.flatnonzero((at_s >= 0) & (at_s < self._size[0]) & (at_r >= 0) & (at_r < self._size[2]))
        result = np.zeros(self._size[1], bool)
        result[inside] = mask[at_s[inside], inside, at_r[inside]]
        return result


def _line_ends(mask: np.ndarray) -> np.ndarray:
    """(N, 3) indices of the rearmost and the foremost voxel of ``mask`` on each line along A."""
    s, r = np.nonzero(mask.any(1))
    front, rear = foremost(mask), mask.shape[1] - 1 - foremost(mask[:, ::-1])
    return np.concatenate([np.stack([s, end[s, r], r], 1) for end in (front, rear)])


def _rest(row: np.ndarray, axis: int, reach: Sequence[np.ndarray]) -> np.ndarray:
    """The least and the most that the axes other than ``axis`` add to ``row``; ``reach`` first and last index of each."""
    first, second = (np.sort(row[n] * reach[n]) for n in range(3) if n != axis)
    return first + second


def _slanted(matrix: np.ndarray) -> bool:
    """Is the face's direction, or the head's upright, far from the view's axes A and S? ``matrix`` as in ``FaceLines``."""
    cosines = [matrix[row, column] / np.linalg.norm(matrix[:, column]) for row, column in ((1, 1), (2, 0))]
    return bool(min(cosines) < np.cos(np.radians(STRAIGHT_DEGREES)))

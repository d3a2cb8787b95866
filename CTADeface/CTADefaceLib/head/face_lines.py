"""The lines along which a face is levelled: those in the direction in which it looks.

The engine's arrays (S, A, R) have their lines along A. For a head that is turned in the image they are taken by the head's
axes in place of the image's, so that one on its side, prone or feet first comes upright, without copying. What is left of
the turn slants the lines: from plane to plane along A each moves on by whole voxels along S and R, so that every voxel lies
on one line and nothing is interpolated. A head that is hardly turned has the lines of the stored axes.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..voxels.morphology import bounding_box
from ..voxels.volume import Geometry, foremost, in_front, ras_affine, ras_view
from .atlas import SKIN_HIGH_MM, SKIN_LOW_MM
from .pose import SURE_SCORE

# Up to here the stored axis that is closest to the face's direction serves for it.
STRAIGHT_DEGREES = 8.0
# Share of a mask in the front of the head, seen every few millimetres: 0.98 and more of good masks, 0.3 and less where the
# frame is wrong.
LEAST_FITTING, SEEN_MM = 0.7, 4.0
# The planes lie so far beyond the mask that they do not tell where it ends.
ABOVE_MM, BELOW_MM, BEHIND_MM = 10.0, 20.0, 5.0


def in_head_axes(volume, frame):
    """The same voxels, not copied, as a ``Volume`` of which RAS are the axes of the head (``head.frame.Frame``)."""
    geometry, lps = volume.geometry, np.diag([-1.0, -1.0, 1.0])
    turn = lps @ frame.axes @ lps
    # The spacing to the last digit: it decides how many voxels 5 mm are.
    turned = Geometry(geometry.spacing, tuple(turn @ geometry.origin), turn @ geometry.direction)
    return replace(volume, geometry=turned)


def fits(frame, volume, mask):
    """Does most of a mask, bool (k, j, i), not empty, lie where the front of a head is in its ``Frame``?"""
    steps = [max(int(round(SEEN_MM / s)), 1) for s in volume.geometry.ras_spacing()]
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

    Without one, or with one that is not sure or does not fit the mask (``fits``), those from posterior to anterior.
    ``volume`` is the same voxels, of which RAS are the head's axes; ``straight``: the lines are those of its RAS view.
    """

    def __init__(self, volume, mask, frame=None):
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

    def view(self, array):
        """View (S, A, R) of an array (k, j, i) on the volume's grid."""
        return ras_view(array, self.volume.geometry)

    def place(self, index):
        """RAS mm in the image of the voxel ``index`` (s, a, r) of the view, as a tuple."""
        at = np.linalg.solve(self.volume.geometry.affine(), ras_affine(self.volume) @ [*index, 1])
        return tuple((self._original.geometry.affine() @ at)[:3].tolist())

    def planes(self, face):
        """``Planes`` 10 mm above, 20 mm below and 5 mm behind a mask, bool (S, A, R), not empty."""
        box = bounding_box(face)
        if self.straight:
            heights, depths = (box[0].start, box[0].stop - 1), (box[1].start,)
        else:
            ends = _line_ends(face[box]) + np.array([part.start for part in box])
            heights, depths = ends @ self._height, ends @ self._depth
        below, above = (np.ceil(mm / self.spacing[0]) for mm in (BELOW_MM, ABOVE_MM))
        behind = np.ceil(BEHIND_MM / self.spacing[1])
        return Planes(np.min(heights) - below, np.max(heights) + above, np.min(depths) - behind)

    def box(self, planes):
        """Three slices of the view that hold all voxels between ``planes``."""
        reach = [np.array([0.0, n - 1.0]) for n in self.shape]
        rear = (planes.rear - _rest(self._depth, 1, reach).max()) / self._depth[1]
        reach[1][0] = rear = max(int(np.ceil(rear)), 0)
        rest = _rest(self._height, 0, reach)
        low, high = (planes.low - rest.max()) / self._height[0], (planes.high - rest.min()) / self._height[0]
        return (slice(max(int(np.ceil(low)), 0), min(int(np.floor(high)) + 1, self.shape[0])), slice(rear, self.shape[1]),
                slice(0, self.shape[2]))

    def between(self, planes, box):
        """Bool that broadcasts to the part ``box`` (three slices) of the view: between the three planes."""
        height, depth = self._along(self._height, box), self._along(self._depth, box)
        return (height >= planes.low) & (height <= planes.high) & (depth >= planes.rear)

    def _along(self, row, box):
        shapes = (-1, 1, 1), (-1, 1), (-1,)
        terms = [(step * np.arange(part.start, part.stop, dtype=np.float32)).astype(np.float32).reshape(shape)
                 for step, part, shape in zip(row, box, shapes) if step]
        return sum(terms[1:], terms[0])

    def within(self, box):
        """The lines in the part ``box`` (three slices) of the view, whose maps of lines are those of every other part."""
        return StraightLines() if self.straight else SlantedLines(box, self.shape, self._slope)


class StraightLines:
    """Lines along A of an array (S, A, R); their maps are (S, R)."""

    foremost = staticmethod(foremost)
    in_front = staticmethod(in_front)

    @staticmethod
    def line(mask, s, r):
        """The voxels of ``mask`` (S, A, R) on the line (s, r), from the rear."""
        return mask[s, :, r]


class SlantedLines:
    """Lines of a part ``box`` of a view of the shape ``whole`` (S, A, R), which move by ``slope`` (S, R) voxels per plane.

    The voxel (s, a, r) of the whole lies on the line (s + up[a], r + right[a]), of shifts that are whole and never below 0.
    """

    def __init__(self, box, whole, slope):
        up, right = (-np.rint(step * np.arange(whole[1])).astype(np.intp) for step in slope)
        up, right = up - up.min(), right - right.min()
        self._shape = whole[0] + up.max(), whole[2] + right.max()
        self._size = [part.stop - part.start for part in box]
        # The line of the part's first voxel in each plane.
        self._up, self._right = up[box[1]] + box[0].start, right[box[1]] + box[2].start

    def _of_plane(self, lines, a):
        return lines[self._up[a]:self._up[a] + self._size[0], self._right[a]:self._right[a] + self._size[2]]

    def foremost(self, mask):
        """As ``volume.foremost`` of an array (S, A, R) of the part, per line of the whole."""
        place = np.full(self._shape, -1, np.intp)
        for a in range(self._size[1]):
            self._of_plane(place, a)[mask[:, a]] = a
        return place

    def in_front(self, place, size):
        """As ``volume.in_front``, for a map of lines of the whole; (S, ``size``, R) of the part."""
        result = np.empty((self._size[0], size, self._size[2]), bool)
        for a in range(size):
            np.less(self._of_plane(place, a), a, out=result[:, a])
        return result

    def line(self, mask, s, r):
        """The voxels of ``mask`` (S, A, R) of the part on the line (s, r), from the rear; False outside of the part."""
        s, r = s - self._up, r - self._right
        inside = np.flatnonzero((s >= 0) & (s < self._size[0]) & (r >= 0) & (r < self._size[2]))
        result = np.zeros(self._size[1], bool)
        result[inside] = mask[s[inside], inside, r[inside]]
        return result


def _line_ends(mask):
    """(N, 3) indices of the rearmost and the foremost voxel of ``mask`` on each line along A."""
    s, r = np.nonzero(mask.any(1))
    front, rear = foremost(mask), mask.shape[1] - 1 - foremost(mask[:, ::-1])
    return np.concatenate([np.stack([s, end[s, r], r], 1) for end in (front, rear)])


def _rest(row, axis, reach):
    """The least and the most that the axes other than ``axis`` add to ``row``; ``reach`` first and last index of each."""
    return sum(np.sort(row[n] * reach[n]) for n in range(3) if n != axis)


def _slanted(matrix):
    """Is the face's direction, or the head's upright, far from the view's axes A and S? ``matrix`` as in ``FaceLines``."""
    cosines = [matrix[row, column] / np.linalg.norm(matrix[:, column]) for row, column in ((1, 1), (2, 0))]
    return min(cosines) < np.cos(np.radians(STRAIGHT_DEGREES))

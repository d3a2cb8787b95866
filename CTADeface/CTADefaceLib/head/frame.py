"""The head's own coordinate system in an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .cuts import NONE


@dataclass(frozen=True)
class Frame:
    """``matrix`` 4x4 from RAS mm to head mm (right, anterior, superior): a rotation and a scale for each head axis.

    ``score``: how much better an average head explains the image than chance, in nats for each sample inside of it;
    ``cuts``: planes at which the body ends as the image does, see ``cuts.cuts``.
    """

    matrix: np.ndarray
    score: float
    cuts: np.ndarray = field(default_factory=lambda: NONE)

    @cached_property
    def scale(self) -> np.ndarray:
        """(3,) head mm for each mm of the image along the head's axes; 1 in a head of average size."""
        return np.linalg.norm(self.matrix[:3, :3], axis=1)

    @cached_property
    def axes(self) -> np.ndarray:
        """3x3, rows are the head's right, anterior and superior as unit vectors in RAS."""
        return self.matrix[:3, :3] / self.scale[:, None]

    @cached_property
    def inverse(self) -> np.ndarray:
        """4x4 from head mm to RAS mm."""
        return np.linalg.inv(self.matrix)

    def to_ras(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) in head mm as RAS mm."""
        return np.asarray(points, float) @ self.inverse[:3, :3].T + self.inverse[:3, 3]

    def to_head(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) in RAS mm as head mm."""
        return np.asarray(points, float) @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    @cached_property
    def turned_degrees(self) -> float:
        """Angle in degrees between the head's axes and those of the image."""
        return angle_degrees(self.axes)


def angle_degrees(matrix: np.ndarray) -> float:
    """The angle of a rotation, 3x3, in degrees."""
    return float(np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1))))


def rotation(vector: np.ndarray) -> np.ndarray:
    """3x3 rotation about ``vector`` by its length in radians (Rodrigues)."""
    angle = np.linalg.norm(vector)
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rotation_slope(vector: np.ndarray, by_matrix: np.ndarray) -> np.ndarray:
    """(3,) derivative by ``vector`` of what has the derivative ``by_matrix`` (3, 3) by ``rotation(vector)``.

    A small turn about an axis, after the rotation, is what the left Jacobian of the rotations makes of a step of the vector.
    """
    angle = np.linalg.norm(vector)
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # The factors of Rodrigues' formula, integrated; for small angles their limits.
    first, second = (0.5, 1 / 6) if angle < 1e-4 else ((1 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3)
    jacobian = np.eye(3) + first * cross + second * cross @ cross
    turned = by_matrix @ rotation(vector).T
    about = np.array([turned[2, 1] - turned[1, 2], turned[0, 2] - turned[2, 0], turned[1, 0] - turned[0, 1]])
    return jacobian.T @ about


def rotation_vector(matrix: np.ndarray) -> np.ndarray:
    """The vector for which ``rotation`` gives ``matrix``."""
    angle = np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1))
    if np.pi - angle < 1e-3:
        # Half a turn: the axis is the column of the largest diagonal element of (matrix + 1) / 2.
        square = (matrix + np.eye(3)) / 2
        column = square[:, np.diag(square).argmax()]
        return angle * column / np.linalg.norm(column)
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    return axis * (0.5 if angle < 1e-6 else angle / (2 * np.sin(angle)))

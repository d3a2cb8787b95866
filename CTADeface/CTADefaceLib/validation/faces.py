"""Detect and recognise faces in the pictures of one head, with three detectors and two recognisers.

Detectors: MTCNN as in ``identity``, MTCNN as another package has it (its weights converted from ipazc/mtcnn, run by
ONNX Runtime), and dlib's frontal detector (histograms of oriented gradients: King, JMLR 2009;10:1755). Recognisers:
FaceNet as in ``identity``, and dlib's residual network. Each face is compared in two ways: ``face``, as the paper did, in
the box that MTCNN found (in the original's box where it no longer finds one); ``crop``, in a square of fixed size in mm
around the face's centre, the same for all pictures of a view, which needs no detection and so has all heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..identity.recognition import Box, Detector, Embedder, crop
from ..identity.views import Frame, box_mm, counts
from .validation_packages import new_dlib_network, new_hog_detector, new_onnx_detector

if TYPE_CHECKING:
    from .protocol import Protocol

# What is kept as JSON: one counted or uncounted box, and one view with its boxes and points.
MeasuredBox = dict[str, Any]
ViewFaces = dict[str, Any]

DETECTORS = ("mtcnn", "mtcnn-onnx", "hog")
RECOGNISERS = ("facenet", "dlib")
CHIP_PIXELS = 150
# A face of 80 pixels is the least that the detector sees; doubled pictures hold smaller ones.
UPSAMPLE = 1
DIGITS = 5


class HogDetector:
    """dlib's frontal face detector; ``confidence`` is its score, above 0 for a face and not a probability."""

    def __init__(self) -> None:
        self._detector = new_hog_detector()

    def find(self, picture: np.ndarray) -> list[Box]:
        """``Box``es in a uint8 RGB picture (rows, columns, 3), the surest first."""
        found, scores, _ = self._detector.run(np.ascontiguousarray(picture), UPSAMPLE, 0.0)
        return sorted(
            (Box(f.left(), f.top(), f.width(), f.height(), float(s)) for f, s in zip(found, scores)),
            key=lambda b: -b.confidence,
        )


class DlibEmbedder:
    """dlib's 128 numbers of a crop; distances below 0.6 are the same person on photographs."""

    def __init__(self) -> None:
        self._network = new_dlib_network()

    def embed(self, picture: np.ndarray, box: Box) -> np.ndarray:
        """128 numbers for ``box`` of a uint8 RGB picture (rows, columns, 3), without alignment by landmarks."""
        import cv2

        chip = cv2.resize(crop(picture, box), (CHIP_PIXELS, CHIP_PIXELS), interpolation=cv2.INTER_AREA)
        return np.array(self._network.compute_face_descriptor(np.ascontiguousarray(chip)))


class Faces:
    """Detectors and recognisers, made once. Raises ``MissingPackages`` without their packages."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._detectors: dict[str, Detector | HogDetector] = dict(
            zip(DETECTORS, (Detector(), Detector(new_onnx_detector()), HogDetector()))
        )
        self._recognisers: dict[str, Embedder | DlibEmbedder] = dict(zip(RECOGNISERS, (Embedder(), DlibEmbedder())))

    def look(
        self, pictures: Sequence[np.ndarray], frames: Sequence[Frame], originals: Sequence[ViewFaces] | None = None
    ) -> list[ViewFaces]:
        """One dict a view, for JSON: ``boxes`` by detector, ``face`` and ``crop`` points by recogniser.

        Parameters: ``pictures`` and ``frames`` (``identity.views.Frame``) by view; ``originals`` what this returned for
        the original, None when these are its pictures. ``face`` is None where the original has no counted MTCNN box.
        """
        results = []
        for number, (picture, at) in enumerate(zip(pictures, frames, strict=True)):
            boxes = {
                name: [self._measured(box, at) for box in detector.find(picture)] for name, detector in self._detectors.items()
            }
            own = surest(boxes["mtcnn"])
            first = own if originals is None else surest(originals[number]["boxes"]["mtcnn"])
            face = own or first if first else None
            results.append(
                {
                    "boxes": boxes,
                    "crop": self._points(picture, self._square(at)),
                    "face": self._points(picture, _box(face)) if face else None,
                }
            )
        return results

    def _points(self, picture: np.ndarray, box: Box) -> dict[str, list[float]]:
        return {
            name: np.round(recogniser.embed(picture, box), DIGITS).tolist() for name, recogniser in self._recognisers.items()
        }

    def _measured(self, box: Box, at: Frame) -> MeasuredBox:
        width, offset = box_mm(box, at)
        return {
            "box": [int(box.left), int(box.top), int(box.width), int(box.height)],
            "confidence": round(box.confidence, DIGITS),
            "width_mm": round(width, 1),
            "offset_mm": round(offset, 1),
            "counted": bool(counts(width, offset, self._protocol.face_width_mm, self._protocol.face_offset_mm)),
        }

    def _square(self, at: Frame) -> Box:
        side = round(self._protocol.crop_mm / at.mm_per_pixel)
        return Box(round(at.column - side / 2), round(at.row - side / 2), side, side, 1.0)


def surest(boxes: list[MeasuredBox]) -> MeasuredBox | None:
    """The first counted box of a detector's, or None."""
    return next((box for box in boxes if box["counted"]), None)


def _box(found: MeasuredBox) -> Box:
    left, top, width, height = found["box"]
    return Box(left, top, width, height, found["confidence"])

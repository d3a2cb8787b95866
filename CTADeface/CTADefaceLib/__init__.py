"""CTADeface's engine: face removal from head CT, without Slicer and without Qt.

Example
-------
>>> import SimpleITK as sitk
>>> from CTADefaceLib import deface
>>> result = deface(sitk.ReadImage("head.nii.gz"))          # doctest: +SKIP
>>> sitk.WriteImage(result.volume, "head_defaced.nii.gz")   # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import deface as deface
    from .api import fill_face as fill_face
    from .api import segment_face as segment_face
    from .errors import CTADefaceError as CTADefaceError
    from .progress import Progress as Progress
    from .voxels.volume import Geometry as Geometry
    from .voxels.volume import Volume as Volume

__version__ = "0.1.0"

_HOMES = {
    "deface": "api",
    "segment_face": "api",
    "fill_face": "api",
    "Geometry": "voxels.volume",
    "Volume": "voxels.volume",
    "Progress": "progress",
    "CTADefaceError": "errors",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> object:
    """Import on first use, so that the shell's help and Slicer's start-up stay fast."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module("." + _HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

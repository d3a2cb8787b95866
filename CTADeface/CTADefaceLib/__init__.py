"""CTADeface's engine: face removal from head CT, without Slicer and without Qt.

Examples:
    >>> from CTADefaceLib import deface
    >>> import SimpleITK as sitk
    >>> result = deface("head.nii.gz", mask="head_facemask.nii.gz", second_opinion=False)
    >>> sitk.WriteImage(result.volume, "head_defaced.nii.gz")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import Defaced as Defaced
    from .api import deface as deface
    from .api import fill_face as fill_face
    from .api import segment_face as segment_face
    from .checks.check import Check as Check
    from .errors import Cancelled as Cancelled
    from .errors import ChecksFailed as ChecksFailed
    from .errors import CTADefaceError as CTADefaceError
    from .errors import DeviceError as DeviceError
    from .errors import InputError as InputError
    from .errors import MaskError as MaskError
    from .errors import MissingPackages as MissingPackages
    from .errors import ModelError as ModelError
    from .errors import NoFaceError as NoFaceError
    from .errors import OutOfMemory as OutOfMemory
    from .errors import OutputError as OutputError
    from .progress import Progress as Progress
    from .progress import Report as Report
    from .voxels.volume import Geometry as Geometry
    from .voxels.volume import Volume as Volume

__version__ = "0.1.0"

_NAMES = {
    "api": ("deface", "segment_face", "fill_face", "Defaced"),
    "checks.check": ("Check",),
    "voxels.volume": ("Geometry", "Volume"),
    "progress": ("Progress", "Report"),
    # All that a call can raise on purpose.
    "errors": (
        "CTADefaceError",
        "InputError",
        "MaskError",
        "NoFaceError",
        "ChecksFailed",
        "ModelError",
        "DeviceError",
        "MissingPackages",
        "OutOfMemory",
        "OutputError",
        "Cancelled",
    ),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> object:
    """Import on first use, so that the shell's help and Slicer's start-up stay fast."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module("." + _HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Everything the engine raises on purpose; each message says in one sentence what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol


class CTADefaceError(Exception):
    """Base of all errors meant for a person to read.

    ``fault`` says in one word what is to be mended, for programs: 'usage' (the command), 'checks', 'input', 'output',
    'exists' (an output that is there already), 'hospital' (the folder for masks and records), 'machine' (a package, a
    device, memory, a cluster) or 'stopped'. The shell's exit codes go by it.

    Examples:
        >>> from CTADefaceLib import CTADefaceError, deface
        >>> try:
        ...     deface("nothing.nii.gz")
        ... except CTADefaceError as error:
        ...     print(error)
        nothing.nii.gz: no such file.
    """

    fault = "machine"


class UsageError(CTADefaceError):
    """Options that do not exist, or contradict each other."""

    fault = "usage"


class InputError(CTADefaceError):
    """The input is unreadable, or is not one scalar 3-D CT volume in HU.

    Examples:
        >>> from CTADefaceLib import InputError, segment_face
        >>> try:
        ...     segment_face(None)
        ... except InputError as error:
        ...     print(str(error).partition(";")[0])
        image: is of type NoneType
    """

    fault = "input"


class LabelmapError(InputError):
    """The input is a labelmap (a mask, a segmentation), not a scan."""


class BlankError(InputError):
    """All voxels of the input have one value."""


class PlaceError(InputError):
    """Folders are chosen so that what is for the hospital only would be given away."""

    fault = "usage"


class MaskError(CTADefaceError):
    """The mask is empty, or does not belong to the volume.

    Examples:
        >>> import SimpleITK as sitk
        >>> from CTADefaceLib import MaskError, fill_face
        >>> image = sitk.ReadImage("head.nii.gz")
        >>> try:
        ...     fill_face(image, sitk.ReadImage("head_facemask.nii.gz")[:, :, 1:])
        ... except MaskError as error:
        ...     print(str(error).partition(";")[0])
        mask: the mask's grid (size, spacing, origin or direction) is not that of image
    """

    fault = "input"


class NoFaceError(MaskError):
    """The model found no face in the volume.

    Examples:
        >>> from CTADefaceLib import NoFaceError, deface
        >>> try:
        ...     deface("vertex.nii.gz")
        ... except NoFaceError as error:
        ...     print("no face found" in str(error))
        True
    """


class ModelError(CTADefaceError):
    """A model folder is incomplete, corrupt, unsafe, or made for another task.

    Examples:
        >>> from CTADefaceLib import ModelError, segment_face
        >>> try:
        ...     segment_face("head.nii.gz", model="unknown")
        ... except ModelError as error:
        ...     print(str(error).partition(";")[0])
        There is no model or folder 'unknown'
    """

    fault = "input"


class ModelExistsError(ModelError):
    """A model of that name is installed already."""

    fault = "exists"


class ModelStoreError(ModelError):
    """The folder of the installed models cannot be written."""

    fault = "output"


class DeviceError(CTADefaceError):
    """The requested compute device is absent, or a required package is missing.

    Examples:
        >>> from CTADefaceLib import DeviceError, segment_face
        >>> try:
        ...     segment_face("head.nii.gz", device="abacus")
        ... except DeviceError as error:
        ...     print(str(error).partition(";")[0])
        abacus: unknown device
    """


class OutputError(CTADefaceError):
    """The result could not be written, or would replace an existing file.

    Examples:
        >>> from CTADefaceLib import OutputError
        >>> from CTADefaceLib.cases.options import Options
        >>> from CTADefaceLib.cases.volume_file import deface_file
        >>> try:
        ...     deface_file("head.nii.gz", "release", Options(mask="head_facemask.nii.gz", mask_only=True))
        ... except OutputError as error:
        ...     print("exists already" in str(error))
        True
    """

    fault = "output"


class ExistsError(OutputError):
    """The result would replace an existing file."""

    fault = "exists"


class HospitalFolderError(OutputError):
    """Nothing can be written to the folder for masks and records."""

    fault = "hospital"


class Cancelled(CTADefaceError):
    """A person stopped the run; nothing was written.

    Examples:
        >>> from CTADefaceLib import Cancelled, Progress, segment_face
        >>> progress = Progress()
        >>> progress.cancel()  # from any thread
        >>> try:
        ...     segment_face("head.nii.gz", progress=progress)
        ... except Cancelled as error:
        ...     print(error)
        Cancelled; nothing was written.
    """

    fault = "stopped"

    def __init__(self) -> None:
        super().__init__("Cancelled; nothing was written.")


class MissingPackages(DeviceError):
    """A Python package that the step needs, such as PyTorch or nnU-Net, is missing or only half installed.

    Examples:
        >>> from CTADefaceLib import DeviceError, MissingPackages
        >>> issubclass(MissingPackages, DeviceError)
        True
    """


class OutOfMemory(CTADefaceError):
    """The machine's or the graphics card's memory did not suffice.

    Examples:
        >>> from CTADefaceLib import CTADefaceError, OutOfMemory
        >>> issubclass(OutOfMemory, CTADefaceError)
        True
    """


class WorkerDied(CTADefaceError):
    """The process that segments ended without an answer."""


class CheckAnswer(Protocol):
    """What ``ChecksFailed`` needs of a ``checks.check.Check``."""

    @property
    def name(self) -> str:
        """Which check it is."""

    @property
    def verdict(self) -> str:
        """'fail', or 'warn' where a strict run stops for that too."""

    @property
    def text(self) -> str:
        """The answer as one sentence."""

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""


class ChecksFailed(CTADefaceError):
    """Checks forbid the export; ``checks`` are those that stop it and that nobody has overridden.

    ``every`` holds all checks; ``record`` and ``mask`` are the paths of what was kept for the hospital, None when
    nothing was; ``earlier`` that of what an earlier run released in its place, which still lies there.

    Examples:
        >>> from CTADefaceLib import ChecksFailed, deface
        >>> try:
        ...     deface("head.nii.gz", mask="half_mask.nii.gz", second_opinion=False)
        ... except ChecksFailed as error:
        ...     print("residual_skin" in [check.name for check in error.checks])
        True
    """

    fault = "checks"

    def __init__(
        self,
        name: str,
        checks: Iterable[CheckAnswer],
        every: Iterable[CheckAnswer] | None = None,
        record: str | Path | None = None,
        mask: str | Path | None = None,
        earlier: str | Path | None = None,
    ) -> None:
        self.name, self.record, self.mask, self.earlier = name, record, mask, earlier
        self.checks = list(checks)
        self.every = list(every or self.checks)
        what = "; ".join(f"{check.name}: {check.text.rstrip('.')}" for check in self.checks)
        strict = any(check.verdict == "warn" for check in self.checks)
        failed = "failed or, which a strict run does not let pass, warned" if strict else "failed"
        super().__init__(
            f"{name}: not exported, {len(self.checks)} of the checks {failed} ({what}); correct the mask, or "
            "override each of them with a reason."
            + (f" What an earlier run released still lies in {earlier}: take it away unless it may leave." if earlier else "")
        )

    def __reduce__(self) -> tuple[type[ChecksFailed], tuple[object, ...]]:
        return type(self), (self.name, self.checks, self.every, self.record, self.mask, self.earlier)


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type's name; torch's messages can fill a page."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

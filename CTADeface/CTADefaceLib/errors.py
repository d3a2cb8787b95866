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
    """

    fault = "machine"


class UsageError(CTADefaceError):
    """Options that do not exist, or contradict each other."""

    fault = "usage"


class InputError(CTADefaceError):
    """The input is unreadable, or is not one scalar 3-D CT volume in HU."""

    fault = "input"


class PlaceError(InputError):
    """Folders are chosen so that what is for the hospital only would be given away."""

    fault = "usage"


class MaskError(CTADefaceError):
    """The mask is empty, or does not belong to the volume."""

    fault = "input"


class NoFaceError(MaskError):
    """The model found no face in the volume."""


class ModelError(CTADefaceError):
    """A model folder is incomplete, corrupt, unsafe, or made for another task."""

    fault = "input"


class ModelExistsError(ModelError):
    """A model of that name is installed already."""

    fault = "exists"


class ModelStoreError(ModelError):
    """The folder of the installed models cannot be written."""

    fault = "output"


class DeviceError(CTADefaceError):
    """The requested compute device is absent, or a required package is missing."""


class OutputError(CTADefaceError):
    """The result could not be written, or would replace an existing file."""

    fault = "output"


class ExistsError(OutputError):
    """The result would replace an existing file."""

    fault = "exists"


class HospitalFolderError(OutputError):
    """Nothing can be written to the folder for masks and records."""

    fault = "hospital"


class Cancelled(CTADefaceError):
    """A person stopped the run; nothing was written."""

    fault = "stopped"

    def __init__(self) -> None:
        super().__init__("Cancelled; nothing was written.")


class MissingPackages(DeviceError):
    """A Python package that the step needs, such as PyTorch or nnU-Net, is missing or only half installed."""


class OutOfMemory(CTADefaceError):
    """The machine's or the graphics card's memory did not suffice."""


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
    nothing was.
    """

    fault = "checks"

    def __init__(
        self,
        name: str,
        checks: Iterable[CheckAnswer],
        every: Iterable[CheckAnswer] | None = None,
        record: str | Path | None = None,
        mask: str | Path | None = None,
    ) -> None:
        self.name, self.record, self.mask = name, record, mask
        self.checks = list(checks)
        self.every = list(every or self.checks)
        what = "; ".join(f"{check.name}: {check.text.rstrip('.')}" for check in self.checks)
        strict = any(check.verdict == "warn" for check in self.checks)
        failed = "failed or, which a strict run does not let pass, warned" if strict else "failed"
        super().__init__(
            f"{name}: not exported, {len(self.checks)} of the checks {failed} ({what}); correct the mask, or "
            "override each of them with a reason."
        )

    def __reduce__(self) -> tuple[type[ChecksFailed], tuple[object, ...]]:
        return type(self), (self.name, self.checks, self.every, self.record, self.mask)


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type's name; torch's messages can fill a page."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

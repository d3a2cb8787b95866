"""What became of one case."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..checks.check import WARN
from ..errors import ChecksFailed, CTADefaceError, OutOfMemory, OutputError
from ..release.gate import Released
from ..release.outgoing import CaseMask, Outgoing
from ..voxels.volume import Volume

MODEL = "model"
LEFT_OUT = "left out"
# The ``fault`` of a case that ended with an error that nobody foresaw.
BUG = "bug"


@dataclass
class Result:
    """What became of one input; ``seconds`` in all and by stage, ``fill_hu`` in HU, volumes in ml.

    ``mask`` is the file of the mask that was written, ``given_mask`` the one that was used in place of a model's;
    ``model`` the name of the model that made the mask, or proposed it to a person; None when none did.
    ``status`` is 'defaced', 'mask only', 'blocked' (a check failed: only the hospital's record was written), 'failed',
    'not defaced' (a series of a DICOM study that was left out; ``reason`` says why; nothing of it was written), or
    'left out' (a labelmap in a batch, likewise).
    ``mask_seg`` is the DICOM SEG of the mask, if one was asked for and written.
    ``series`` is its number in the listing. ``fault`` says what kind of ``error`` there is, as for ``CTADefaceError``, or
    'bug' for one of this program; ``stopped_by`` the checks that stopped the export.
    """

    input: str
    status: str = "failed"
    defaced: str | None = None
    mask: str | None = None
    given_mask: str | None = None
    model: str | None = None
    device: str | None = None
    fill: str | None = None
    fill_hu: float | None = None
    mask_ml: float | None = None
    checks: list[dict] = field(default_factory=list)
    record: str | None = None
    report: str | None = None
    picture: str | None = None
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    fault: str | None = None
    stopped_by: list[str] = field(default_factory=list)
    series: int | None = None
    reason: str | None = None
    mask_seg: str | None = None

    def has_mask(self, volume: Volume, face: CaseMask) -> None:
        """Take over what is known of the mask."""
        self.model = (face.model or {}).get("name")
        # None where a mask was given.
        self.device = face.settings.get("device") if face.source == MODEL else None
        self.mask_ml = round(volume.geometry.millilitres(int(np.count_nonzero(face.mask))), 2)

    def was_filled(self, outgoing: Outgoing) -> None:
        """Take over the fill."""
        self.fill, self.fill_hu = str(outgoing.settings["fill"]), outgoing.settings["fill_hu"]

    def note(self, error: CTADefaceError) -> None:
        """Take over what a ``CTADefaceError`` says, and the checks, record and mask of a ``ChecksFailed``."""
        self.error, self.fault = str(error), error.fault
        if isinstance(error, ChecksFailed):
            self.stopped_by = [check.name for check in error.checks]
            self.status, self.checks = "blocked", [check.as_dict() for check in error.every]
            self.record, self.mask = (str(path) if path else None for path in (error.record, error.mask))
            self.mask_seg = None

    def was_released(self, path: Path, outgoing: Outgoing, released: Released) -> None:
        """Take over that ``path`` was released, what the checks said, and the paths of ``Released``."""
        self.checks = [check.as_dict() for check in outgoing.checks]
        self.status, self.defaced, self.record = "defaced", str(path), str(released.record)
        self.report, self.picture = (str(path) if path else None for path in (released.report, released.picture))
        self.error = released.problem
        self.fault = OutputError.fault if released.problem else None

    @property
    def warned_checks(self) -> list[str]:
        """Names of the checks that warn: the case may leave, but somebody should look."""
        return [check["name"] for check in self.checks if check["verdict"] == WARN]

    def as_dict(self) -> dict:
        return asdict(self) | {"warned_checks": self.warned_checks}


def failure(path: object, error: BaseException) -> Result:
    """The ``Result`` of a case that ended with an exception, so that it does not stop the others."""
    result = Result(str(path))
    if isinstance(error, CTADefaceError):
        result.note(error)
    elif isinstance(error, MemoryError):
        result.note(OutOfMemory(f"{path}: not enough memory; close other programs or crop it to the head."))
    else:
        # A fault of this program is named, not hidden.
        result.error, result.fault = f"{path}: unexpected {type(error).__name__}: {error}; please report it.", BUG
    return result

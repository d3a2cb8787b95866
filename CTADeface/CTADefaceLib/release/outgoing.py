"""A filled volume before its release, with all that its checks and its record need."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..checks.check import Check
from ..face.survey import Survey
from ..filling.fill import DEFAULT_FILL
from ..progress import StageProgress
from ..voxels.kept import Kept
from ..voxels.volume import Volume

if TYPE_CHECKING:
    # SciPy, which Slicer need not wait for when it starts.
    from ..head.ears import Ears


@dataclass(frozen=True)
class Scan:
    """An original ``Volume`` and what is known of it.

    ``survey`` its finished ``Survey``; ``before`` a ``Future`` of the SHA-256 of its voxels, where it is computed already;
    ``names`` of its files, only when the record is to keep them; ``seconds`` of the run so far, by stage.
    """

    volume: Volume
    survey: Survey
    before: Future[str] | None = None
    names: dict[str, str] | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def ears_in(self, face: CaseMask) -> Ears | None:
        """The scan's ears where ``face`` holds them, None where they stay."""
        return self.survey.ears if face.ears else None


@dataclass(frozen=True)
class CaseMask:
    """A face mask, bool (k, j, i) on the grid of its scan, and where it comes from.

    ``source`` 'model', 'file' or 'segmentation' (a person's), with ', of another series' where it was made on one;
    ``model`` {"name", "sha256"} of the model that made or proposed it; ``proposal`` the mask that a person
    started from, to measure the edits; ``opinion`` what a model calls face, where no model made that; ``settings`` what else
    the record's settings say: device, mirroring and step size of the model's run, as far as they are known;
    ``ears``: it holds both ears too; ``kept``: the structures that are not filled, None without any. ``mask`` is the whole
    face, also where it is kept, because the fill goes by it.
    """

    mask: np.ndarray
    source: str
    model: dict | None = None
    proposal: np.ndarray | None = None
    opinion: np.ndarray | None = None
    settings: dict = field(default_factory=dict)
    ears: bool = False
    kept: Kept | None = None


@dataclass
class Outgoing:
    """A ``Scan``, its ``CaseMask``, and the fill.

    ``stored`` the defaced stored values (k, j, i); ``value`` the stored value that was filled in; ``fill`` by which name;
    ``overrides`` failed check -> reason, and ``by`` whom; ``strict``: checks that warn stop it too; ``identity`` what
    ``check_identity`` found, None if it was not asked.
    """

    scan: Scan
    face: CaseMask
    stored: np.ndarray
    value: float | np.generic
    fill: str | float
    overrides: dict[str, str] | None = None
    by: str | None = None
    strict: bool = False
    identity: dict | None = None

    @property
    def volume(self) -> Volume:
        return self.scan.volume

    @property
    def mask(self) -> np.ndarray:
        return self.face.mask

    @property
    def fill_hu(self) -> float:
        """The filled value in HU, as it is, not rounded."""
        return float(self.value) * self.volume.slope + self.volume.intercept

    @property
    def settings(self) -> dict:
        """The record's settings."""
        return {
            "fill": self.fill,
            "fill_hu": round(self.fill_hu, 2),
            **self.face.settings,
            "mask": self.face.source,
            "ears": self.face.ears,
            "strict": self.strict,
        }

    @cached_property
    def checks(self) -> list[Check]:
        # SciPy, which Slicer need not wait for when it starts.
        from ..checks.every import Filled, run_checks

        ears = self.scan.ears_in(self.face)
        face = self.face
        known = face.proposal if face.opinion is None and face.model is not None else face.opinion
        after = Filled(self.stored, self.value, self.face.kept)
        return run_checks(self.volume, self.mask, after, self.scan.survey, known, ears)

    @property
    def is_face_gone(self) -> bool:
        """May the released files say of themselves that no face can be recognised? Not where a check of the face failed, and
        a person let it through, nor with a fill from which the old skin can be found again."""
        from ..checks.every import face_is_gone

        return self.fill == DEFAULT_FILL and face_is_gone(self.checks)

    def face_picture(self) -> np.ndarray | None:
        """RGB uint8 (rows, columns, 3): the old skin with what is left of the face marked; None where no head was found."""
        from ..checks.every import face_left
        from ..checks.face_picture import face_picture

        frame = self.scan.survey.frame
        return None if frame is None else face_picture(face_left(self.volume, self.stored, frame))

    def check_identity(self, progress: StageProgress | None = None) -> None:
        """Add the check for face detection and recognition. Raises: MissingPackages, DeviceError, Cancelled."""
        from ..identity.identity_check import identity_check

        volume = self.volume
        found = identity_check(volume.to_hu(volume.stored), volume.to_hu(self.stored), self.mask, volume.geometry, progress)
        self.identity = found.as_dict()
        self.checks.append(found.as_check())

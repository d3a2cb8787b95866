"""One check's answer, and the gate that failed ones close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import ChecksFailed, InputError

PASS, WARN, FAIL, SKIP = "pass", "warn", "fail", "not applicable"

TITLES = {
    "input_is_ct": "Input is a CT",
    "head_found": "Head found",
    "field_of_view": "Field of view",
    "already_defaced": "Not defaced before",
    "mask_size": "Size of the mask",
    "mask_place": "Place of the mask",
    "mask_filled": "Mask is filled",
    "forehead": "Forehead covered",
    "brows": "Brows covered",
    "right_eye": "Right eye covered",
    "left_eye": "Left eye covered",
    "nose": "Nose covered",
    "right_cheek": "Right cheek covered",
    "left_cheek": "Left cheek covered",
    "mouth": "Mouth covered",
    "chin": "Chin covered",
    "right_jaw": "Right jaw line covered",
    "left_jaw": "Left jaw line covered",
    "submental": "Skin below the chin covered",
    "residual_skin": "Skin left in the face",
    "model_face": "What the model calls face",
    "kept": "Kept structures",
    "brain": "Brain untouched",
    "bone": "Bone untouched",
    "vessels": "Vessels untouched",
    "outside": "Rest bit-identical",
    "right_ear": "Right ear gone",
    "left_ear": "Left ear gone",
    "written_file": "File reads back",
    "identity": "Face recognition",
}


@dataclass(frozen=True)
class Check:
    """``verdict`` 'pass', 'warn' (may leave), 'fail' (may not) or 'not applicable'; ``text`` one sentence.

    ``value`` in ``unit`` is the number that the verdict rests on; ``place`` (RAS mm) is where to look, None if nowhere.
    """

    name: str
    verdict: str
    value: float | None
    unit: str
    text: str
    place: tuple[float, ...] | None = None

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Check:
        """The ``Check`` that ``as_dict`` gave."""
        return cls(**{**facts, "place": tuple(facts["place"]) if facts["place"] else None})

    @property
    def title(self) -> str:
        """The check's name for a person."""
        return TITLES[self.name]

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them, numbers rounded."""
        result = asdict(self)
        if self.value is not None:
            result["value"] = round(float(self.value), 4)
        if self.place is not None:
            result["place"] = [round(float(x), 1) for x in self.place]
        return result


def number_text(value: float | None, unit: str) -> str:
    """The number of a check as a person reads it: shares in per cent."""
    if value is None:
        return ""
    return f"{100 * value:.0f} %" if unit == "share" else f"{value:.4g} {unit}"


def graded(
    name: str,
    value: float | np.number,
    unit: str,
    text: str,
    place: tuple[float, ...] | None = None,
    fail: bool | np.bool_ = False,
    warn: bool | np.bool_ = False,
) -> Check:
    """A ``Check`` that fails on ``fail``, else warns on ``warn``, else passes."""
    verdict = FAIL if fail else WARN if warn else PASS
    return Check(name, verdict, float(value), unit, text, None if verdict == PASS else place)


def failed(checks: Iterable[Check], overrides: Mapping[str, str] | None = None) -> list[Check]:
    """The failed checks for which ``overrides`` (name -> reason) gives no reason."""
    overrides = checked_overrides(overrides)
    return [check for check in checks if check.verdict == FAIL and check.name not in overrides]


def require_passed(checks: Iterable[Check], overrides: Mapping[str, str] | None = None, name: str = "volume") -> None:
    """Raise ``ChecksFailed`` unless every failed check is overridden with a reason."""
    left = failed(checks, overrides)
    if left:
        raise ChecksFailed(name, left)


def checked_overrides(overrides: Mapping[str, str] | None) -> dict[str, str]:
    """``overrides`` as a dict of known checks to reasons. Raises: InputError for another name or an empty reason."""
    overrides = dict(overrides or {})
    for name, reason in overrides.items():
        if name not in TITLES:
            raise InputError(f"{name}: no such check to override; choose from {', '.join(TITLES)}.")
        if not str(reason).strip():
            raise InputError(f"{name}: an override needs a reason, which goes into the record.")
    return overrides

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
    "second_head": "No second head",
    "field_of_view": "Field of view",
    "already_defaced": "Face still in the input",
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
    "enclosed_skin": "Skin left in holes and notches",
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

    ``value`` in ``unit`` is the number that the verdict rests on; ``limit`` says from where on it warns and fails, None where
    no number is compared; ``place`` (RAS mm) is where to look, None if nowhere.

    Examples:
        >>> from CTADefaceLib import Check
        >>> check = Check("brain", "warn", 0.5, "ml", "0.5 ml of brain changed.", limit="warns above 0.3 ml")
        >>> check.title, check.verdict
        ('Brain untouched', 'warn')
    """

    name: str
    verdict: str
    value: float | None
    unit: str
    text: str
    place: tuple[float, ...] | None = None
    limit: str | None = None

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Check:
        """The ``Check`` that ``as_dict`` gave."""
        # Records of earlier versions have no limits.
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


def limits(unit: str, side: str, warn: float | None, fail: float | None) -> str:
    """The ``limit`` of a ``Check`` that warns and fails on one ``side`` ('above' or 'below') of these numbers."""
    said = (("warns", warn), ("fails", fail))
    return ", ".join(f"{what} {side} {number_text(number, unit)}" for what, number in said if number is not None)


def graded(
    name: str,
    value: float | np.number,
    unit: str,
    text: str,
    place: tuple[float, ...] | None = None,
    fail: bool | np.bool_ = False,
    warn: bool | np.bool_ = False,
    limit: str | None = None,
) -> Check:
    """A ``Check`` that fails on ``fail``, else warns on ``warn``, else passes."""
    verdict = FAIL if fail else WARN if warn else PASS
    return Check(name, verdict, float(value), unit, text, None if verdict == PASS else place, limit)


def stops(check: Check, strict: bool = False) -> bool:
    """Does the check stop an export? A failed one does, and in a ``strict`` run one that warns."""
    return check.verdict == FAIL or (strict and check.verdict == WARN)


def failed(checks: Iterable[Check], overrides: Mapping[str, str] | None = None, strict: bool = False) -> list[Check]:
    """The checks that stop an export (see ``stops``) and for which ``overrides`` (name -> reason) gives no reason."""
    overrides = checked_overrides(overrides)
    return [check for check in checks if stops(check, strict) and check.name not in overrides]


def require_passed(
    checks: Iterable[Check], overrides: Mapping[str, str] | None = None, name: str = "volume", strict: bool = False
) -> None:
    """Raise ``ChecksFailed`` unless every check that stops an export (see ``stops``) is overridden with a reason."""
    left = failed(checks, overrides, strict)
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

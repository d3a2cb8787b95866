"""Who the patient of a study is, as its headers say it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..reading.series import Series

if TYPE_CHECKING:
    from pydicom import Dataset

SEVERAL = (
    "The files of this study name several patients (ID, issuer, name or birth date); the pseudonym is that of the one whom "
    "most files name: see whether all of them belong to one person."
)


@dataclass(frozen=True)
class Patient:
    """Normalised texts, '' where the headers say nothing; ``study``: the UID by which a patient without ID, and without
    name or birth date, is known."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    study: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this patient from others: issuer and ID; else name and birth date; else the study."""
        if self.patient_id:
            return "id", self.issuer, self.patient_id
        if self.name and self.birth_date:
            return "name", self.name, self.birth_date
        return "study", self.study

    @property
    def is_known(self) -> bool:
        """Can further studies of this patient be recognised?"""
        return self.identity[0] != "study"


def patient_of(series: Iterable[Series], warn: Callable[[str], None] = lambda text: None) -> Patient:
    """The ``Patient`` of ``Series`` of one study; what a file leaves out, another one may say.

    A study has one patient: where files name several, it is the one that most of them name, and ``warn`` is called with a
    sentence.
    """
    files = [_patient(instance.known_header) for one in series for instance in one.instances]
    with_id = [patient for patient in files if patient.patient_id]
    # Names and birth dates are written in many ways: where there is an ID, they do not count.
    telling = ("patient_id", "issuer") if with_id else ("name", "birth_date")
    if any(len(_said(files, what)) > 1 for what in telling):
        warn(SEVERAL)
    patient_id = _most(files, "patient_id")
    own = [patient for patient in files if patient.patient_id in (patient_id, "")]
    return Patient(patient_id, *(_most(own, what) for what in ("issuer", "name", "birth_date", "study")))


def _said(files: Iterable[Patient], what: str) -> Counter[str]:
    """How often each value of a field occurs, '' aside."""
    return Counter(value for patient in files if (value := getattr(patient, what)))


def _most(files: Iterable[Patient], what: str) -> str:
    """The most frequent value of a field, '' where there is none; of equals always the same one."""
    return max(_said(files, what).items(), key=lambda item: item[::-1], default=("", 0))[0]


def _patient(header: Dataset) -> Patient:
    return Patient(
        _text(header, "PatientID"),
        _text(header, "IssuerOfPatientID") or _universal_issuer(header),
        _name(_text(header, "PatientName")),
        # ACR-NEMA writes dots.
        _text(header, "PatientBirthDate").replace(".", ""),
        next(filter(None, (_text(header, of + "InstanceUID") for of in ("Study", "Series", "SOP"))), ""),
    )


def _universal_issuer(header: Dataset) -> str:
    try:
        return _text(header.get("IssuerOfPatientIDQualifiersSequence")[0], "UniversalEntityID")
    except Exception:  # missing, empty, or no sequence at all
        return ""


def _name(text: str) -> str:
    """A person's name, in which capitals, empty components at the end, and double blanks mean nothing."""
    groups = (group.rstrip("^ ") for group in text.upper().split("="))
    return "=".join("^".join(" ".join(part.split()) for part in group.split("^")) for group in groups).rstrip("=")


def _text(header: Dataset, keyword: str) -> str:
    """The value of an element as text of one line; '' where there is none, or none that can be read."""
    try:
        value: Any = header.get(keyword)
        many = "" if value is None else "\\".join(map(str, value)) if header[keyword].VM > 1 else str(value)
    except Exception:  # pydicom raises many kinds for damaged elements
        return ""
    printable = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in many)
    return unicodedata.normalize("NFC", printable).strip()

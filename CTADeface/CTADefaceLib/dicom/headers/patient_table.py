"""Which patient and study a pseudonym stands for: a table in the hospital's folder, to which runs only ever add.

Each physical line is one row, because the texts of ``Patient`` hold no line ends.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ...errors import OutputError
from ...files.storage.append import append
from ...files.storage.lock import BUSY, lock_within
from ...files.storage.private import make_private, open_private, private_folder
from .patient import Patient
from .pseudonym import Pseudonym

NAME = "patients.csv"
# A run holds the table for milliseconds.
LONGEST_WAIT_S = 30.0


class Row(NamedTuple):
    """A line of the table; all are texts, in the order of the columns."""

    pseudonym: str
    patient_id: str
    issuer: str
    patient_name: str
    birth_date: str
    days_shifted: str
    study_uid: str
    new_study_uid: str

    @property
    def identity(self) -> tuple[str, ...]:
        """As ``Patient.identity``."""
        return Patient(self.patient_id, self.issuer, self.patient_name, self.birth_date, self.study_uid).identity


def row_of(pseudonym: Pseudonym, new_study: str) -> Row:
    """The ``Row`` of a patient's study, whose released UID is ``new_study``. Raises: as ``SecretKey.text``."""
    patient, days = pseudonym.patient, pseudonym.days
    return Row(
        pseudonym.text,
        patient.patient_id,
        patient.issuer,
        patient.name,
        patient.birth_date,
        "" if days is None else str(days),
        patient.study,
        new_study,
    )


def add_row(folder: str | Path, row: Row) -> str | None:
    """Add ``row`` to the table in ``folder``, unless it has a row of that pseudonym, shift and study; for the owner only.

    Returns: a warning of one sentence when the patient has another pseudonym there, by another key; else None.
    Raises: OutputError when the table cannot be written, or its pseudonym stands for another patient.
    """
    path = Path(folder) / NAME
    try:
        private_folder(folder)
        with _locked(path):
            before = _read(path)
            if any(other.pseudonym == row.pseudonym and other.identity != row.identity for other in before):
                raise OutputError(
                    f"{path}: the pseudonym {row.pseudonym} stands for another patient there already; "
                    "use another key (--pseudonym-key) and another folder."
                )
            if any(_key(other) == _key(row) for other in before):
                return None
            append(path, _lines(row, header=not path.exists() or not path.stat().st_size))
            make_private(path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); free space, or close the program that has it open."
        ) from None
    if any(other.identity == row.identity and other.pseudonym != row.pseudonym for other in before):
        return (
            f"{path}: this patient has another pseudonym there, of another key; "
            "give all runs that belong together the same --pseudonym-key."
        )
    return None


def read_table(folder: str | Path) -> list[Row]:
    """The rows of the table in ``folder``, [] where there is none. Raises: OSError."""
    return _read(Path(folder) / NAME)


def _key(row: Row) -> tuple[str, ...]:
    return row.pseudonym, row.days_shifted, row.study_uid, row.new_study_uid


def _read(path: Path) -> list[Row]:
    """All rows but the header, and but lines that a power cut has torn."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    cells = (tuple(next(csv.reader([line]), ())) for line in lines)
    return [Row(*found) for found in cells if len(found) == len(Row._fields) and found != Row._fields]


def _lines(row: Row, header: bool) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([Row._fields, row] if header else [row])
    return stream.getvalue().encode(errors="backslashreplace")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the table; where files cannot be locked, adding is still whole, and only a row may come twice."""
    with open_private(path.with_suffix(".lock"), "a+b") as stream:
        try:
            lock_within(stream, LONGEST_WAIT_S)
        except BUSY:
            raise OutputError(f"{path}: another run holds it; wait for that one, or stop it.") from None
        except OSError:
            yield
            return
        _drop_torn_line(path)
        yield


def _drop_torn_line(path: Path) -> None:
    """Delete the end of a last line that a power cut has torn: its quote would swallow the rows after it."""
    if not path.exists():
        return
    with open(path, "r+b") as stream:
        content = stream.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            stream.truncate(whole)
            os.fsync(stream.fileno())

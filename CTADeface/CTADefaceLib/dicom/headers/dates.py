"""Dates moved into the past by a patient's own number of days: intervals stay, the calendar's days do not.

PS3.15, Retain Longitudinal Temporal Information With Modified Dates Option. Times of day stay as they are.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import DataElement

KINDS = frozenset({"DA", "DT", "TM"})
DATE = r"(\d{4})(\.?)(\d\d)\2(\d\d)"
TIME = r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
LEGAL = {
    "DA": re.compile(DATE),
    # The offset to universal time tells a region, as Timezone Offset From UTC does, which the profile removes.
    "DT": re.compile(f"{DATE}({TIME})?(?:[-+]\\d{{4}})?"),
    "TM": re.compile(TIME),
}
# These go as without the option.
OF_BIRTH = {"PatientBirthDate", "PatientBirthTime"}
# What these mean, a code beside them says: it may be a birth date.
OF_ANY_MEANING = {"Date", "DateTime", "Time", "SelectorDAValue", "SelectorDTValue", "SelectorTMValue"}
# The same in the files of many patients: who knows the days of one of them, or the date itself from elsewhere, would know the
# days of all; of a calibration the time of day alone tells which one it was.
OF_NO_PATIENT = {
    "DateOfGainCalibration",
    "TimeOfGainCalibration",
    "CalibrationDate",
    "CalibrationTime",
    "CalibrationDateTime",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
    "DateTimeOfLastCalibration",
    "DateOfLastDetectorCalibration",
    "TimeOfLastDetectorCalibration",
    "SourceStrengthReferenceDate",
    "SourceStrengthReferenceTime",
    "ContextGroupVersion",
    "ContextGroupLocalVersion",
    "TemplateVersion",
    "TemplateLocalVersion",
    "DateOfManufacture",
    "DateOfInstallation",
    "ProductExpirationDateTime",
    "ExpiryDate",
    "EffectiveDateTime",
    "InformationIssueDateTime",
    "HangingProtocolCreationDateTime",
    "ProcedureCreationDate",
    "ProcedureExpirationDate",
    "ProcedureLastModifiedDate",
    "EthicsCommitteeApprovalEffectivenessStartDate",
    "EthicsCommitteeApprovalEffectivenessEndDate",
    "GPSDateStamp",
    "GPSTimeStamp",
}
NOT_MOVED = OF_BIRTH | OF_ANY_MEANING | OF_NO_PATIENT


def known_kinds(element: DataElement) -> list[str]:
    """The value representations that the standard gives an element, none for one that it does not know."""
    from pydicom.datadict import dictionary_VR

    try:
        return dictionary_VR(element.tag).split(" or ")
    except KeyError:
        return []


def moved(element: DataElement, days: int) -> str | list[str] | None:
    """The value of a date, time, or both, ``days`` before; None for one that must not stay, or is none.

    An empty one stays empty. A date and time loses its offset to universal time.
    """
    if known_kinds(element) != [element.VR] or element.keyword in NOT_MOVED:
        return None
    if element.value is None or element.VM == 0:
        return ""
    values = list(element.value) if element.VM > 1 else [element.value]
    new = [_moved(str(value).strip(), element.VR, days) for value in values]
    if any(value is None for value in new):
        return None
    return [str(value) for value in new] if len(new) > 1 else new[0]


def _moved(text: str, kind: str, days: int) -> str | None:
    found = LEGAL[kind].fullmatch(text)
    if found is None or not text.isascii():
        return None
    if kind == "TM":
        return text
    year, _dot, month, day, *time = found.groups()
    try:
        date = datetime(int(year), int(month), int(day)) - timedelta(days)
    except (ValueError, OverflowError):
        return None
    return f"{date.year:04}{date.month:02}{date.day:02}{time[0] or '' if time else ''}"

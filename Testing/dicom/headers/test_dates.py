"""Dates in every element of the dictionary: moved by one number of days, or removed as without the option; none stays."""

from datetime import date, timedelta

import pydicom
import pytest
from pydicom.datadict import dictionary_VR, keyword_dict

from CTADefaceLib.dicom.headers.dates import KINDS, NOT_MOVED, moved
from CTADefaceLib.dicom.headers.deidentify import BasicProfile
from CTADefaceLib.dicom.headers.patient import Patient
from CTADefaceLib.dicom.headers.pseudonym import Pseudonym
from CTADefaceLib.dicom.headers.secret_key import SecretKey
from CTADefaceLib.dicom.headers.uids import NewUids
from CTADefaceLib.dicom.headers.vouched import remove_unvouched
from helpers.dicom_maker import item

VALUES = {"DA": "20200304", "DT": "20200304101112.5+0100", "TM": "101112.5"}
# Directories, file meta information, curves and overlays are no part of what stays.
WHERE = {
    keyword: dictionary_VR(tag)
    for keyword, tag in keyword_dict.items()
    if dictionary_VR(tag) in KINDS and tag >> 16 >= 0x0008 and tag >> 16 not in (0x5000, 0x6000)
}


@pytest.fixture
def profile(tmp_path):
    (tmp_path / "key").write_text("5e" * 32)
    who = Patient("ID4711", "", "", "", "1.2.3")
    return BasicProfile(NewUids(), Pseudonym(who, SecretKey(tmp_path / "key", given=True), shifts_dates=True))


def planted(profile, value_of):
    """A dataset with a value in each element of dates and times, on top and in a sequence that stays, cleaned."""
    inside, dataset = pydicom.Dataset(), pydicom.Dataset()
    with pydicom.config.disable_value_validation():
        for one in (inside, dataset):
            for keyword, kind in WHERE.items():
                one.add_new(keyword, kind, value_of(kind))
    dataset.ContributingEquipmentSequence = [inside]
    remove_unvouched(dataset)
    profile(dataset)
    return dataset, dataset.ContributingEquipmentSequence[0]


def test_every_date_is_moved_alike_and_every_time_of_day_stays(profile):
    day = (date(2020, 3, 4) - timedelta(profile._days)).strftime("%Y%m%d")
    expected = {"DA": day, "DT": f"{day}101112.5", "TM": "101112.5"}
    for dataset in planted(profile, VALUES.get):
        stayed = {e.keyword for e in dataset if e.VR in KINDS and e.keyword not in NOT_MOVED}
        assert stayed == WHERE.keys() - NOT_MOVED and len(stayed) > 140
        for element in dataset:
            if element.keyword in stayed:
                assert element.value == expected[element.VR], element.keyword
        assert not [e for e in dataset if e.keyword in NOT_MOVED and ("2020" in str(e.value) or "1112" in str(e.value))]


def test_two_patients_of_a_scanner_share_nothing_by_which_the_days_of_one_tell_those_of_the_other(profile):
    """Scanners write when they were calibrated into the files of all patients of that day."""
    dataset = pydicom.Dataset()
    dataset.StudyDate, dataset.StudyTime = "20200304", "101112"
    dataset.DateOfLastCalibration, dataset.TimeOfLastCalibration = ["20200303", "20200304"], ["060708", "070809"]
    dataset.add_new("DateTimeOfLastCalibration", "DT", "20200304070809")
    profile(dataset)
    assert dataset.StudyTime == "101112" and dataset.StudyDate not in ("", "20200304")
    left = {element.keyword: element.value for element in dataset if "Calibration" in element.keyword}
    assert all(value in ("", None) for value in left.values()), left


@pytest.mark.parametrize("secret", ["2020-03-04", "Roe 1950", "202003", "20200230", "20200304 Roe", "٢٠٢٠٠٣٠٤", "00010304"])
def test_what_is_no_whole_date_goes(profile, secret):
    for dataset in planted(profile, lambda kind: secret):
        assert not [e.keyword for e in dataset if e.VR in ("DA", "DT") and secret in str(e.value)]


def test_a_date_in_a_place_of_text_goes_and_an_empty_one_stays_empty(profile):
    dataset = pydicom.Dataset()
    with pydicom.config.disable_value_validation():
        for keyword in ("PatientName", "ProtocolName", "SliceLocation", "BodyPartExamined"):
            dataset.add_new(keyword, "DA", "20200304")
    dataset.StudyDate = dataset.SeriesDate = ""
    dataset.RequestedProcedureCodeSequence = [item(CodeValue="1", ContextGroupVersion="20020904")]
    dataset.AcquisitionContextSequence = [item(ValueType="DATE", Date="20200304")]
    remove_unvouched(dataset)
    profile(dataset)
    text = str(dataset)
    assert "2020" not in text and "20020904" not in text and (dataset.StudyDate, dataset.SeriesDate) == ("", "")


def test_moving_keeps_what_is_beside_the_date():
    def of(kind, value, keyword={"DA": "StudyDate", "DT": "AcquisitionDateTime", "TM": "StudyTime"}):  # noqa: B006
        with pydicom.config.disable_value_validation():
            return moved(pydicom.DataElement(keyword[kind], kind, value), 60)

    assert of("DA", "20200301") == "20200101" and of("DA", "2020.03.01") == "20200101"
    assert of("DA", ["20200301", "20200302"]) == ["20200101", "20200102"] and of("DA", ["20200301", "Roe"]) is None
    assert of("DT", "20200301") == "20200101" and of("DT", "2020030123") == "2020010123"
    assert of("DT", "20200301235960.123456-0330") == "20200101235960.123456"
    assert of("TM", "10") == "10" and of("TM", "1060") is None and of("TM", "101112.1234567") is None

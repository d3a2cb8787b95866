"""Cleaned headers name each patient by a keyed pseudonym that stays, and nothing else: ID, name, UIDs and dates are gone."""

import json
import os
import re
import stat
import sys

import pydicom
import pytest

from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.dicom.deface_study import NO_PATIENT, deface_dicom
from CTADefaceLib.dicom.headers.patient import SEVERAL, patient_of
from CTADefaceLib.dicom.headers.patient_table import read_table
from CTADefaceLib.dicom.headers.pseudonym import LETTERS, MOST_DAYS, Pseudonym
from CTADefaceLib.dicom.headers.secret_key import SecretKey
from CTADefaceLib.dicom.headers.uids import NewUids
from CTADefaceLib.dicom.reading.series import find_series
from CTADefaceLib.errors import CTADefaceError, InputError
from helpers import dicom_maker as maker
from helpers import dicom_readers as readers
from helpers.dicom_maker import item
from helpers.paths import RESOURCES


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    return maker.write_mask(tmp_path_factory.mktemp("mask") / "mask.nii.gz")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("safe") / "secret.key"
    path.write_text("5e" * 32 + "\n")
    path.chmod(0o600)
    return path


def header(**elements):
    """A change for ``write_series`` that sets these elements in each file."""

    def change(dataset, k):
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)

    return change


def patient(folder, said=None, **elements):
    """The ``Patient`` of a series of two files with these elements in the header."""
    if not folder.exists():
        maker.write_series(folder, maker.upright(count=2), change=header(**elements))
    return patient_of(find_series(folder).series, (said if said is not None else []).append)


def pseudonym(who, key, shifts_dates=True):
    return Pseudonym(who, SecretKey(key, given=True), shifts_dates)


def test_the_same_patient_gets_the_same_pseudonym_and_another_one_or_another_key_another(tmp_path, key):
    cases = {
        "same": {"PatientID": "ID4711"},
        "padded": {"PatientID": " ID4711 ", "PatientName": "Married^Jane", "PatientBirthDate": ""},
        "other": {"PatientID": "ID4712"},
        "issuer": {"PatientID": "ID4711", "IssuerOfPatientID": "Mercy"},
        "universal": {"PatientID": "ID4711", "IssuerOfPatientIDQualifiersSequence": [item(UniversalEntityID="Mercy")]},
        "glued": {"PatientID": "cyID4711", "IssuerOfPatientID": "Mer"},
        "name": {"PatientID": "", "PatientName": "Secret^Jane", "PatientBirthDate": "19500102"},
        "name again": {"PatientID": " ", "PatientName": "SECRET^JANE^^ ", "PatientBirthDate": "1950.01.02"},
        "twin": {"PatientID": "", "PatientName": "Secret^Joan", "PatientBirthDate": "19500102"},
    }
    who = {name: pseudonym(patient(tmp_path / name, **elements), key) for name, elements in cases.items()}
    by_text = {}
    for name, one in who.items():
        assert re.fullmatch(f"CTA-[{LETTERS}]{{10}}", one.text) and 1 <= one.days <= MOST_DAYS
        by_text.setdefault((one.text, one.days), set()).add(name)
    together = [{"same", "padded"}, {"issuer", "universal"}, {"name", "name again"}]
    assert sorted(map(sorted, by_text.values())) == sorted(map(sorted, [*together, {"other"}, {"glued"}, {"twin"}]))
    second = tmp_path / "second.key"
    second.write_text("5f" * 32)
    assert not {pseudonym(one.patient, second).text for one in who.values()} & {one.text for one in who.values()}
    # What was given away once must not change with the next version.
    assert (who["same"].text, who["same"].days) == PINNED


PINNED = ("CTA-CJPP1QK811", 199)


def test_a_patient_whom_nothing_names_is_known_by_the_study_alone(tmp_path, key):
    nobody = {"PatientID": "", "PatientName": "Secret^Jane", "PatientBirthDate": ""}
    first, second = (patient(tmp_path / name, **nobody) for name in "ab")
    assert not first.is_known and not second.is_known and first.study and first.study != second.study
    assert pseudonym(first, key).text != pseudonym(second, key).text
    assert pseudonym(first, key).text == pseudonym(patient(tmp_path / "a"), key).text


def test_files_that_say_less_belong_to_the_study_and_several_patients_in_it_are_told(tmp_path, key):
    study = maker.Study()
    for name, elements in (
        ("full", {"PatientID": "ID1", "IssuerOfPatientID": "Mercy"}),
        ("less", {"PatientID": "ID1", "IssuerOfPatientID": ""}),
        ("none", {"PatientID": "", "PatientName": "", "PatientBirthDate": ""}),
    ):
        maker.write_series(tmp_path / "one" / name, maker.upright(count=2), study, change=header(**elements))
    said = []
    assert patient(tmp_path / "one", said).identity == ("id", "Mercy", "ID1") and not said
    for name, count in (("ID1", 2), ("ID2", 3)):
        maker.write_series(tmp_path / "two" / name, maker.upright(count=count), study, change=header(PatientID=name))
    assert patient(tmp_path / "two", said).patient_id == "ID2" and said == [SEVERAL]


@pytest.mark.parametrize("value", [b"\xff\xfe\x00" * 7, "a\\b", "line\rbreak\x1b[31m", "x" * 64], ids=repr)
def test_odd_ids_make_no_odd_pseudonyms(tmp_path, key, value):
    def change(dataset, k):
        with pydicom.config.disable_value_validation():
            dataset.add_new("PatientID", "UN" if isinstance(value, bytes) else "LO", value)

    maker.write_series(tmp_path / "in", maker.upright(count=2), change=change)
    who = patient(tmp_path / "in")
    assert re.fullmatch(f"CTA-[{LETTERS}]{{10}}", pseudonym(who, key).text)
    assert all(text.isprintable() or not text for text in who.identity)


def test_a_key_that_is_none_is_refused_with_the_remedy_and_never_made_by_accident(tmp_path, mask, key, capsys):
    maker.write_series(tmp_path / "in", maker.upright(count=4))
    command = ["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--mask", mask, "--quiet"]
    clean = [*command, "--deidentify-headers", "--pseudonym-key"]
    for content, words in (
        (None, "openssl rand -hex 32"),
        ("5e" * 31, "64 or more hexadecimal"),
        ("no key" * 20, "hexadecimal"),
    ):
        path = tmp_path / "my.key"
        if content is not None:
            path.write_text(content)
        assert main([*clean, str(path)]) == 4
        said = capsys.readouterr().out
        assert str(path) in said and words in said
        assert path.exists() == (content is not None)
    inside = tmp_path / "out" / "my.key"
    assert main([*clean, str(inside)]) == 2 and "release folder" in capsys.readouterr().out
    for option in (["--pseudonym-key", str(key)], ["--shift-dates"]):
        assert main([*command, *option]) == 2
        assert option[0] in (said := capsys.readouterr().err) and "--deidentify-headers" in said
    assert not list(tmp_path.glob("out*"))
    with pytest.raises(CTADefaceError, match="--shift-dates"):
        Options(shift_dates=True)


def test_text_of_other_editors_is_the_same_key(tmp_path, key):
    for name, encoding in (("windows", "utf-16"), ("bom", "utf-8-sig")):
        (tmp_path / name).write_bytes((key.read_text().strip() + "\r\n").encode(encoding))
        assert SecretKey(tmp_path / name, given=True).fingerprint == SecretKey(key, given=True).fingerprint
    assert "5e" * 8 not in repr(SecretKey(key, given=True)) + repr(pseudonym(patient(tmp_path / "p"), key))


SECRETS = {
    "PatientID": "ID4711",
    "PatientName": "Secret^Jane",
    "IssuerOfPatientID": "MERCYISSUER",
    "PatientBirthDate": "19500102",
}
DATES = ("20200304", "20210305", "20200301", "19500102", "20191224", "2020-03-04")


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Studies 'first' and 'second' of one patient, a year and a day apart, of which the second refers to the first; each file
    says who and when it is in many places. The patient of 'nobody' has a name and no birth date."""
    folder, first = tmp_path_factory.mktemp("patients"), maker.Study()

    def change(day):
        def spoil(dataset, k):
            header(**SECRETS)(dataset, k)
            dataset.StudyDate = dataset.ContentDate = dataset.AcquisitionDate = dataset.SeriesDate = day
            dataset.AcquisitionDateTime = f"{day}101112.25+0100"
            dataset.InstanceCreationDate, dataset.InstanceCreationTime = day, "101113"
            dataset.DateOfLastCalibration, dataset.DateOfManufacture = ["20200301", day], "20191224"
            dataset.TimezoneOffsetFromUTC, dataset.PatientAge, dataset.StudyDescription = "+0100", "070Y", f"seen {day}"
            dataset.OtherPatientIDsSequence = [item(PatientID="ID4711", TypeOfPatientID="TEXT")]
            dataset.RequestAttributesSequence = [item(ScheduledProcedureStepStartDate=day, RequestedProcedureID="ID4711")]
            dataset.ContributingEquipmentSequence = [
                item(Manufacturer="Maker", ContributionDateTime=f"{day}120000", OperatorsName="Secret^Jane")
            ]
            dataset.ReferencedStudySequence = [
                item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=dataset.StudyInstanceUID)
            ]
            dataset.RelatedSeriesSequence = [
                item(StudyInstanceUID=first.study, SeriesInstanceUID="1.2.840.4711", StudyDate="20200304", PatientID="ID4711")
            ]
            dataset.add_new(0x00091001, "LO", "ID4711")
            with pydicom.config.disable_value_validation():
                dataset.add_new("PerformedProcedureStepStartDate", "DA", "2020-03-04")
                dataset.add_new("ProtocolName", "DA", day)

        return spoil

    thick = maker.upright(count=20, spacing=12.0)
    maker.write_series(folder / "first", thick, first, change=change("20200304"))
    maker.write_series(folder / "second", thick, change=change("20210305"))
    maker.write_series(folder / "nobody", thick, change=header(PatientID="", PatientBirthDate=""))
    return folder


def released(source, out, mask, said=None, **options):
    """(first dataset, all bytes, hospital's folder) of the only series of a study that is defaced with cleaned headers."""
    chosen = Options(mask=mask, second_opinion=False, deidentify_headers=True, **options)
    result = deface_dicom(source, out, chosen, warn=([] if said is None else said).append)[0]
    assert (result.status, result.error) == ("defaced", None)
    files = readers.sorted_files(result.defaced)
    content = b"".join(path.read_bytes() for path in files)
    return pydicom.dcmread(files[0]), content, out.with_name(f"{out.name}-hospital-only")


def uids_of(folder):
    """All UIDs of the files in a folder that are not the standard's own."""
    datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]
    found = {str(e.value) for dataset in datasets for e in dataset.iterall() if e.VR == "UI"}
    return {uid for uid in found if uid not in pydicom.uid.UID_dictionary}


def days_between(earlier, later):
    return (pydicom.valuerep.DA(later) - pydicom.valuerep.DA(earlier)).days


@pytest.fixture(scope="module")
def follow_up(patients, key, mask, tmp_path_factory):
    """Name of the study -> as ``released``, each into a folder of its own with moved dates and one key; 'plain' is the first
    study once more, with the folder's own key and dates removed."""
    folder = tmp_path_factory.mktemp("released")
    moved = {"pseudonym_key": str(key), "shift_dates": True}
    made = {name: released(patients / name, folder / name, mask, **moved) for name in ("first", "second")}
    return made | {"plain": released(patients / "first", folder / "plain", mask)}


def test_follow_up_stays_one_patient_with_true_intervals(follow_up, patients, key):
    first, second = (follow_up[name][0] for name in ("first", "second"))
    assert first.PatientID == second.PatientID == str(first.PatientName) == str(second.PatientName)
    assert days_between(first.StudyDate, second.StudyDate) == days_between("20200304", "20210305") == 366
    assert days_between(first.StudyDate, "20200304") == pseudonym(patient(patients / "first"), key).days
    day = second.StudyDate
    for keyword in ("ContentDate", "AcquisitionDate", "SeriesDate", "InstanceCreationDate"):
        assert second[keyword].value == day, keyword
    assert second.AcquisitionDateTime == f"{day}101112.25"
    assert second.ContributingEquipmentSequence[0].ContributionDateTime == f"{day}120000"
    assert second.RelatedSeriesSequence[0].StudyDate == first.StudyDate
    # All patients of a scanner share it.
    assert not second.get("DateOfLastCalibration")
    assert (second.StudyTime, second.ContentTime, second.InstanceCreationTime) == ("101112", "101112", "101113")
    assert second.PatientBirthDate == follow_up["plain"][0].PatientBirthDate == "" and "PatientAge" not in second
    # The follow-up refers to the study that was released before it.
    assert second.RelatedSeriesSequence[0].StudyInstanceUID == first.StudyInstanceUID != second.StudyInstanceUID
    for dataset in (first, second):
        assert dataset.LongitudinalTemporalInformationModified == "MODIFIED" and dataset.PatientIdentityRemoved == "YES"
        codes = {item.CodeValue: item.CodeMeaning for item in dataset.DeidentificationMethodCodeSequence}
        assert codes.keys() == {"113100", "113102", "113107"} and "Modified Dates" in codes["113107"]
        assert all(len(text) <= 64 for text in dataset.DeidentificationMethod)


@pytest.mark.parametrize("name", ["first", "second", "plain"])
def test_nothing_of_the_patient_is_in_any_released_byte(follow_up, patients, name):
    dataset, content, _hospital = follow_up[name]
    uids = uids_of(patients / ("second" if name == "second" else "first"))
    assert len(uids) > 20 and not [uid for uid in uids if uid.encode() in content]
    # New UIDs are random digits, among which any number may turn up.
    content = re.sub(rb"1\.2\.826\.[.0-9]+", b"", content)
    secrets = {*SECRETS.values(), *DATES, "Secret", "Jane", "JANE", "070Y", "+0100", "4711"}
    assert not [secret for secret in secrets if secret.encode() in content]
    assert dataset.PatientID.encode() in content and b"5e5e5e5e" not in content


def test_files_with_pseudonyms_and_moved_dates_are_as_valid_as_before(follow_up, patients):
    if not readers.have("dciodvfy"):
        pytest.skip("needs dciodvfy (Debian's dicom3tools)")
    for name, source in (("second", "second"), ("plain", "first")):
        before = readers.validator_errors(readers.sorted_files(patients / source)[0])
        assert readers.validator_errors(follow_up[name][0].filename) <= before


def test_the_record_says_how_and_not_who(follow_up, key):
    schema = json.loads((RESOURCES / "record.schema.json").read_text())
    for name in ("second", "plain"):
        dataset, _content, hospital = follow_up[name]
        record = json.loads((hospital / "series_01_record.json").read_text())
        pytest.importorskip("jsonschema").validate(record, schema)
        settings, text = record["settings"], json.dumps(record)
        assert settings["pseudonyms"] == "keyed" and settings["dates_moved"] is (name == "second")
        assert sum("pseudonym" in method for method in settings["methods"]) == 1
        for secret in (*SECRETS.values(), dataset.PatientID, key.read_text().strip(), str(key)):
            assert secret not in text


def test_the_hospital_can_tell_who_it_was(follow_up, patients):
    for name in ("first", "second"):
        dataset, _content, hospital = follow_up[name]
        (row,) = read_table(hospital)
        old = pydicom.dcmread(next((patients / name).iterdir()))
        assert (row.pseudonym, row.patient_id, row.issuer) == (dataset.PatientID, "ID4711", "MERCYISSUER")
        assert (row.study_uid, row.new_study_uid) == (old.StudyInstanceUID, dataset.StudyInstanceUID)
        assert days_between(dataset.StudyDate, old.StudyDate) == int(row.days_shifted)
        # A key of one's own is not copied.
        assert not list(hospital.glob("*.key"))


def test_without_a_key_of_ones_own_one_is_made_for_the_folder(follow_up, patients):
    dataset, _content, hospital = follow_up["plain"]
    made = SecretKey(hospital / "uids.key", given=True)
    assert Pseudonym(patient(patients / "first"), made).text == dataset.PatientID != follow_up["first"][0].PatientID
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        old = pydicom.dcmread(next((patients / "first").iterdir()))[keyword].value
        assert NewUids([old], made)(old) == dataset[keyword].value
    assert dataset.LongitudinalTemporalInformationModified == "REMOVED" and dataset.StudyDate == "19000101"
    assert "113107" not in {item.CodeValue for item in dataset.DeidentificationMethodCodeSequence}
    assert [row.days_shifted for row in read_table(hospital)] == [""]
    if sys.platform != "win32":
        assert {stat.S_IMODE(os.stat(path).st_mode) for path in hospital.iterdir()} == {0o600}


def test_a_damaged_key_is_never_replaced(tmp_path):
    key = SecretKey(tmp_path / "uids.key")
    assert len(key.text) == 64 and SecretKey(tmp_path / "uids.key").text == key.text
    os.truncate(tmp_path / "uids.key", 5)
    with pytest.raises(InputError, match="put back"):
        SecretKey(tmp_path / "uids.key").text  # noqa: B018


def test_a_patient_without_identity_and_a_key_that_others_may_read_are_told(patients, mask, tmp_path):
    said, path = [], tmp_path / "open.key"
    path.write_text("6e" * 32)
    path.chmod(0o644)
    dataset, content, _hospital = released(patients / "nobody", tmp_path / "out", mask, said, pseudonym_key=str(path))
    assert NO_PATIENT in said and (sys.platform == "win32" or sum("chmod 600" in text for text in said) == 1)
    assert dataset.PatientID.startswith("CTA-") and b"Secret" not in content

"""The hospital's table of pseudonyms: whole rows, each once, whoever writes at the same time."""

import csv
import os
import stat
import subprocess
import sys

import pytest

from CTADefaceLib.dicom.headers.patient_table import NAME, Row, add_row, read_table
from CTADefaceLib.errors import OutputError

WRITER = """
import sys
from CTADefaceLib.dicom.headers.patient_table import Row, add_row
for number in range(25):
    for who in (number, sys.argv[2] + f"-{number}"):
        add_row(sys.argv[1], Row(f"CTA-{who}", f"ID{who}", "", 'DOE^"JANE", AND MORE', "", "7", f"1.{number}", "2"))
"""


def row(**changes):
    fields = dict(zip(Row._fields, ("CTA-1", "ID4711", "Mercy", "SECRET^JANE", "19500102", "7", "1.2.3", "2.25.1")))
    return Row(**fields | changes)


def test_processes_at_the_same_time_lose_no_row_and_write_none_twice(tmp_path):
    folder = tmp_path / "kept"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(n)]) for n in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    with open(folder / NAME, encoding="utf-8", newline="") as stream:
        header, *lines = csv.reader(stream)
    assert tuple(header) == Row._fields and len(lines) == len(set(map(tuple, lines))) == 25 + 4 * 25
    assert set(read_table(folder)) == {Row(*line) for line in lines}
    if sys.platform != "win32":
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert {stat.S_IMODE(os.stat(path).st_mode) for path in folder.iterdir()} == {0o600}


def test_a_line_that_a_power_cut_has_torn_swallows_no_other(tmp_path):
    add_row(tmp_path, row())
    with open(tmp_path / NAME, "a", encoding="utf-8") as stream:
        stream.write('CTA-2,ID4712,"Mercy, ')
    add_row(tmp_path, row(pseudonym="CTA-3", patient_id="ID4713"))
    with open(tmp_path / NAME, encoding="utf-8", newline="") as stream:
        assert [line[1] for line in csv.reader(stream)] == ["patient_id", "ID4711", "ID4713"]


def test_two_patients_of_one_pseudonym_are_refused_and_two_pseudonyms_of_one_patient_are_told(tmp_path):
    assert add_row(tmp_path, row()) is None and add_row(tmp_path, row()) is None
    assert add_row(tmp_path, row(study_uid="1.2.4", new_study_uid="2.25.2", patient_name="MARRIED^JANE")) is None
    assert "--pseudonym-key" in add_row(tmp_path, row(pseudonym="CTA-2"))
    with pytest.raises(OutputError, match="stands for another patient"):
        add_row(tmp_path, row(patient_id="ID4712"))
    assert len(read_table(tmp_path)) == 3


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid"), reason="links as on Linux and macOS")
def test_a_table_that_cannot_be_written_is_an_error_of_one_sentence(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(OutputError, match=r"patients\.csv: cannot be written"):
        add_row(tmp_path, row())

"""A batch gives all its patients pseudonyms by one key, which is made before any case is handed out."""

import json

import pydicom
import pytest

from CTADefaceLib.batch.correct import correct, open_case
from CTADefaceLib.batch.manifest import NAME
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import Here, run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.dicom.headers.patient_table import read_table
from CTADefaceLib.errors import InputError
from helpers import dicom_maker as maker

DAYS = {"early": "20200304", "late": "20200314", "other": "20200304"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """(folder of three studies, of which the first two are one patient's; mask)."""
    source = tmp_path_factory.mktemp("patients") / "in"
    for name, day in DAYS.items():

        def change(dataset, k, name=name, day=day):
            dataset.StudyDate, dataset.PatientID = day, "ID2" if name == "other" else "ID1"

        maker.write_series(source / name, maker.upright(count=20, spacing=12.0), change=change)
    return source, maker.write_mask(source.parent / "mask.nii.gz")


class Watched(Here):
    """Notes which key lies there when a case is handed out."""

    def __init__(self, hospital):
        super().__init__()
        self.hospital, self.keys = hospital, []

    def submit(self, case, where, options, callback, warn):
        self.keys.append((self.hospital / "uids.key").read_text())
        return super().submit(case, where, options, callback, warn)


def headers(out):
    """Name of the study -> first header of what the batch has released of it."""
    queue = load_queue(out.with_name(f"{out.name}-hospital-only"))
    return {item.case: pydicom.dcmread(next(item.outputs[0].iterdir())) for item in queue}


@pytest.fixture(scope="module")
def finished(tree):
    """(release folder, options) of a batch that is done."""
    source, mask = tree
    out = source.parent / "out"
    options = Options(mask=mask, second_opinion=False, deidentify_headers=True, shift_dates=True)
    engine = Watched(out.with_name("out-hospital-only"))
    assert run_batch(source, out, options, engine=engine).complete
    assert len(engine.keys) == 3 and len(set(engine.keys)) == 1 and len(engine.keys[0]) == 64
    return out, options


def test_one_key_and_one_table_serve_all_cases(finished):
    out, _options = finished
    made, hospital = headers(out), out.with_name("out-hospital-only")
    assert made["early"].PatientID == made["late"].PatientID != made["other"].PatientID
    early, late = (pydicom.valuerep.DA(made[name].StudyDate) for name in ("early", "late"))
    assert (late - early).days == 10 and made["early"].StudyDate != DAYS["early"]
    assert [path.relative_to(hospital).as_posix() for path in hospital.rglob("*.key")] == ["uids.key"]
    assert sorted(path.relative_to(hospital).as_posix() for path in hospital.rglob("*.csv")) == ["patients.csv", "summary.csv"]
    assert sorted(row.patient_id for row in read_table(hospital)) == ["ID1", "ID1", "ID2"]
    assert not [path for path in out.rglob("*") if path.suffix in (".key", ".csv")]
    assert (hospital / "uids.key").read_text() not in (hospital / NAME).read_text()


def test_a_correction_keeps_pseudonym_and_dates(finished):
    out, _options = finished
    hospital, before = out.with_name("out-hospital-only"), headers(out)["late"]
    item = next(item for item in load_queue(hospital) if item.case == "late")
    _volume, mask = open_case(item)
    fixed = correct(hospital, item, mask.stored > 0, mask.geometry)
    after = pydicom.dcmread(next(fixed.outputs[0].iterdir()))
    assert fixed.review == "corrected" and after.SeriesInstanceUID != before.SeriesInstanceUID
    for keyword in ("PatientID", "StudyDate", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert after[keyword].value == before[keyword].value, keyword
    assert len(read_table(hospital)) == 3


def test_pseudonyms_of_two_keys_are_never_mixed(finished, tree, tmp_path):
    source, _mask = tree
    out, options = finished
    key, hospital = tmp_path / "other.key", out.with_name("out-hospital-only")
    key.write_text("5e" * 32)
    for changed, words in (
        ({"pseudonym_key": str(key)}, "pseudonyms of the key"),
        ({"shift_dates": False}, "with dates moved, not with dates removed"),
    ):
        with pytest.raises(InputError, match=words):
            run_batch(source, out, Options(**vars(options) | changed))
    moved = (hospital / "uids.key").rename(tmp_path / "uids.key")
    with pytest.raises(InputError, match="put back"):
        run_batch(source, out, options)
    item = load_queue(hospital)[0]
    _volume, mask = open_case(item)
    with pytest.raises(InputError, match="put back"):
        correct(hospital, item, mask.stored > 0, mask.geometry)
    assert not (hospital / "uids.key").exists()
    # Wherever it lies, it is the same key.
    assert run_batch(source, out, Options(**vars(options) | {"pseudonym_key": str(moved)})).complete
    moved.rename(hospital / "uids.key")
    assert run_batch(source, out, options).complete


def test_a_key_of_ones_own_is_found_again_for_a_correction(tree, tmp_path, monkeypatch):
    _source, mask = tree
    (tmp_path / "my.key").write_text("5e" * 32)
    monkeypatch.chdir(tmp_path)
    chosen = {"mask": mask, "second_opinion": False, "deidentify_headers": True, "pseudonym_key": "my.key"}
    maker.write_series(tmp_path / "in" / "one", maker.upright(count=20, spacing=12.0))
    assert run_batch(tmp_path / "in", tmp_path / "out", Options(**chosen)).complete
    hospital = tmp_path / "out-hospital-only"
    header = json.loads((hospital / NAME).read_text().splitlines()[0])
    assert header["pseudonym_key"] == "../my.key" and "5e5e5e" not in json.dumps(header)
    before, item = headers(tmp_path / "out")["one"], next(i for i in load_queue(hospital) if i.case == "one")
    monkeypatch.chdir("/")
    _volume, mask = open_case(item)
    fixed = correct(hospital, item, mask.stored > 0, mask.geometry)
    assert pydicom.dcmread(next(fixed.outputs[0].iterdir())).PatientID == before.PatientID
    assert not (hospital / "uids.key").exists()

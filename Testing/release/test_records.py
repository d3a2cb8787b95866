"""The record tells the truth, holds no identity, and lies outside of the release folder; so does the report."""

import json
import os
import re
from html import escape
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.errors import ChecksFailed, InputError, MissingPackages
from CTADefaceLib.face.survey import surveyed
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.files.write import write_new
from CTADefaceLib.release.hospital_folder import new_record_path, records_folder
from CTADefaceLib.release.outgoing import CaseMask, Outgoing, Scan
from CTADefaceLib.release.record import edits, make_record, voxels_sha256
from CTADefaceLib.release.report import picture_path, report_page
from helpers.paths import RESOURCES

SCHEMA = json.loads((RESOURCES / "record.schema.json").read_text())
NAME = "DOE^JANE_19700101"


def valid(record):
    jsonschema.Draft202012Validator(SCHEMA).validate(record)
    return record


@pytest.fixture(scope="module")
def released(small_cranium, tmp_path_factory):
    """(result, record, folder) of a real head with a telling file name."""
    import SimpleITK as sitk

    folder = tmp_path_factory.mktemp("case")
    sitk.WriteImage(small_cranium, str(folder / f"{NAME}.nii.gz"))
    result = deface_file(folder / f"{NAME}.nii.gz", folder / "release", Options(report=True, picture=True))
    return result, json.loads(Path(result.record).read_text()), folder


def test_record_follows_its_schema_and_names_model_and_settings(released):
    result, record, _ = released
    valid(record)
    assert record["status"] == "released" and record["model"]["name"] == "head-3mm"
    card = (RESOURCES / "Model/head-3mm/MODEL_CARD.md").read_text()
    assert record["model"]["sha256"] in card
    assert record["settings"]["fill"] == "levelled" and record["settings"]["fill_hu"] == result.fill_hu
    assert record["checks"][-1]["name"] == "written_file" and len(record["checks"]) == 28
    with pytest.raises(jsonschema.ValidationError):
        valid(record | {"patient": "x"})


def test_hashes_are_those_of_the_voxels_in_the_files(released):
    result, record, folder = released
    before, after = read_volume(folder / f"{NAME}.nii.gz"), read_volume(result.defaced)
    assert record["input"]["voxels_sha256"] == voxels_sha256(before.stored)
    assert record["output"]["voxels_sha256"] == voxels_sha256(after.stored) != voxels_sha256(before.stored)
    assert record["output"]["changed_voxels"] == np.count_nonzero(before.stored != after.stored)
    assert voxels_sha256(after.stored) == voxels_sha256(after.stored.astype(">i2"))


def test_a_report_that_fails_leaves_the_case_released_and_known(released, tmp_path, monkeypatch):
    monkeypatch.setattr("CTADefaceLib.release.report.write_report", lambda *_: 1 / 0)
    result = deface_file(released[2] / f"{NAME}.nii.gz", tmp_path / "release", Options(report=True))
    assert result.status == "defaced" and Path(result.defaced).is_file() and Path(result.record).is_file()
    assert result.report is None and "was released, but the report could not be written" in result.error


@pytest.mark.parametrize("asked", ["report", "picture"])
def test_pictures_without_vtk_are_refused_before_anything_is_done(released, tmp_path, monkeypatch, asked):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackages, match="vtk"):
        deface_file(released[2] / f"{NAME}.nii.gz", tmp_path / "release", Options(**{asked: True}))
    assert not list(tmp_path.iterdir())


def test_the_picture_lies_beside_its_record_for_the_owner_only(released):
    import SimpleITK as sitk

    result, _, folder = released
    picture = Path(result.picture)
    assert picture == folder / "release-hospital-only" / f"{NAME}_before_after.png"
    assert os.name != "posix" or picture.stat().st_mode & 0o777 == 0o600
    drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(picture))).astype(int)
    above, below = drawn[: len(drawn) // 2 - 2], drawn[len(drawn) // 2 + 2 :]
    assert above.shape == below.shape and (np.abs(above - below).sum(2) > 60).mean() > 0.02
    assert picture_path(picture.with_name("a_record_b_record_12.json")).name == "a_record_b_before_after_12.png"
    assert picture_path(picture.with_name("other.json")).name == "other_before_after.png"


def test_a_limit_stands_beside_every_number_and_says_what_the_verdict_says(released):
    _, record, _ = released
    compared = [check for check in record["checks"] if check["value"] is not None and check["name"] != "head_found"]
    assert len(compared) > 20 and all(check["limit"] for check in compared)
    simple = re.compile(r"(warns|fails) (above|below) ([\d.]+)( %)?")
    for check in compared:
        reached = {"pass"}
        for verdict, side, number, share in simple.findall(check["limit"].partition(";")[0]):
            number = float(number) / (100 if share else 1)
            if check["value"] > number if side == "above" else check["value"] < number:
                reached.add(verdict.removesuffix("s"))
        gravest = next(verdict for verdict in ("fail", "warn", "pass") if verdict in reached)
        assert gravest == check["verdict"], check


def test_the_report_begins_with_what_a_person_must_look_at(released):
    result, record, _ = released
    page = Path(result.report).read_text(encoding="utf-8")
    verdicts = [word.partition("</span>")[2] for word in re.findall(r'<td class="verdict">(.*?)</td>', page)]
    assert verdicts == sorted(verdicts, key=("fail", "warn", "not applicable", "pass").index)
    assert len(verdicts) == len(record["checks"]) and "warn" in verdicts
    assert page.index("Checks to look at") < page.index("Before and after") < page.index("Checks that passed")
    for check in record["checks"]:
        assert escape(check["limit"] or "") in page
    assert f"Checks: {verdicts.count('warn')} with a warning" in page
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert [caption.split(",")[0] for caption in captions] == ["axial"] * 3 + ["sagittal"] * 3
    assert page.count("data:image/png;base64,") == 8


def test_the_same_goes_for_studies_batches_and_the_demo(released, tmp_path, monkeypatch, capsys):
    from CTADefaceLib.batch.run_batch import run_batch
    from CTADefaceLib.cli.main import main
    from CTADefaceLib.dicom.deface_study import deface_dicom
    from helpers import dicom_maker as maker

    maker.write_series(tmp_path / "in", maker.sparse())
    monkeypatch.setattr("CTADefaceLib.release.report.importlib.util.find_spec", lambda name: None)
    for run in (deface_dicom, run_batch):
        with pytest.raises(MissingPackages, match="vtk"):
            run(tmp_path / "in", tmp_path / "out", Options(report=True))
    monkeypatch.setattr("CTADefaceLib.files.public_head.public_head", lambda: pytest.fail("fetched before asking for vtk"))
    assert main(["demo", "-o", str(tmp_path / "demo"), "--quiet"]) == 6
    assert "vtk" in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_demo_whose_picture_cannot_be_drawn_names_what_it_wrote(released, tmp_path, monkeypatch, capsys):
    from CTADefaceLib.cli.main import main
    from CTADefaceLib.errors import DeviceError

    def no_picture(*_, **__):
        raise DeviceError("no OpenGL here")

    monkeypatch.setattr("CTADefaceLib.rendering.pictures.before_after_png", no_picture)
    assert main(["demo", str(released[2] / f"{NAME}.nii.gz"), "-o", str(tmp_path), "--quiet"]) == 5
    said = capsys.readouterr()
    assert "OpenGL" in said.out and str(tmp_path / "hospital-only" / f"{NAME}_record.json") in said.out


def test_no_identity_in_the_record_and_no_original_in_the_release_folder(released):
    result, record, folder = released
    assert not re.search("DOE|JANE|1970|" + str(folder), json.dumps(record))
    assert [p.name for p in (folder / "release").iterdir()] == [f"{NAME}_defaced.nii.gz"]
    assert Path(result.record).parent == Path(result.report).parent == folder / "release-hospital-only"
    page = Path(result.report).read_text()
    assert not re.search("DOE.JANE", page) and "data:image/png;base64,iVBOR" in page and "For the hospital only" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_records_are_kept_and_never_replaced(released):
    _, _, folder = released
    again = deface_file(folder / f"{NAME}.nii.gz", folder / "release", Options(overwrite=True, record_names=True))
    assert Path(again.record).name == f"{NAME}_record_2.json"
    assert valid(json.loads(Path(again.record).read_text()))["names"]["input"] == f"{NAME}.nii.gz"


def test_a_blocked_case_has_a_record_that_says_so(released, tmp_path):
    _, _, folder = released
    source = read_volume(folder / f"{NAME}.nii.gz")
    mask = np.zeros(source.stored.shape, np.uint8)
    mask[5:15, 20:60, 20:60] = 1
    write_new(mask, source.geometry, tmp_path / "mask.nii.gz")
    options = Options(
        mask=str(tmp_path / "mask.nii.gz"), fill="air", override={"nose": "bandaged", "bone": "in vain"}, by="Dr Who"
    )
    with pytest.raises(ChecksFailed) as caught:
        deface_file(folder / f"{NAME}.nii.gz", tmp_path / "out", options)
    record = valid(json.loads(caught.value.record.read_text()))
    assert record["status"] == "blocked" and record["model"] is None
    assert {"check": "nose", "reason": "bandaged", "by": "Dr Who"} in record["overrides"]
    assert "nose" not in [check.name for check in caught.value.checks]
    assert list((tmp_path / "out").glob("*")) == []


def test_edits_are_counted(head):
    proposal = np.zeros((4, 4, 4), bool)
    proposal[:2] = True
    mask = proposal.copy()
    mask[0, 0, :3], mask[3, 0, 0] = False, True
    assert edits(mask, proposal) == {
        "edited": True,
        "added_voxels": 1,
        "removed_voxels": 3,
        "dice": round(2 * 29 / (30 + 32), 6),
    }
    assert edits(mask, mask) == {"edited": False, "added_voxels": 0, "removed_voxels": 0, "dice": 1.0}


def test_records_cannot_lie_in_the_release_folder(tmp_path):
    release = tmp_path / "release"
    assert records_folder(release) == tmp_path / "release-hospital-only"
    for inside in (release, release / "deep" / "er"):
        with pytest.raises(InputError, match="hospital"):
            records_folder(release, inside)
    assert records_folder(release, tmp_path / "releases") == tmp_path / "releases"
    release.mkdir()
    (release / "a_record.json").touch()
    assert new_record_path(release, "a").name == "a_record_2.json"


def test_report_escapes_what_people_type(head, parts):
    from CTADefaceLib.checks.check import Check

    mask = parts[1].copy()
    checks = [Check("nose", "fail", 0.1, "share", "<b>10 %</b>")]
    outgoing = Outgoing(
        Scan(head, surveyed(head)),
        CaseMask(np.ascontiguousarray(mask), "file"),
        head.stored,
        -1000,
        "air",
        {"nose": "<script>x</script>"},
        "A & B",
    )
    outgoing.checks = checks
    record = make_record(outgoing)
    page = report_page(valid(record), b"png")
    assert "<script>" not in page and "<b>10" not in page and "A &amp; B" in page

"""``--keep`` and ``keep=``: files and arrays of structures, the record, and what is refused."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib import Geometry, deface, fill_face
from CTADefaceLib.cases.keep import keep_files
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import ChecksFailed, CTADefaceError, InputError, MaskError
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.release.report import report_page
from helpers import phantom
from helpers.paths import RESOURCES


def image_of(mask):
    return phantom.image(np.asarray(mask, np.uint8))


@pytest.fixture(scope="module")
def structures(parts):
    """{name: bool (S, A, R) of the synthetic head}: inside of the face's mask, at its skin, and far from it."""
    face = np.argwhere(parts[1])
    middle, front = face.mean(0).astype(int), face[:, 1].max()
    found = {name: np.zeros(parts[0].shape, bool) for name in ("deep", "skin", "far")}
    # Where the mask is thickest, from behind it into its rear.
    thick = np.unravel_index(parts[1].sum(1).argmax(), parts[1].shape[::2])
    rear = parts[1][thick[0], :, thick[1]].argmax()
    found["deep"][thick[0] - 1 : thick[0] + 2, rear - 4 : rear + 2, thick[1] - 1 : thick[1] + 2] = True
    found["skin"][middle[0] - 6 : middle[0] + 6, front - 8 : front + 1, middle[2] - 6 : middle[2] + 6] = True
    found["far"][middle[0] - 3 : middle[0] + 3, 10:16, middle[2] - 3 : middle[2] + 3] = True
    return found


@pytest.fixture(scope="module")
def files(structures, scan):
    """{name: path}, also of a labelmap with the structures as 1, 2 and 3."""
    folder, labels = phantom_folder(scan), np.zeros(structures["far"].shape, np.uint8)
    found = {}
    for number, (name, mask) in enumerate(structures.items(), 1):
        labels[mask] = number
        found[name] = str(folder / f"Doe^Jane {name}.nii.gz")
        sitk.WriteImage(image_of(mask), found[name])
    found["labels"] = str(folder / "labels.nrrd")
    sitk.WriteImage(image_of(labels), found["labels"])
    return found


def phantom_folder(scan):
    return scan[0].parent


def record_of(path):
    import jsonschema

    record = json.loads(path.read_text())
    jsonschema.validate(record, json.loads((RESOURCES / "record.schema.json").read_text()))
    return record


def checks_of(record):
    return {check["name"]: check for check in record["checks"]}


def test_the_shell_keeps_structures_and_the_record_tells_how_much(scan, files, structures, tmp_path, parts):
    arguments = ["run", str(scan[0]), "-o", str(tmp_path / "out"), "--mask", scan[1], "--no-second-opinion", "--quiet"]
    assert main([*arguments, "--keep", files["deep"], "--keep", f"{files['labels']}:3"]) == 0
    after = read_volume(tmp_path / "out" / "head_defaced.nii.gz").stored
    before = read_volume(scan[0]).stored
    for name in ("deep", "far"):
        assert np.array_equal(after[structures[name]], before[structures[name]])
    record = record_of(tmp_path / "out-hospital-only" / "head_record.json")
    deep, far = record["kept"]["structures"]
    spared = int((structures["deep"] & parts[1]).sum())
    assert (deep["name"], far["name"]) == ("keep 1", "keep 2") and far["spared_ml"] == 0 < deep["spared_ml"] < deep["ml"]
    assert deep["voxels"] == structures["deep"].sum() and record["kept"]["spared_voxels"] == spared > 0
    assert record["mask"]["voxels"] == parts[1].sum() and "Jane" not in json.dumps(record)
    assert checks_of(record)["kept"]["text"].startswith("keep 1, keep 2: ")
    page = report_page(record, b"")
    assert "keep 1 (" in page and "of the mask were not filled" in page


def test_skin_that_is_kept_stops_the_export_until_a_person_says_why(scan, files, tmp_path):
    options = Options(mask=scan[1], keep=(files["skin"],), second_opinion=False, record_names=True)
    with pytest.raises(ChecksFailed) as caught:
        deface_file(scan[0], tmp_path / "out", options)
    assert [check.name for check in caught.value.checks] == ["kept"] and not list((tmp_path / "out").glob("*"))
    assert record_of(caught.value.record)["kept"]["structures"][0]["name"] == "Doe^Jane skin.nii.gz"
    options = Options(mask=scan[1], keep=(files["skin"],), second_opinion=False, override={"kept": "target volume"}, by="me")
    result = deface_file(scan[0], tmp_path / "out", options)
    assert result.status == "defaced" and record_of(tmp_path / "out-hospital-only" / "head_record_2.json")["overrides"]


def test_python_takes_one_mask_several_or_named_ones(scan, structures, parts):
    image, mask = sitk.ReadImage(str(scan[0])), sitk.ReadImage(scan[1])
    given = [
        image_of(structures["deep"]),
        image_of(structures["far"]),
        (structures["far"].astype(np.uint8), Geometry.from_image(image)),
    ]
    filled = sitk.GetArrayFromImage(fill_face(image, mask, "air", keep=given))
    either = structures["deep"] | structures["far"]
    assert np.array_equal(filled[either], parts[0][either]) and (filled[parts[1] & ~either] == -1000).all()
    result = deface(image, mask, second_opinion=False, keep={"orbit": image_of(structures["deep"])})
    kept = next(check for check in result.checks if check.name == "kept")
    assert kept.verdict in ("pass", "warn") and kept.text.startswith("orbit: ")
    with pytest.raises(ChecksFailed, match="kept"):
        deface(image, mask, second_opinion=False, keep=image_of(structures["skin"]))
    assert deface(image, mask, second_opinion=False).checks[-1].name == "outside"


def test_a_file_of_another_grid_an_empty_one_and_one_that_holds_the_face_are_refused(scan, files, tmp_path, parts):
    image = image_of(parts[1])
    for name, change in (
        ("moved", lambda one: one.SetOrigin([5.0, 0.0, 0.0])),
        ("empty", lambda one: one.CopyInformation(image)),
        ("BODY", lambda one: None),
    ):
        one = (
            image_of(parts[0] > -300) if name == "BODY" else image_of(np.zeros_like(parts[1]) if name == "empty" else parts[1])
        )
        change(one)
        sitk.WriteImage(one, str(tmp_path / f"{name}.nii.gz"))
        with pytest.raises(MaskError, match=f"{name}.nii.gz: "):
            deface_file(
                scan[0], tmp_path / "out", Options(mask=scan[1], second_opinion=False, keep=(f"{tmp_path}/{name}.nii.gz",))
            )
    for text in (f"{files['labels']}:7", f"{files['labels']}:GTV", str(tmp_path / "none.nii.gz")):
        with pytest.raises(CTADefaceError, match=r"none\.nii\.gz|labels\.nrrd"):
            deface_file(scan[0], tmp_path / "out", Options(mask=scan[1], keep=(text,)))
    assert not (tmp_path / "out").exists()


def test_structures_of_one_case_are_not_used_for_others(scan, files, tmp_path, capsys):
    for arguments, words in (
        (["run", str(scan[0]), str(scan[0]), "-o", "out", "--keep", files["deep"]], "give one INPUT"),
        (["run", str(scan[0]), "-o", "out", "--mask-only", "--keep", files["deep"]], "--mask-only"),
        (["batch", str(tmp_path), str(tmp_path / "out"), "--keep", files["deep"]], "cta-deface run --keep"),
    ):
        assert main([*arguments, "--quiet"]) == 2
        assert words in capsys.readouterr().err


def test_a_colon_may_belong_to_the_path(tmp_path):
    path = tmp_path / "a:1.nrrd"
    path.touch()
    assert keep_files([str(path), f"{path}:2, 3"]) == [(path, []), (path, ["2", "3"])]
    with pytest.raises(InputError, match="no such file"):
        keep_files([f"{tmp_path}/b:1.nrrd"])

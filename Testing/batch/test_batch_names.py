"""What a batch calls its results: numbers, because names of files and folders are released; the head is synthetic."""

import json
import shutil

import pytest

from CTADefaceLib.batch.choice import Choice
from CTADefaceLib.batch.correct import correct, open_case, reject
from CTADefaceLib.batch.find import Case
from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.batch.numbering import may_be_labelmap, numbered_cases
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import InputError

PATIENTS = ("smith_john_19700101/head.nii.gz", "doe_jane/ct/head.nii.gz")


@pytest.fixture
def batch(scan, tmp_path):
    """``batch(names=None)`` runs the patients of the folder ``in`` with the true mask; returns the ``Summary``."""
    for name in PATIENTS:
        add(scan, tmp_path, name)

    def run(names=None, **options):
        return run_batch(tmp_path / "in", tmp_path / "out", Options(mask=scan[1], **options), choice=Choice(names=names))

    return run


def add(scan, folder, name):
    path = folder / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(scan[0], path)


def released(folder):
    return sorted(path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*"))


def called(folder):
    entries = Manifest(folder / "out-hospital-only" / NAME).read()[1]
    return {case: entry.get("released_as") for case, entry in entries.items()}


def test_nothing_that_is_released_names_a_patient_and_the_manifest_tells_who_is_who(batch, scan, tmp_path):
    assert batch().complete
    assert released(tmp_path) == ["case-0001_defaced.nii.gz", "case-0002_defaced.nii.gz"]
    assert called(tmp_path) == {"doe_jane/ct/head.nii.gz": "case-0001", "smith_john_19700101/head.nii.gz": "case-0002"}
    # A packed file may name the file that was packed.
    assert all(b"smith" not in path.read_bytes() and b"head" not in path.read_bytes() for path in (tmp_path / "out").iterdir())
    kept = sorted(path.name for path in (tmp_path / "out-hospital-only").glob("case-*"))
    assert kept == [
        f"case-000{n}_{what}" for n in (1, 2) for what in ("facemask.nii.gz", "record.json", "record_thumbnail.png")
    ]
    for item in load_queue(tmp_path / "out-hospital-only"):
        number = called(tmp_path)[item.case]
        assert [path.name for path in (*item.outputs, item.mask, item.record)] == [
            f"{number}_{what}" for what in ("defaced.nii.gz", "facemask.nii.gz", "record.json")
        ]
    # The number stays, whatever comes between; what is new gets a new one.
    add(scan, tmp_path, "abel/head.nii.gz")
    assert batch().complete
    assert called(tmp_path)["abel/head.nii.gz"] == "case-0003" and called(tmp_path)["doe_jane/ct/head.nii.gz"] == "case-0001"
    with pytest.raises(InputError, match="with numbered names, not with plain names"):
        batch("plain")
    # What a person decides is carried out in the files of that number, also in what a killed correction left.
    kept = tmp_path / "out-hospital-only"
    first, second, _third = load_queue(kept)
    _volume, mask = open_case(first)
    fixed = correct(kept, first, mask.as_mask(), mask.geometry)
    assert (fixed.review, fixed.outputs, fixed.mask) == ("corrected", first.outputs, first.mask)
    assert fixed.record.name == "case-0001_record_2.json" and (kept / "case-0001_record_2_thumbnail.png").is_file()
    Manifest(kept / NAME).add({"case": second.case, "outputs": []})
    reject(kept, load_queue(kept)[1])
    assert released(tmp_path) == ["case-0001_defaced.nii.gz", "case-0003_defaced.nii.gz"]


def test_plain_names_keep_the_tree_and_so_do_batches_of_earlier_versions(batch, scan, tmp_path):
    (tmp_path / "in" / PATIENTS[0]).unlink()
    assert batch("plain").complete
    names = ["doe_jane/ct/head_defaced.nii.gz"]
    assert [name for name in released(tmp_path) if name.endswith(".gz")] == names
    assert set(called(tmp_path).values()) == {None}
    path = tmp_path / "out-hospital-only" / NAME
    first, *lines = path.read_text().splitlines()
    old = {key: value for key, value in json.loads(first).items() if key != "names"}
    path.write_text("\n".join([json.dumps(old), *lines]) + "\n")
    add(scan, tmp_path, "abel/head.nii.gz")
    assert batch().complete
    assert [name for name in released(tmp_path) if name.endswith(".gz")] == ["abel/head_defaced.nii.gz", *names]
    with pytest.raises(InputError, match="with plain names, not with numbered names"):
        batch("numbered")


def test_a_bids_dataset_keeps_its_names(scan, tmp_path, capsys):
    add(scan, tmp_path, "sub-1/ct/sub-1_ct.nii.gz")
    (tmp_path / "in" / "dataset_description.json").write_text('{"Name": "Heads", "BIDSVersion": "1.10.0"}')
    arguments = ["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet"]
    assert main([*arguments, "--names", "numbered"]) != 0
    assert "BIDS dataset, which keeps its names" in capsys.readouterr().err and not (tmp_path / "out").exists()
    # Described later, a tree that was begun with numbers is not continued with names.
    Manifest(tmp_path / "out-hospital-only" / NAME).add(
        {"manifest": 1, "input": "../in", "output": "../out", "names": "numbered", "fill": "levelled"}
    )
    with pytest.raises(InputError, match="with numbered names, not with bids names"):
        run_batch(tmp_path / "in", tmp_path / "out", Options(mask=scan[1]))
    shutil.rmtree(tmp_path / "out-hospital-only")
    assert run_batch(tmp_path / "in", tmp_path / "out", Options(mask=scan[1])).complete
    assert "sub-1/ct/sub-1_desc-defaced_ct.nii.gz" in released(tmp_path)


def test_labelmaps_take_no_number_from_the_scans():
    names = ["a/image.nii", "a/mask.nii", "b/ct_seg.nrrd", "b/ct.nrrd", "labels/c.nii", "masked.nii"]
    assert [name for name in names if may_be_labelmap(name)] == ["a/mask.nii", "b/ct_seg.nrrd", "labels/c.nii"]
    given = {"b/ct.nrrd": {"released_as": "case-0001"}, "gone.nii": {"released_as": "case-0003"}}
    cases = numbered_cases([Case(name, "x", "x") for name in names], given)
    assert {case.id: case.called for case in cases} == {
        "b/ct.nrrd": "case-0001",
        "a/image.nii": "case-0002",
        "masked.nii": "case-0004",
        "a/mask.nii": "case-0005",
        "b/ct_seg.nrrd": "case-0006",
        "labels/c.nii": "case-0007",
    }
    assert {(case.folder, case.kept) for case in cases} == {(".", ".")}

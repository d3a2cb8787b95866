"""Where masks, records, reports and manifests lie, and what the folder that is given away must not hold."""

import json
import os
import sys
from pathlib import Path

import pytest

from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import HospitalFolderError, OutputError, PlaceError
from CTADefaceLib.files.storage.writable import refusal
from CTADefaceLib.release.hospital_folder import masks_folder, records_folder, require_apart
from helpers import dicom_maker as maker

GIVEN = ["--no-second-opinion", "--quiet"]
# What stands at the top of a BIDS derivative.
DATASET = (".bidsignore", "README.md", "dataset_description.json")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.fixture
def dataset(scan, tmp_path):
    """A BIDS dataset with one CT; returns its folder."""
    folder = tmp_path / "dataset"
    (folder / "sub-1" / "ct").mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "Heads", "BIDSVersion": "1.10.0"}')
    (folder / "sub-1" / "ct" / "sub-1_ct.nii.gz").write_bytes(scan[0].read_bytes())
    return folder


def test_one_option_names_the_place_of_all_that_stays_in_the_hospital(scan, tmp_path, capsys):
    kept = tmp_path / "kept"
    told = ["--hospital", str(kept), *GIVEN]
    assert main(["run", str(scan[0]), "-o", str(tmp_path / "out"), "--mask", scan[1], *told]) == 0
    assert names(kept) == ["head_facemask.nii.gz", "head_record.json"]
    maker.write_series(tmp_path / "study", maker.sparse())
    assert main(["run", str(tmp_path / "study"), "-o", str(tmp_path / "dicom"), "--mask", scan[1], *told]) == 0
    assert {"series_01_facemask.nii.gz", "series_01_record.json", "uids.key"} < set(names(kept))
    masks = str(tmp_path / "masks")
    assert main(["run", str(scan[0]), "-o", str(tmp_path / "two"), "--mask", scan[1], *told, "--masks", masks]) == 0
    assert names(masks) == ["head_facemask.nii.gz"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dicom", "kept", "masks", "out", "study", "two"]
    capsys.readouterr()


def test_a_batch_keeps_its_manifest_there_too(scan, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.nii.gz").write_bytes(b"no volume")
    command = ["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet", "--hospital"]
    assert main([*command, str(tmp_path / "kept")]) == 4
    assert names(tmp_path / "kept") == ["batch.jsonl", "batch.lock", "overview.html", "summary.csv"]
    assert "kept" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "kept"]
    assert main([*command, str(tmp_path / "out" / "kept")]) == 2
    assert "must not lie in the release folder" in capsys.readouterr().err


def test_a_mask_alone_goes_there_too(scan, tmp_path, monkeypatch, capsys):
    from CTADefaceLib.cases import volume_file as case
    from CTADefaceLib.files.read import read_volume

    monkeypatch.setattr(case, "face_mask", lambda volume, *_: read_volume(scan[1]).as_mask())
    command = ["run", str(scan[0]), "-o", str(tmp_path / "out"), "--mask-only", "--quiet"]
    assert main([*command, "--hospital", str(tmp_path / "kept")]) == 0
    assert names(tmp_path) == ["kept/head_facemask.nii.gz"]
    capsys.readouterr()


@pytest.mark.parametrize("inside", [".", "kept", "a/b"])
def test_it_must_not_lie_in_the_release_folder(scan, tmp_path, capsys, inside):
    out = tmp_path / "out"
    told = ["--hospital", str(out / inside), *GIVEN]
    assert main(["run", str(scan[0]), "-o", str(out), "--mask", scan[1], *told]) == 2
    assert "must not lie in the release folder" in capsys.readouterr().out and not out.exists()


def test_a_release_folder_that_holds_the_original_or_its_mask_is_refused(scan, tmp_path, monkeypatch, capsys):
    (tmp_path / "scans" / "deep").mkdir(parents=True)
    original, mask = tmp_path / "scans" / "deep" / "head.nii.gz", tmp_path / "scans" / "drawn.nii.gz"
    original.write_bytes(scan[0].read_bytes())
    mask.write_bytes(Path(scan[1]).read_bytes())
    before = names(tmp_path)
    monkeypatch.chdir(tmp_path / "scans" / "deep")
    for out in (".", "..", str(tmp_path), str(tmp_path / "scans" / "deep")):
        assert main(["run", "head.nii.gz", "-o", out, "--mask", scan[1], *GIVEN]) == 2
        said = capsys.readouterr().out
        assert "is given away, and holds" in said and "head.nii.gz" in said
    assert main(["run", str(scan[0]), "-o", "..", "--mask", str(mask), *GIVEN]) == 2
    assert "drawn.nii.gz" in capsys.readouterr().out
    maker.write_series(tmp_path / "study", maker.sparse())
    assert main(["run", str(tmp_path / "study"), "-o", str(tmp_path / "scans"), "--mask", str(mask), *GIVEN]) == 2
    assert "drawn.nii.gz" in capsys.readouterr().out
    with pytest.raises(PlaceError, match="given away"):
        deface_file(original, tmp_path / "scans", Options(mask=scan[1]))
    assert [name for name in names(tmp_path) if not name.startswith("study")] == before
    # A folder of its own inside of it is none that holds it.
    assert main(["run", "head.nii.gz", "-o", "release", "--mask", scan[1], *GIVEN]) == 0
    assert names("release") == ["head_defaced.nii.gz"] and names("release-hospital-only")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_to_the_original_are_seen_through(scan, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link.nii.gz").symlink_to(scan[0])
    (tmp_path / "alias").symlink_to(tmp_path / "out")
    (tmp_path / "out" / "real.nii.gz").write_bytes(b"")
    (tmp_path / "elsewhere.nii.gz").symlink_to(tmp_path / "out" / "real.nii.gz")
    for path, folder in (("out/link.nii.gz", "out"), ("out/link.nii.gz", "alias"), ("elsewhere.nii.gz", "alias")):
        with pytest.raises(PlaceError, match="shows the face"):
            require_apart([tmp_path / path], tmp_path / folder)
    require_apart([scan[0], None], tmp_path / "out")


def test_here_is_a_release_folder_like_any_other(scan, tmp_path, monkeypatch, capsys):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert main(["run", str(scan[0]), "-o", ".", "--mask", scan[1], *GIVEN]) == 0
    assert names(tmp_path) == [
        "work-hospital-only/head_facemask.nii.gz",
        "work-hospital-only/head_record.json",
        "work/head_defaced.nii.gz",
    ]
    assert main(["run", str(scan[0]), "-o", os.sep, "--mask", scan[1], *GIVEN]) == 2
    said = capsys.readouterr().out
    assert "whole disk" in said and "unexpected" not in said


def test_masks_and_records_leave_the_dataset(dataset, scan, tmp_path, capsys):
    source, out = dataset / "sub-1" / "ct" / "sub-1_ct.nii.gz", dataset / "derivatives" / "faces"
    kept = tmp_path / "dataset-hospital-only" / "derivatives" / "faces"
    assert records_folder(out) == masks_folder(out) == kept and records_folder(dataset) == tmp_path / "dataset-hospital-only"
    before = names(dataset)
    assert main(["run", str(source), "-o", str(out), "--mask", scan[1], *GIVEN]) == 0
    assert names(kept) == ["sub-1_ct_facemask.nii.gz", "sub-1_ct_record.json"]
    assert set(names(dataset)) - set(before) == {"derivatives/faces/sub-1_ct_defaced.nii.gz"}
    for option in ("--hospital", "--masks"):
        inside = [option, str(dataset / "derivatives" / "kept"), "--overwrite"]
        assert main(["run", str(source), "-o", str(out), "--mask", scan[1], *GIVEN, *inside]) == 2
        assert "BIDS dataset" in capsys.readouterr().out


def test_a_batch_of_a_dataset_keeps_them_outside_and_goes_on_there(dataset, scan, tmp_path):
    out = dataset / "derivatives" / "faces"
    for _ in range(2):
        assert run_batch(dataset, out, Options(mask=scan[1], second_opinion=False)).complete
    assert names(out) == [*DATASET, "sub-1/ct/sub-1_desc-defaced_ct.nii.gz"]
    kept = tmp_path / "dataset-hospital-only" / "derivatives" / "faces"
    assert {"batch.jsonl", "sub-1/ct/sub-1_desc-face_mask.nii.gz"} < set(names(kept))
    assert not list(dataset.rglob("*hospital*"))
    lines = [json.loads(line) for line in (kept / "batch.jsonl").read_text().splitlines()]
    assert sum(line.get("status") == "started" for line in lines) == 1


def test_a_folder_is_tried_before_the_work_and_left_as_it_was(tmp_path):
    assert refusal(tmp_path) is refusal(tmp_path / "a" / "b") is None and not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    assert refusal(tmp_path / "file") == "is a file, not a folder"
    assert refusal(tmp_path / "file" / "a" / "b") == f"{tmp_path / 'file'} is a file, not a folder"
    (tmp_path / "file-hospital-only").write_text("")
    with pytest.raises(OutputError, match="file: is a file") as caught:
        deface_file("none.nii.gz", tmp_path / "file")
    assert not isinstance(caught.value, HospitalFolderError)
    (tmp_path / "out-hospital-only").write_text("")
    with pytest.raises(HospitalFolderError, match="masks and records"):
        deface_file("none.nii.gz", tmp_path / "out")

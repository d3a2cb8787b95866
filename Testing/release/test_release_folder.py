"""Nothing that shows the face or its shape lies in the folder that is given away, whichever way it was made."""

import json
import os
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import InputError
from CTADefaceLib.face.survey import surveyed
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.release.gate import Target, release
from CTADefaceLib.release.hospital_folder import mask_name, masks_folder
from CTADefaceLib.release.outgoing import CaseMask, Outgoing, Scan
from helpers import dicom_maker as maker
from helpers import phantom

# What stands at the top of a BIDS derivative.
DATASET = (".bidsignore", "README.md", "dataset_description.json")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_shell_and_python_put_the_mask_beside_the_record(scan, tmp_path, capsys):
    assert main(["run", str(scan[0]), "-o", str(tmp_path / "out"), "--mask", scan[1], "--quiet", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    deface_file(scan[0], tmp_path / "python", Options(mask=scan[1]))
    for folder in ("out", "python"):
        assert names(tmp_path / folder) == ["head_defaced.nii.gz"]
        assert names(tmp_path / (folder + "-hospital-only")) == ["head_facemask.nii.gz", "head_record.json"]
    assert said["mask"] == str(tmp_path / "out-hospital-only" / "head_facemask.nii.gz")
    assert np.array_equal(read_volume(said["mask"]).stored, read_volume(scan[1]).stored)


def test_masks_follow_the_records_and_go_where_they_are_told(scan, tmp_path):
    kept = deface_file(scan[0], tmp_path / "a", Options(mask=scan[1], records=str(tmp_path / "records")))
    assert kept.mask == str(tmp_path / "records" / "head_facemask.nii.gz")
    told = deface_file(scan[0], tmp_path / "b", Options(mask=scan[1], masks=str(tmp_path / "masks")))
    assert told.mask == str(tmp_path / "masks" / "head_facemask.nii.gz")
    assert names(tmp_path / "b-hospital-only") == ["head_record.json"]


@pytest.mark.parametrize("inside", ["", "masks", "a/b"])
def test_a_folder_of_masks_in_the_release_folder_is_refused_before_any_work(scan, tmp_path, capsys, inside):
    out = tmp_path / "out"
    told = ["--masks", str(out / inside), "--quiet"]
    maker.write_series(tmp_path / "study", maker.sparse())
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "head.nii.gz").write_bytes(scan[0].read_bytes())
    for source in (scan[0], tmp_path / "study"):
        assert main(["run", str(source), "-o", str(out), "--mask", scan[1], *told]) == 2
        assert "must not lie in the release folder" in capsys.readouterr().out
    assert main(["batch", str(tmp_path / "tree"), str(out), *told]) == 2
    assert "must not lie in the release folder" in capsys.readouterr().err
    assert main(["demo", str(scan[0]), "-o", str(out), "--masks", str(out / "release" / inside), "--quiet"]) == 2
    assert "must not lie in the release folder" in capsys.readouterr().out
    assert not out.exists() and not (tmp_path / "out-hospital-only").exists()


def test_the_gate_itself_refuses_a_mask_in_the_release_folder(head, parts, tmp_path):
    mask = np.ascontiguousarray(parts[1])
    outgoing = Outgoing(Scan(head, surveyed(head)), CaseMask(mask, "file"), head.stored, -1000, "air")
    for path in (tmp_path / "out" / "x_facemask.nii.gz", tmp_path / "out" / "deep" / "x_facemask.nii.gz"):
        with pytest.raises(InputError, match="release folder"):
            release(outgoing, Target(tmp_path / "out" / "x_defaced.nii.gz", path), None)
    with pytest.raises(InputError, match="release folder"):
        release(
            outgoing,
            Target(
                tmp_path / "out" / "a" / "x_defaced.nii.gz", tmp_path / "out" / "x_facemask.nii.gz", whole=tmp_path / "out"
            ),
            None,
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_into_the_release_folder_is_seen_through(tmp_path):
    (tmp_path / "out" / "deep").mkdir(parents=True)
    os.symlink(tmp_path / "out" / "deep", tmp_path / "elsewhere")
    os.symlink(tmp_path / "out", tmp_path / "alias")
    for release_folder, masks in ((tmp_path / "out", tmp_path / "elsewhere"), (tmp_path / "alias", tmp_path / "out" / "m")):
        with pytest.raises(InputError, match="release folder"):
            masks_folder(release_folder, masks)
    assert masks_folder(tmp_path / "out", tmp_path / "outer") == tmp_path / "outer"


def test_mask_only_gives_nothing_away_and_goes_to_the_output(scan, tmp_path, monkeypatch):
    from CTADefaceLib.cases import volume_file as case

    monkeypatch.setattr(case, "face_mask", lambda volume, *_: read_volume(scan[1]).as_mask())
    alone = deface_file(scan[0], tmp_path / "masks", Options(mask_only=True))
    assert alone.mask == str(tmp_path / "masks" / "head_facemask.nii.gz")
    told = deface_file(scan[0], tmp_path / "out", Options(mask_only=True, masks=str(tmp_path / "out" / "masks")))
    assert names(tmp_path / "out") == ["masks/head_facemask.nii.gz"] and told.defaced is None


@pytest.mark.parametrize("left", ["head_facemask.nii.gz", "series_01_facemask.nii.gz"])
def test_a_mask_that_an_earlier_run_left_in_the_release_folder_stops_the_next_one(scan, tmp_path, left):
    """Such as a run of --mask-only into this folder, or one of a version that wrote both there."""
    source = scan[0]
    if left.startswith("series"):
        source = tmp_path / "study"
        maker.write_series(source, maker.sparse())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / left).write_bytes(b"a mask")
    command = ["run", str(source), "-o", str(tmp_path / "out"), "--mask", scan[1], "--quiet", "--overwrite"]
    assert main(command) == 2 and names(tmp_path / "out") == [left]
    (tmp_path / "out" / left).rename(tmp_path / left)
    assert main(command) == 0 and not [name for name in names(tmp_path / "out") if "facemask" in name]


def test_a_blocked_run_leaves_its_mask_and_the_next_one_takes_another_name(scan, parts, tmp_path):
    half = parts[1].copy()
    half[:, :, 32:] = False
    mask = tmp_path / "half.nii.gz"
    sitk.WriteImage(phantom.image(half.astype(np.uint8)), str(mask))
    command = ["run", str(scan[0]), "-o", str(tmp_path / "out"), "--quiet"]
    kept = tmp_path / "out-hospital-only"
    for _ in range(2):
        # A record that would say the same is not written again.
        assert main([*command, "--mask", str(mask)]) == 3
        assert names(kept) == ["head_facemask.nii.gz", "head_record.json"]
    sitk.WriteImage(phantom.image((parts[1] & ~half).astype(np.uint8)), str(tmp_path / "other.nii.gz"))
    assert main([*command, "--mask", str(tmp_path / "other.nii.gz")]) == 3
    assert names(kept) == ["head_facemask.nii.gz", "head_record.json", "head_record_2.json"]
    assert main([*command, "--mask", scan[1]]) == 0
    assert "head_facemask_2.nii.gz" in names(kept) and names(tmp_path / "out") == ["head_defaced.nii.gz"]
    assert np.array_equal(read_volume(kept / "head_facemask.nii.gz").as_mask(), read_volume(mask).as_mask())
    assert main([*command, "--mask", scan[1], "--overwrite"]) == 0
    assert np.array_equal(read_volume(kept / "head_facemask.nii.gz").as_mask(), read_volume(scan[1]).as_mask())


def test_a_batch_of_files_studies_and_bids_gives_nothing_but_volumes(scan, tmp_path):
    tree = tmp_path / "in"
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "head.nii.gz").write_bytes(scan[0].read_bytes())
    mask = Options(mask=scan[1])
    assert run_batch(tree, tmp_path / "out", mask).complete
    assert names(tmp_path / "out") == ["case-0001_defaced.nii.gz"]
    assert "case-0001_facemask.nii.gz" in names(tmp_path / "out-hospital-only")
    maker.write_series(tmp_path / "studies" / "one", maker.sparse())
    assert run_batch(tmp_path / "studies", tmp_path / "dicom", mask).complete
    assert all(name.startswith("study_0001/series_01/") and name.endswith(".dcm") for name in names(tmp_path / "dicom"))
    bids = tmp_path / "bids"
    (bids / "sub-1" / "ct").mkdir(parents=True)
    (bids / "dataset_description.json").write_text('{"Name": "Heads", "BIDSVersion": "1.10.0"}')
    (bids / "sub-1" / "ct" / "sub-1_ct.nii.gz").write_bytes(scan[0].read_bytes())
    assert run_batch(bids, tmp_path / "shared", Options(mask=scan[1], masks=str(tmp_path / "masks"))).complete
    assert names(tmp_path / "shared") == [*DATASET, "sub-1/ct/sub-1_desc-defaced_ct.nii.gz"]
    assert names(tmp_path / "masks") == ["sub-1/ct/sub-1_desc-face_mask.nii.gz"]


def test_names_of_masks():
    assert mask_name("release/head_defaced.nii.gz") == "head_facemask.nii.gz"
    assert mask_name("head.v2.nrrd") == "head.v2_facemask.nrrd"
    assert mask_name("head_facemask.mha") == "head_facemask.mha"
    assert mask_name("out/series_01", ".nii.gz") == "series_01_facemask.nii.gz"


def test_what_was_used_and_what_was_written_are_told_apart(scan, tmp_path, capsys):
    """A mask's path is no model's name."""
    result = deface_file(scan[0], tmp_path / "out", Options(mask=scan[1]))
    assert result.model is None and result.given_mask == scan[1] and result.mask != scan[1]
    known = Options(mask=scan[1], proposal=scan[1], proposed_by={"name": "head-3mm", "sha256": "0" * 64}, overwrite=True)
    assert deface_file(scan[0], tmp_path / "out", known).model == "head-3mm"
    maker.write_series(tmp_path / "study", maker.sparse())
    command = ["run", str(tmp_path / "study"), "-o", str(tmp_path / "dicom"), "--mask", scan[1], "--quiet"]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["model"] is None and said["given_mask"] == scan[1]
    assert main([*command, "--overwrite"]) == 0 and f"ml, {scan[1]}" in capsys.readouterr().out

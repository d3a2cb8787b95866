"""The BIDS App: which CTs its labels choose, what it refuses, and a dataset defaced by the real engine."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from CTADefaceLib import __version__
from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.cli import exit_codes
from CTADefaceLib.cli.bids_app import chosen_folders, main

CASES = (
    "sub-01/ses-1/ct/sub-01_ses-1_ct.nii.gz",
    "sub-01/ses-2/ct/sub-01_ses-2_cta.nii.gz",
    "sub-02/ses-2/ct/sub-02_ses-2_ct.nii.gz",
    "sub-010/ct/sub-010_ct.nii.gz",
)
# What stands at the top of a BIDS derivative.
DATASET = (".bidsignore", "README.md", "dataset_description.json")
RAW = {"Name": "Strokes", "BIDSVersion": "1.9.0", "License": "CC0"}


@pytest.fixture
def dataset(tmp_path, head_file):
    """A BIDS dataset with the public head in each place of ``CASES``, and the folder of a participant without a CT."""
    for case in CASES:
        path = tmp_path / "bids" / case
        path.parent.mkdir(parents=True)
        path.symlink_to(head_file)
    (tmp_path / "bids" / "sub-03" / "anat").mkdir(parents=True)
    (tmp_path / "bids" / "sub-03" / "anat" / "sub-03_T1w.nii.gz").symlink_to(head_file)
    (tmp_path / "bids" / "dataset_description.json").write_text(json.dumps(RAW))
    return tmp_path / "bids"


@pytest.fixture(scope="module")
def head_file(small_cranium, tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "head.nii.gz"
    sitk.WriteImage(small_cranium, str(path))
    return path


def would_run(capsys, dataset, *labels):
    """The cases that a dry run with the labels would run."""
    assert main([str(dataset), str(dataset.parent / "out"), "participant", *labels, "--dry-run", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line["case"] for line in lines[:-1] if line["why_not"] is None]


@pytest.mark.parametrize(
    "labels, chosen",
    [
        ([], CASES),
        (["--participant-label", "01"], CASES[:2]),
        (["--participant_label", "sub-02", "010"], CASES[2:]),
        (["--participant-label", "01", "--participant-label", "sub-02/"], CASES[:3]),
        (["--session-label", "2"], CASES[1:3]),
        (["--participant-label", "01", "--session_label", "ses-1"], CASES[:1]),
        (["--participant-label", "01", "02", "--session-label", "1"], CASES[:1]),
    ],
)
def test_labels_choose_whole_participants_and_sessions(dataset, labels, chosen, capsys):
    assert sorted(would_run(capsys, dataset, *labels)) == sorted(chosen)
    assert not (dataset.parent / "out").exists()


def test_a_participant_without_a_wanted_session_is_named(capsys):
    assert chosen_folders(CASES, ["02", "01"], ["1"]) == ["sub-01/ses-1"]
    assert capsys.readouterr().err == "sub-02: has no CT of ses-1; nothing is done for it.\n"


def test_a_label_is_a_name_and_no_pattern(dataset, capsys):
    odd = dataset / "sub-0[12]" / "ct"
    odd.mkdir(parents=True)
    (odd / "sub-0[12]_ct.nii.gz").symlink_to(dataset / CASES[0])
    assert would_run(capsys, dataset, "--participant-label", "0[12]") == ["sub-0[12]/ct/sub-0[12]_ct.nii.gz"]


@pytest.mark.parametrize(
    "labels, said",
    [
        (
            ["--participant-label", "01", "7"],
            "label 7: the dataset holds no CT of sub-7; choose among sub-01, sub-010, sub-02.",
        ),
        (["--participant-label", "03"], "no CT of sub-03"),
        (["--participant-label", "0*"], "no CT of sub-0*"),
        (["--session-label", "3"], "--session-label 3: the dataset holds no CT of ses-3; choose among ses-1, ses-2."),
        (["--participant-label", "010", "--session-label", "1"], "no CT of ses-1; there is no session with a CT."),
        (["--participant-label", ""], "an argument is empty"),
    ],
)
def test_an_unknown_label_is_refused_before_anything_is_written(dataset, labels, said, capsys):
    out = dataset.parent / "out"
    try:
        code = main([str(dataset), str(out), "participant", *labels])
    except SystemExit as error:
        code = error.code
    assert code == exit_codes.USAGE and said in capsys.readouterr().err
    assert not out.exists() and not out.with_name("out-hospital-only").exists()


def test_what_is_no_dataset_or_no_level_is_refused(tmp_path, capsys):
    assert main([str(tmp_path), str(tmp_path / "out"), "participant"]) == exit_codes.INPUT
    assert "has no dataset_description.json with a BIDSVersion" in capsys.readouterr().err
    for level in ("group", "session"):
        with pytest.raises(SystemExit) as caught:
            main([str(tmp_path), str(tmp_path / "out"), level])
        assert caught.value.code == exit_codes.USAGE and "give participant" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("place", ["out", "bids/derivatives/ctadeface"])
def test_one_participant_becomes_a_derivative_dataset(dataset, place, head_file, capsys):
    out = dataset.parent / place
    before = sorted(path for path in dataset.rglob("*") if "derivatives" not in path.parts)
    assert main([str(dataset), str(out), "participant", "--participant-label", "02", "--quiet"]) == 0
    released = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert released == [*DATASET, "sub-02/ses-2/ct/sub-02_ses-2_desc-defaced_ct.nii.gz"]
    described = json.loads((out / "dataset_description.json").read_text())
    assert described["Name"] == "Strokes, faces removed" and described["License"] == "CC0"
    assert described["BIDSVersion"] == RAW["BIDSVersion"] and described["DatasetType"] == "derivative"
    assert described["GeneratedBy"][0]["Name"] == "CTADeface" and described["GeneratedBy"][0]["Version"] == __version__
    validator = Path(sys.executable).with_name("bids-validator-deno")
    valid = subprocess.run([validator, str(out)], capture_output=True, text=True)
    assert valid.returncode == 0, valid.stdout + valid.stderr
    # The masks and the records lie outside of the dataset, also where its results lie in it.
    assert sorted(path for path in dataset.rglob("*") if "derivatives" not in path.parts) == before
    [manifest] = dataset.parent.rglob(NAME)
    assert dataset not in manifest.parents and out not in manifest.parents
    kept = sorted(path.name for path in manifest.parent.rglob("sub-02*") if path.is_file())
    assert {"sub-02_ses-2_desc-face_mask.nii.gz", "sub-02_ses-2_desc-defaced_ct_record.json"} <= set(kept)
    assert list(Manifest(manifest).read()[1]) == [CASES[2]]


def test_participants_come_one_after_the_other_to_one_dataset(dataset, capsys):
    out = dataset.parent / "out"
    shutil.rmtree(dataset / "sub-01")
    for label in ("02", "010"):
        assert main([str(dataset), str(out), "participant", "--participant-label", label, "--quiet"]) == 0
        assert "1 case" in capsys.readouterr().out
    assert len(list(out.rglob("*_desc-defaced_ct.nii.gz"))) == 2

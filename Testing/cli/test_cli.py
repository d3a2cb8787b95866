"""The shell contract, end to end on a real head."""

import argparse
import json
import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.cli import bids_app
from CTADefaceLib.cli.main import build_parser, main
from CTADefaceLib.cli.progress_bar import name_of
from CTADefaceLib.files.read import read_volume
from CTADefaceLib.head.atlas import ZONES
from helpers.phantom import levelled


def run(*arguments):
    """The command in a process of its own, as a user starts it."""
    return subprocess.run([sys.executable, "-m", "CTADefaceLib", *map(str, arguments)], capture_output=True, text=True)


def hospital(out):
    """The folder beside ``out`` that is not given away."""
    return out.with_name(out.name + "-hospital-only")


@pytest.fixture(scope="module")
def scan(small_cranium, tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "head.nii.gz"
    sitk.WriteImage(small_cranium, str(path))
    return path


@pytest.fixture(scope="module")
def finished(scan, tmp_path_factory):
    """One run over a good and a bad input: (process, output folder)."""
    out = tmp_path_factory.mktemp("out") / "new"
    return run("run", scan, scan.parent / "none.nii", "-o", out), out


def test_one_bad_input_does_not_stop_the_other_and_sets_the_exit_code(finished):
    process, out = finished
    assert process.returncode == 4
    lines = [line for line in process.stdout.splitlines() if not line.startswith("  ")]
    assert len(lines) == 2
    assert "defaced ->" in lines[0] and lines[1].startswith("FAILED") and "no such file" in lines[1]
    assert [p.name for p in out.iterdir()] == ["head_defaced.nii.gz"]
    assert "segment" in process.stderr and "%" in process.stderr


def test_warnings_and_zones_that_could_not_be_judged_are_said(finished):
    process, out = finished
    checks = json.loads((hospital(out) / "head_record.json").read_text())["checks"]
    warned = [check["text"] for check in checks if check["verdict"] == "warn"]
    unknown = [check for check in checks if check["verdict"] == "not applicable" and check["name"] != "model_face"]
    # The cranium is cut at its upper lip.
    assert warned and unknown
    said = [line for line in process.stdout.splitlines() if line.startswith("  ")]
    assert f"Checks that warn: {len(warned)}, not judged: {len(unknown)}" in said[0]
    assert all(any(line.startswith("  WARNING") and text in line for line in said) for text in warned)
    assert "NOT JUDGED" in said[-1] and "below the chin" in said[-1]


def test_outputs_are_the_input_outside_the_levelled_region_and_one_value_inside(finished, scan):
    _, out = finished
    before, after, mask = map(read_volume, (scan, out / "head_defaced.nii.gz", hospital(out) / "head_facemask.nii.gz"))
    inside = mask.stored > 0
    assert inside.any() and set(np.unique(mask.stored)) == {0, 1}
    region = levelled(before, inside)
    assert np.array_equal(before.stored[~region], after.stored[~region])
    value = np.unique(after.stored[region])
    assert len(value) == 1 and value[0] == np.rint(np.percentile(before.stored, 10))
    assert after.geometry.matches(before.geometry) and mask.geometry.matches(before.geometry)
    assert after.source.prefix == before.source.prefix


def test_existing_results_are_kept_without_overwrite(finished, scan, capsys):
    _, out = finished
    target = out / "head_defaced.nii.gz"
    before = target.stat().st_mtime_ns
    assert main(["run", str(scan), "-o", str(out), "--quiet"]) == 5
    assert "exists already" in capsys.readouterr().out
    assert target.stat().st_mtime_ns == before
    assert main(["run", str(scan), "-o", str(out), "--quiet", "--overwrite"]) == 0
    assert target.stat().st_mtime_ns > before


def test_json_names_everything(scan, tmp_path, capsys):
    assert main(["run", str(scan), "-o", str(tmp_path), "--json", "--quiet", "--fill", "-500"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["status"] == "defaced" and result["fill_hu"] == -500 and result["device"] == "cpu"
    assert result["error"] is None and result["mask_ml"] > 100
    assert set(result["stages"]) == {"read", "load model", "segment", "refine", "fill", "check", "write"}
    assert sum(result["stages"].values()) <= result["seconds"] + 0.01


@pytest.fixture
def box(scan, tmp_path):
    """Path of a mask that is no face: a box in the head."""
    volume = read_volume(scan)
    mask = np.zeros(volume.stored.shape, np.uint8)
    mask[5:12, 30:50, 20:40] = 3
    nibabel.save(nibabel.Nifti1Image(mask.T, volume.geometry.affine()), tmp_path / "mask.nii.gz")
    return tmp_path / "mask.nii.gz"


def test_a_mask_saved_with_a_slope_is_the_same_mask(box, tmp_path):
    mask = read_volume(box).stored
    image = nibabel.Nifti1Image(mask.T.astype(np.float32), np.eye(4))
    image.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "scaled.nii.gz")
    volume = read_volume(tmp_path / "scaled.nii.gz")
    assert volume.slope != 1 and volume.stored.all() and np.array_equal(volume.as_mask(), mask > 0)


def test_a_reason_to_override_is_for_one_case_only(scan, tmp_path, capsys):
    assert main(["run", str(scan), str(scan), "-o", str(tmp_path / "out"), "--override", "chin=seen"]) == 2
    assert "one INPUT" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_given_mask_is_used_exactly_and_needs_no_model(scan, box, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("CTADefaceLib.models.loader.load_model", lambda *_: pytest.fail("a model was loaded"))
    volume, mask = read_volume(scan), read_volume(box).stored
    reasons = [
        f"--override={check}=a box on purpose"
        for check in ("mask_size", "mask_place", *ZONES, "residual_skin", "brain", "bone")
    ]
    assert (
        main(
            [
                "run",
                str(scan),
                "-o",
                str(tmp_path / "out"),
                "--mask",
                str(box),
                "--fill",
                "air",
                "--quiet",
                "--no-second-opinion",
                *reasons,
            ]
        )
        == 0
    )
    after = read_volume(tmp_path / "out" / "head_defaced.nii.gz")
    changed = after.stored != volume.stored
    assert np.array_equal(changed & (mask > 0), (mask > 0) & (volume.stored != -1000))
    # Beside it only what is less than half skin.
    beside = volume.to_hu(volume.stored[changed & (mask == 0)])
    assert beside.size < 0.1 * (mask > 0).sum() and ((beside > -700) & (beside <= -500)).all()
    record = json.loads((tmp_path / "out-hospital-only" / "head_record.json").read_text())
    assert record["model"] is None and {o["reason"] for o in record["overrides"]} == {"a box on purpose"}
    capsys.readouterr()


def test_a_failed_check_keeps_everything_in_the_hospital(scan, box, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["run", str(scan), "-o", str(out), "--mask", str(box), "--quiet", "--json", "--fill", "air"]
    assert main([*command, "--override", "nose=seen by eye"]) == 3
    result = json.loads(capsys.readouterr().out)
    assert result["status"] == "blocked" and result["defaced"] is None
    assert {check["name"] for check in result["checks"]} >= {"mouth", "brain"} and "mouth" in result["error"]
    assert not out.exists() or list(out.iterdir()) == []
    kept = tmp_path / "out-hospital-only"
    assert sorted(p.name for p in kept.iterdir()) == ["head_facemask.nii.gz", "head_record.json"]
    assert json.loads((kept / "head_record.json").read_text())["status"] == "blocked"
    again = [main(command), json.loads(capsys.readouterr().out)]
    assert again[0] == 3 and again[1]["mask"] == result["mask"] == str(kept / "head_facemask.nii.gz")
    assert main([*command[:-2], "--override", "nose"]) == 2
    assert main([*command[:-2], "--override", "nose="]) == 2 and "needs a reason" in capsys.readouterr().err


def test_records_and_masks_go_where_they_are_told_but_never_into_the_release(scan, tmp_path, capsys):
    out = tmp_path / "out"
    inside = ["run", str(scan), "-o", str(out), "--records", str(out / "records"), "--quiet"]
    assert main(inside) == 2 and "release folder" in capsys.readouterr().out and not out.exists()
    assert (
        main(
            [*inside[:-2], str(tmp_path / "kept"), "--masks", str(tmp_path / "kept"), "--record-names", "--report", "--quiet"]
        )
        == 0
    )
    assert [p.name for p in out.iterdir()] == ["head_defaced.nii.gz"]
    names = ["head_facemask.nii.gz", "head_record.html", "head_record.json"]
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == names
    assert json.loads((tmp_path / "kept" / "head_record.json").read_text())["names"]["input"] == "head.nii.gz"
    capsys.readouterr()


def test_mask_only_writes_no_volume(scan, tmp_path, capsys):
    assert main(["run", str(scan), "-o", str(tmp_path), "--mask-only", "--quiet"]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["head_facemask.nii.gz"]
    assert "mask only" in capsys.readouterr().out


@pytest.mark.parametrize("extension", [".nrrd", ".mha", ".nii"])
def test_other_formats_in_their_own_format(small_cranium, finished, tmp_path, capsys, extension):
    path = tmp_path / f"Head One{extension}"
    sitk.WriteImage(small_cranium, str(path))
    assert main(["run", str(path), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    mask = read_volume(tmp_path / "out-hospital-only" / f"Head One_facemask{extension}")
    assert np.array_equal(mask.stored, read_volume(hospital(finished[1]) / "head_facemask.nii.gz").stored)
    capsys.readouterr()


def test_two_inputs_with_one_name_are_not_mixed_up(scan, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / scan.name
    twin.write_bytes(scan.read_bytes())
    assert main(["run", str(scan), str(twin), "-o", str(tmp_path / "out"), "--mask-only", "--quiet"]) == 2
    assert "same file as" in capsys.readouterr().out


def test_bad_options_are_refused_before_any_work(scan, tmp_path, capsys):
    for code, arguments in ((2, ["--fill", "black"]), (2, ["--step-size", "0"]), (4, ["--model", "no-such-model"])):
        assert main(["run", str(scan), "-o", str(tmp_path / "out"), "--quiet", *arguments]) == code
    assert main(["run", str(scan), str(scan), "-o", str(tmp_path / "out"), "--mask", str(scan)]) == 2
    assert main(["run", str(scan), "-o", str(tmp_path / "out"), "--mask", str(scan), "--mask-only"]) == 2
    assert not (tmp_path / "out").exists()
    capsys.readouterr()


def test_models_list_shows_the_bundled_model(capsys):
    assert main(["models", "list", "--json"]) == 0
    models = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert models[0]["origin"] == "bundled" and models[0]["problem"] is None


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom CTADefaceLib.cli.main import build_parser\nbuild_parser().format_help()\n"
        "print([m for m in ('torch', 'numpy', 'SimpleITK', 'scipy', 'nnunetv2', 'vtk') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_demo_writes_release_and_picture_apart(scan, tmp_path, capsys):
    assert main(["demo", str(scan), "-o", str(tmp_path), "--quiet"]) == 0
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert written == [
        "hospital-only/head_before_after.png",
        "hospital-only/head_facemask.nii.gz",
        "hospital-only/head_record.json",
        "release/head_defaced.nii.gz",
    ]
    printed = capsys.readouterr().out
    assert all(str(tmp_path / name) in printed for name in written)


def commands_of(parser, words=()):
    """(words, parser) of every command below a parser."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands_of(inner, (*words, name))


COMMANDS = [*commands_of(build_parser()), (("bids",), bids_app.build_parser())]


@pytest.mark.parametrize("parser", [parser for _words, parser in COMMANDS], ids=[" ".join(words) for words, _ in COMMANDS])
def test_help_says_what_every_command_and_every_argument_is_for(parser):
    said = re.sub(r"\s+", " ", parser.format_help())
    assert parser.description and re.sub(r"\s+", " ", parser.description) in said
    given = [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]
    assert [action.dest for action in given if not action.help] == []
    names = [str(name) for action in given if not action.option_strings for name in [action.metavar or action.dest]]
    # What is to be written as it stands has small letters.
    assert all(name in (name.upper(), "participant") for name in names)


def test_a_folder_without_a_name_of_its_own_is_called_by_its_own_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert name_of(".") == tmp_path.name and name_of("a/..") == tmp_path.name and name_of("a/b.nii") == "b.nii"
    assert name_of("/")

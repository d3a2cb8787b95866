"""What a person is told who makes a mistake, and what a script learns from the exit code."""

import argparse
import json
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib import errors
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.batch.summary import fault_of
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.result import BUG, failure
from CTADefaceLib.cli import exit_codes
from CTADefaceLib.cli.identity_command import CODES_OF_VERDICTS
from CTADefaceLib.cli.main import build_parser, main
from CTADefaceLib.identity.identity_check import IdentityResult
from CTADefaceLib.identity.verdict import VERDICTS
from helpers import dicom_maker as maker
from helpers import phantom
from helpers.documents import prose
from helpers.paths import ROOT

GIVEN = ["--no-second-opinion", "--quiet"]


@pytest.fixture(scope="module")
def cut(parts, tmp_path_factory):
    """(path of the synthetic head without its chin, path of its mask): it leaves with a warning."""
    folder = tmp_path_factory.mktemp("cut")
    sitk.WriteImage(phantom.image(parts[0][30:]), str(folder / "cut.nii.gz"))
    sitk.WriteImage(phantom.image(parts[1][30:].astype(np.uint8)), str(folder / "mask.nii.gz"))
    return folder / "cut.nii.gz", str(folder / "mask.nii.gz")


@pytest.fixture(scope="module")
def half(parts, tmp_path_factory):
    """Path of a mask that stops the export."""
    mask = parts[1].copy()
    mask[:, :, 32:] = False
    path = tmp_path_factory.mktemp("half") / "half.nii.gz"
    sitk.WriteImage(phantom.image(mask.astype(np.uint8)), str(path))
    return str(path)


@pytest.fixture
def here(scan, tmp_path, monkeypatch):
    """A folder to work in, with the head, its mask, and things that are no input."""
    monkeypatch.chdir(tmp_path)
    for name, path in (("head.nii.gz", scan[0]), ("mask.nii.gz", scan[1])):
        Path("in").mkdir(exist_ok=True)
        Path("in", name).write_bytes(Path(path).read_bytes())
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("text")
    Path("file").write_text("a file")
    return tmp_path


# What was typed, the exit code, what is said.
MISTAKES = {
    "missing": ("run none.nii.gz -o out", 4, "none.nii.gz: no such file"),
    "a pattern without files": ("run scans/*.nii.gz -o out", 4, "no file has such a name"),
    "a pattern of DICOM files": ("run study/*.dcm -o out", 4, "no file has such a name"),
    "an empty folder": ("run empty -o out", 4, "empty: holds no DICOM"),
    "a folder of texts": ("run texts -o out", 4, "texts: holds no DICOM"),
    "no volume": ("run file -o out", 4, "not a supported volume file"),
    "a folder of volumes": ("run in -o out", 4, "cta-deface batch in out"),
    "a batch of nothing": ("batch empty out", 4, "holds no volume file"),
    "a batch of a file": ("batch in/head.nii.gz out", 4, "use 'run'"),
    "a batch in place": ("batch in in", 2, "given away"),
    "in place": ("run in/head.nii.gz -o in --mask in/mask.nii.gz", 2, "head.nii.gz, which shows the face"),
    "the scan as its mask": ("run in/head.nii.gz -o out --mask in/head.nii.gz", 4, "head: is an image and no mask"),
    "an unknown fill": ("run in/head.nii.gz -o out --fill blakc", 2, "--fill blakc: unknown fill"),
    "a step of 2": ("run in/head.nii.gz -o out --step-size 2", 2, "--step-size"),
    "an unknown check": ("run in/head.nii.gz -o out --override chn=seen", 2, "--override chn: no such check"),
    "no reason": ("run in/head.nii.gz -o out --override chin", 2, "CHECK=REASON"),
    "an unknown model": ("run in/head.nii.gz -o out --model nothing", 4, "no model or folder 'nothing'"),
    "no results": ("run in/head.nii.gz -o file", 5, "file: is a file, not a folder; choose another folder for the results"),
    "below a file": ("run in/head.nii.gz -o file/out", 5, "file/out: {here}/file is a file"),
    "a batch into a file": ("batch in file", 5, "file: is a file, not a folder"),
    "a list of nothing": ("series texts", 4, "holds no DICOM"),
    "no such model": ("models remove nothing", 4, "no installed model"),
    "no model at all": ("models install empty", 4, "empty"),
    "heads without masks": ("train run empty -o model", 4, "holds no head"),
    "validation of nothing": ("validate empty --report report", 4, "empty"),
    "two places": ("run in/head.nii.gz -o out --hospital a --records b", 2, "--records names another folder"),
}


def seen(folder):
    """All files but the manifest's lock, and the folders that may be given away."""
    return sorted(path for path in folder.rglob("*") if "-hospital-only" not in str(path) or path.suffix not in ("", ".lock"))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_with_its_code_and_nothing_is_written(here, capsys, name):
    typed, code, text = MISTAKES[name]
    before = seen(here)
    assert main(shlex.split(typed)) == code
    said = capsys.readouterr()
    assert text.format(here=here) in said.out + said.err, said
    assert "Traceback" not in said.err and "unexpected" not in said.out and "-hospital-only" not in said.out + said.err
    assert seen(here) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which even an administrator cannot make another one")
@pytest.mark.parametrize(
    "typed", ["run in/head.nii.gz -o /proc/out", "run in/head.nii.gz -o /proc/out --mask-only", "batch in /proc/out"]
)
def test_a_folder_that_cannot_be_written_is_named_itself(here, capsys, typed):
    assert main(shlex.split(typed)) == 5
    said = capsys.readouterr()
    assert "/proc/out: cannot be written" in said.out + said.err and "hospital" not in said.out + said.err


# What was typed, and what was meant.
TYPOS = {
    "in/head.nii.gz": "cta-deface run in/head.nii.gz -o release/",
    "scan.nrrd --fill air -o out": "cta-deface run scan.nrrd --fill air -o out",
    "in": "cta-deface batch in OUT",
    "deface in/head.nii.gz": "To deface it: cta-deface run in/head.nii.gz -o release/",
    "rnu in/head.nii.gz -o out": "rnu: did you mean run?",
    "bach in out": "bach: did you mean batch?",
    "run in/head.nii.gz -o out --overwirte": "--overwirte: did you mean --overwrite?",
    "run in/head.nii.gz --ouput out": "--ouput: did you mean --output?",
    "batch in out --retry-faild": "--retry-faild: did you mean --retry-failed?",
    "models instal model": "instal: did you mean install?",
    "run in/head.nii.gz -o out --device gpu": "choose from",
    "run in/head.nii.gz -o ''": "an argument is empty",
    "run '' -o out": "an argument is empty",
}


@pytest.mark.parametrize("typed", TYPOS)
def test_a_misspelt_command_comes_with_the_one_that_was_meant(here, capsys, typed):
    with pytest.raises(SystemExit) as caught:
        main(shlex.split(typed))
    assert caught.value.code == 2 and TYPOS[typed] in capsys.readouterr().err


def test_what_is_there_stays_and_the_option_that_replaces_it_is_named(here, capsys):
    command = ["run", "in/head.nii.gz", "-o", "out", "--mask", "in/mask.nii.gz", *GIVEN]
    assert main(command) == 0 and main(command) == 5
    assert "exists already" in (said := capsys.readouterr().out) and "--overwrite" in said
    (here / "out-hospital-only" / "batch.jsonl").write_text("")
    assert main([*command[:3], "new", *command[4:], "--overwrite"]) == 0


def test_a_hospital_folder_that_cannot_be_made_asks_for_another_one(here, capsys):
    (here / "out-hospital-only").write_text("a file")
    command = ["run", "in/head.nii.gz", "-o", "out", "--mask", "in/mask.nii.gz", *GIVEN]
    for typed in (command, ["batch", "in", "out", "--quiet"]):
        assert main(typed) == 5
        said = "".join(capsys.readouterr())
        assert "out-hospital-only: is a file" in said and "--hospital DIR" in said and not (here / "out").exists()
    assert main([*command, "--hospital", "kept"]) == 0
    assert sorted(path.name for path in (here / "kept").iterdir()) == ["head_facemask.nii.gz", "head_record.json"]


def test_a_blocked_case_says_where_it_lies_and_what_lets_it_through(scan, half, tmp_path, capsys):
    command = ["run", str(scan[0]), "-o", str(tmp_path / "out"), "--mask", half, *GIVEN]
    assert main(command) == 3
    said = capsys.readouterr().out
    kept = tmp_path / "out-hospital-only"
    assert all(f"{kept / name}\n" in said for name in ("head_facemask.nii.gz", "head_record.json"))
    # The line can be copied as it is.
    (line,) = [line for line in said.splitlines() if "--override " in line]
    assert main([*command, *shlex.split(line)]) == 0
    overridden = json.loads((kept / "head_record_2.json").read_text())["overrides"]
    assert {entry["check"] for entry in overridden} == set(re.findall(r"--override (\w+)=", line)) >= {"mask_size", "nose"}
    # What was to be replaced is still in the release folder, and it is said.
    assert "still lies" not in said and main([*command, "--overwrite"]) == 3
    assert f"still lies in {tmp_path / 'out' / 'head_defaced.nii.gz'}" in capsys.readouterr().out


def test_strict_stops_what_only_warns_and_a_reason_lets_it_through(cut, tmp_path, capsys):
    command = ["run", str(cut[0]), "-o", str(tmp_path / "out"), "--mask", cut[1], *GIVEN, "--strict"]
    assert main([*command, "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == "blocked" and said["stopped_by"] == said["warned_checks"] == ["field_of_view"]
    assert said["fault"] == "checks" and "field_of_view" in said["error"] and "warned" in said["error"]
    assert not (tmp_path / "out").exists()
    record = json.loads(Path(said["record"]).read_text())
    assert record["settings"]["strict"] is True and record["status"] == "blocked" and record["overrides"] == []
    assert main([*command, "--override", "field_of_view=the brow is all there is"]) == 0
    record = json.loads((tmp_path / "out-hospital-only" / "cut_record_2.json").read_text())
    assert [entry["check"] for entry in record["overrides"]] == ["field_of_view"] and record["settings"]["strict"] is True
    assert main([*command[:-1], "--overwrite"]) == 0
    record = json.loads((tmp_path / "out-hospital-only" / "cut_record_3.json").read_text())
    assert record["settings"]["strict"] is False


def test_strict_holds_for_batches_which_are_strict_as_a_whole(cut, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cut.nii.gz").write_bytes(cut[0].read_bytes())
    strict = Options(mask=cut[1], second_opinion=False, strict=True)
    summary = run_batch(tmp_path / "in", tmp_path / "out", strict)
    assert summary.by_status == {"blocked": 1} and summary.failed_checks == {"field_of_view": 1}
    assert summary.faults == {"checks": 1} and exit_codes.code_of(summary.faults) == 3
    with pytest.raises(errors.InputError, match="warning"):
        run_batch(tmp_path / "in", tmp_path / "out", Options(mask=cut[1], second_opinion=False))


def test_strict_holds_for_series(tmp_path, capsys):
    maker.write_series(tmp_path / "in", maker.sparse())
    mask = maker.write_mask(tmp_path / "mask.nii.gz")
    command = ["run", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--mask", mask, *GIVEN, "--json"]
    assert main(command) == 0
    warned = json.loads(capsys.readouterr().out)["warned_checks"]
    code = main([*command, "--strict", "--overwrite"])
    said = json.loads(capsys.readouterr().out)
    assert (code, said["stopped_by"]) == ((3, warned) if warned else (0, []))
    assert json.loads(Path(said["record"]).read_text())["settings"]["strict"] is True


def test_the_gravest_of_several_inputs_gives_the_code(here, half, capsys):
    assert main(["run", "none.nii.gz", "file", "-o", "out", *GIVEN]) == 4
    order = [fault for code in exit_codes.BY_GRAVITY for fault, own in exit_codes.CODES.items() if own == code]
    for number, fault in enumerate(order):
        assert exit_codes.code_of([None, *order[: number + 1]]) == exit_codes.CODES[fault]
    assert exit_codes.code_of([]) == exit_codes.code_of([None]) == 0 and exit_codes.code_of(["of tomorrow"]) == 1


def test_every_error_has_a_code():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CTADefaceError)]
    assert {kind.fault for kind in kinds} | {BUG} == set(exit_codes.CODES)
    assert failure("x", ZeroDivisionError("y")).fault == BUG and failure("x", MemoryError()).fault == "machine"
    assert [fault_of({"status": status}) for status in ("blocked", "failed", "not defaced")] == ["checks", "machine", "input"]


def test_help_and_documentation_list_all_codes():
    shell, listed = prose(ROOT / "docs" / "shell.md"), build_parser().format_help()
    identity = prose(ROOT / "docs" / "identity.md")
    for code, meaning in exit_codes.MEANINGS.items():
        assert re.search(rf"^  {code} +{re.escape(meaning)}$", listed, re.MULTILINE) and f"| {code} |" in shell
    assert all(f"| {verdict} | {code} |" in identity for verdict, code in CODES_OF_VERDICTS.items())
    assert len(set(CODES_OF_VERDICTS.values())) == len(VERDICTS) and set(CODES_OF_VERDICTS) == set(VERDICTS)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdicts_of_the_identity_check_have_codes_of_their_own(here, monkeypatch, capsys, verdict):
    monkeypatch.setattr(
        "CTADefaceLib.identity.identity_check.identity_check", lambda *_: IdentityResult(verdict, "why", "n", 1, (None,))
    )
    monkeypatch.setattr(IdentityResult, "as_dict", lambda self: {"verdict": self.verdict})
    command = ["identity", "in/head.nii.gz", "in/head.nii.gz", "--mask", "in/mask.nii.gz", "--quiet", "--json"]
    assert main(command) == CODES_OF_VERDICTS[verdict] and json.loads(capsys.readouterr().out)["verdict"] == verdict


def test_before_and_after_in_the_wrong_order_are_noticed(here, capsys):
    assert main(["run", "in/head.nii.gz", "-o", "out", "--mask", "in/mask.nii.gz", *GIVEN]) == 0
    command = ["identity", "out/head_defaced.nii.gz", "in/head.nii.gz", "--mask", "in/mask.nii.gz"]
    assert main([*command, "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "swapped" in said and shlex.join(["cta-deface", "identity", command[2], command[1], *command[3:]]) in said


def test_names_are_said_to_be_released_as_they_are(here, capsys):
    command = ["run", "in/head.nii.gz", "-o", "out", "--mask", "in/mask.nii.gz", "--no-second-opinion"]
    assert main(command) == 0 and capsys.readouterr().err.count("Names of volume files are released as they are") == 1
    assert main(command) == 5 and "Names of volume files" not in capsys.readouterr().err
    (run,) = [action.choices["run"] for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert "names of volume files are released as they are" in re.sub(r"\s+", " ", run.format_help())


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions bind no administrator")
def test_a_folder_without_permission_is_named_itself(here, capsys):
    (here / "locked").mkdir(mode=0o500)
    for name in ("locked", "locked/out"):
        assert main(["run", "in/head.nii.gz", "-o", name, *GIVEN]) == 5
        assert f"FAILED {name}: cannot be written" in capsys.readouterr().out

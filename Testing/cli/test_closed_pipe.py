"""``cta-deface ... | head -1``: the reader of the output leaves early, and the work and its exit code stay as they are."""

import os
import subprocess
import sys

import pytest

from helpers import dicom_maker as maker


def exit_code(arguments, closed=("stdout",), module="CTADefaceLib"):
    """(exit code, what stderr says) of the command, whose streams ``closed`` nobody reads any more when it begins."""
    ends = {}
    for name in closed:
        reader, ends[name] = os.pipe()
        os.close(reader)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | ends
    try:
        done = subprocess.run([sys.executable, "-m", module, *map(str, arguments)], **streams, timeout=300)
    finally:
        for end in ends.values():
            os.close(end)
    return done.returncode, (done.stderr or b"").decode()


@pytest.fixture
def study(tmp_path):
    maker.write_series(tmp_path / "in", maker.sparse())
    return tmp_path / "in"


def test_a_run_is_done_though_nobody_reads_what_it_prints(study, tmp_path):
    mask = maker.write_mask(tmp_path / "mask.nii.gz")
    code, said = exit_code(["run", study, "-o", tmp_path / "out", "--mask", mask, "--json", "--no-second-opinion"])
    assert (code, [path.name for path in (tmp_path / "out").iterdir()]) == (0, ["series_01"]), said
    assert "Traceback" not in said and "BrokenPipe" not in said


def test_a_batch_goes_on_to_its_end(study, tmp_path):
    again = ["batch", study, tmp_path / "out"]
    (study / "image0000.dcm").unlink()
    maker.write_enhanced(
        tmp_path / "in" / "other" / "x.dcm", maker.sparse(), change=lambda d: setattr(d, "NumberOfFrames", 39)
    )
    code, said = exit_code(again)
    # Both cases are bad input, and the second was looked at too.
    assert code == 4 and "Traceback" not in said
    assert len((tmp_path / "out-hospital-only" / "batch.jsonl").read_text().splitlines()) >= 2


@pytest.mark.parametrize("closed", [("stdout",), ("stderr",), ("stdout", "stderr")], ids="-".join)
@pytest.mark.parametrize(
    "module, arguments, expected",
    [
        ("CTADefaceLib", ["series", "STUDY"], 0),
        ("CTADefaceLib", ["series", "STUDY", "--json"], 0),
        ("CTADefaceLib", ["run", "--help"], 0),
        ("CTADefaceLib", ["series", "NONE"], 4),
        ("CTADefaceLib", ["run"], 2),
        ("CTADefaceLib.cli.bids_app", ["--help"], 0),
        ("CTADefaceLib.cli.bids_app", ["STUDY", "OUT", "participant"], 4),
    ],
)
def test_each_command_ends_quietly_with_its_own_code(study, tmp_path, module, arguments, expected, closed):
    places = {"STUDY": study, "NONE": tmp_path / "none", "OUT": tmp_path / "out"}
    code, said = exit_code([places.get(word, word) for word in arguments], closed, module)
    assert code == expected, said
    assert "Traceback" not in said and "BrokenPipe" not in said

"""A batch of real heads: what is found, what goes wrong, what a stopped or killed one leaves, the queue of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.batch import review_queue as review
from CTADefaceLib.batch.find import describe_bids, find_cases, places
from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cli.main import main
from CTADefaceLib.errors import InputError, OutputError
from CTADefaceLib.files.publish import STAGING
from CTADefaceLib.files.read import read_volume

HEADS = ("one/head", "two/head", "two/deep/er/head", "three")


@pytest.fixture(scope="session")
def head_file(small_cranium, tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "head.nii.gz"
    sitk.WriteImage(small_cranium, str(path))
    return path


def tree(folder, head_file, names=HEADS):
    """Copies of the head under ``names`` below ``folder``."""
    for name in names:
        path = folder / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(head_file, path)
    return folder


def command(*arguments, **how):
    return subprocess.Popen(
        [sys.executable, "-m", "CTADefaceLib", "batch", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def entries(out):
    return Manifest(out.with_name(out.name + "-hospital-only") / NAME).read()[1]


def released(out):
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def numbered(number):
    """Names of what is released of as many cases."""
    return [f"case-{place:04d}_defaced.nii.gz" for place in range(1, number + 1)]


def lines_of(out, status):
    path = out.with_name(out.name + "-hospital-only") / NAME
    lines = path.read_text().splitlines() if path.exists() else []
    return [line["case"] for line in map(json.loads, lines) if line.get("status") == status]


@pytest.fixture(scope="module")
def finished(head_file, tmp_path_factory):
    """(folder, process that has ended, its stdout): four heads, a truncated file, an image that is no CT."""
    folder = tmp_path_factory.mktemp("batch")
    tree(folder / "in", head_file)
    (folder / "in" / "one" / "broken.nii.gz").write_bytes(head_file.read_bytes()[:4000])
    sitk.WriteImage(sitk.Image(30, 30, 30, sitk.sitkUInt8), str(folder / "in" / "empty.nrrd"))
    process = command(folder / "in", folder / "out", "--json")
    out, _err = process.communicate(timeout=120)
    return folder, process, out


def test_bad_cases_do_not_stop_the_others_and_the_exit_code_tells(finished):
    _folder, process, out = finished
    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 4
    assert {line["case"]: line["status"] for line in lines[:-1]} == {
        **{f"{name}.nii.gz": "defaced" for name in HEADS},
        "one/broken.nii.gz": "failed",
        "empty.nrrd": "failed",
    }
    summary = lines[-1]["summary"]
    assert summary["cases"] == 6 and summary["by_status"] == {"defaced": 4, "failed": 2} and not summary["complete"]
    assert sorted(case for case, _error in summary["problems"]) == ["empty.nrrd", "one/broken.nii.gz"]


def test_only_defaced_volumes_are_released_and_their_names_tell_nobody(finished):
    folder = finished[0]
    known = {case: entry["released_as"] for case, entry in entries(folder / "out").items()}
    heads = sorted(known[f"{name}.nii.gz"] for name in HEADS)
    assert len(set(known.values())) == 6 and all(re.fullmatch(r"case-\d{4}", name) for name in known.values())
    assert released(folder / "out") == [f"{name}_defaced.nii.gz" for name in heads]
    kept = folder / "out-hospital-only"
    assert sorted(path.name for path in kept.glob("case-*")) == sorted(
        f"{name}_{what}" for name in heads for what in ("facemask.nii.gz", "record.json", "record_thumbnail.png")
    )
    assert not list(folder.rglob(STAGING + "*"))


def test_the_manifest_names_what_the_review_needs(finished):
    folder = finished[0]
    for item in review.load_queue(folder / "out-hospital-only"):
        entry = entries(folder / "out")[item.case]
        if item.status == "defaced":
            assert item.input == folder / "in" / item.case and not item.failed_checks
            assert all(path.is_file() for path in (*item.outputs, item.mask, item.record))
            assert read_volume(item.mask).geometry.matches(read_volume(item.outputs[0]).geometry)
            assert entry["mask_ml"] > 100 and 0 < sum(entry["stages"].values()) <= entry["seconds"] + 0.01
        else:
            assert item.error and item.outputs == () and item.record is None


def test_a_second_run_does_nothing_again_and_results_are_never_inputs(finished, capsys):
    folder = finished[0]
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    assert main(["batch", str(folder / "in"), str(folder / "out"), "--quiet"]) == 4
    said = capsys.readouterr().out
    assert "6 cases: 4 defaced, 2 failed" in said and "FAILED" not in said
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")} == before
    cases, left_out = find_cases(places(folder, folder / "new"), [folder / "out-hospital-only"])
    assert {case.id.split("/")[0] for case in cases} == {"in"} and len(left_out) == 4


def test_retry_failed_takes_what_failed_and_a_changed_input_is_not_passed_over(head_file, tmp_path, capsys):
    tree(tmp_path / "in", head_file, ["a", "b"])
    (tmp_path / "in" / "b.nii.gz").write_bytes(head_file.read_bytes()[:4000])
    arguments = ["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet"]
    assert main(arguments) == 4
    assert main([*arguments, "--retry-failed"]) == 4
    assert lines_of(tmp_path / "out", "started") == ["a.nii.gz", "b.nii.gz", "b.nii.gz"]
    shutil.copy(head_file, tmp_path / "in" / "b.nii.gz")
    assert main(arguments) == 0
    os.utime(tmp_path / "in" / "a.nii.gz")
    capsys.readouterr()
    assert main(arguments) == 5
    assert "exists already" in capsys.readouterr().out
    assert main([*arguments, "--overwrite", "--retry-failed"]) == 0


def test_a_blocked_case_waits_for_a_reason_or_a_person(head_file, tmp_path, capsys):
    """A head defaced before is blocked by its check; the reason given for it lets it through."""
    tree(tmp_path / "in", head_file, ["head"])
    assert main(["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet"]) == 0
    shutil.copytree(tmp_path / "out", tmp_path / "again")
    (tmp_path / "again" / "case-0001_defaced.nii.gz").rename(tmp_path / "again" / "head.nii.gz")
    arguments = ["batch", str(tmp_path / "again"), str(tmp_path / "second"), "--quiet"]
    capsys.readouterr()
    assert main(arguments) == 3
    entry = entries(tmp_path / "second")["head.nii.gz"]
    assert entry["status"] == "blocked" and "already_defaced" in entry["failed_checks"] and entry["outputs"] == []
    assert "Blocked by: already_defaced 1" in capsys.readouterr().out and not (tmp_path / "second").exists()
    assert (tmp_path / "second-hospital-only" / entry["mask"]).is_file()
    reasons = [f"--override={check}=seen by eye" for check in entry["failed_checks"]]
    assert main([*arguments, *reasons]) == 3 and main([*arguments, "--retry-failed", *reasons]) == 0
    assert released(tmp_path / "second") == numbered(1)
    assert f"Let through by a reason, not reviewed: {entry['failed_checks'][0]} 1" in capsys.readouterr().out
    assert "let through: " in (tmp_path / "second-hospital-only" / "overview.html").read_text()


def test_ctrl_c_leaves_whole_files_and_a_state_that_continues(head_file, tmp_path):
    names = [f"case{number}" for number in range(8)]
    tree(tmp_path / "in", head_file, names)
    # A shell that starts the tests in the background has them, and so their children, ignore the signal.
    process = command(
        tmp_path / "in", tmp_path / "out", "--json", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command continues" in err and "Traceback" not in err
    early = released(tmp_path / "out")
    assert 1 <= len(early) < 8 and not [p for p in tmp_path.rglob("*") if p.name.startswith(STAGING)]
    assert len(lines_of(tmp_path / "out", "stopped")) >= 1
    assert main(["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet"]) == 0
    assert released(tmp_path / "out") == numbered(len(names))
    assert sorted(lines_of(tmp_path / "out", "defaced")) == sorted(f"{name}.nii.gz" for name in names)


def test_killed_at_any_time_nothing_is_lost_and_nothing_is_done_twice(head_file, tmp_path):
    names = [f"case{number}" for number in range(5)]
    tree(tmp_path / "in", head_file, names)
    out = tmp_path / "out"
    for ended in range(2):
        process = command(tmp_path / "in", out, "--json")
        process.stdout.readline()
        time.sleep(0.3 * ended)
        process.kill()
        process.communicate()
        for name in released(out):
            read_volume(out / name)
    assert main(["batch", str(tmp_path / "in"), str(out), "--quiet"]) == 0
    assert released(out) == numbered(len(names))
    assert sorted(lines_of(out, "defaced")) == sorted(f"{name}.nii.gz" for name in names)
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith(STAGING)]


def test_a_case_that_kills_the_program_again_and_again_is_left_at_last(head_file, tmp_path, capsys):
    tree(tmp_path / "in", head_file, ["a", "b", "c"])
    manifest = Manifest(tmp_path / "out-hospital-only" / NAME)
    manifest.add(
        {"manifest": 1, "input": "../in", "fill": "levelled"},
        *[{"case": case, "kind": "file", "status": "started"} for case in ["a.nii.gz"] * 3 + ["b.nii.gz"] * 2],
    )
    arguments = ["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet"]
    assert main(arguments) == 6
    assert "died 3 times" in capsys.readouterr().out
    assert released(tmp_path / "out") == ["b_defaced.nii.gz", "c_defaced.nii.gz"]
    # A suspect comes last, and nothing is under way beside it.
    statuses = [(line["case"], line["status"]) for line in map(json.loads, manifest.path.read_text().splitlines()[6:])]
    statuses.remove(("a.nii.gz", "failed"))
    assert statuses == [(case, status) for case in ("c.nii.gz", "b.nii.gz") for status in ("started", "defaced")]
    assert main([*arguments, "--retry-failed"]) == 0


def test_results_of_others_are_not_replaced(head_file, tmp_path):
    tree(tmp_path / "in", head_file, ["a"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "case-0001_defaced.nii.gz").write_bytes(b"mine")
    summary = run_batch(tmp_path / "in", tmp_path / "out", Options())
    assert "exists already" in summary.problems[0][1]
    assert (tmp_path / "out" / "case-0001_defaced.nii.gz").read_bytes() == b"mine"


def test_twins_and_bids(head_file, small_cranium, tmp_path):
    source = tmp_path / "bids"
    tree(
        source,
        head_file,
        [
            "sub-01/ct/sub-01_ct",
            "sub-02/ses-1/ct/sub-02_ses-1_ct",
            "sub-01/anat/sub-01_T1w",
            "derivatives/other/sub-01/ct/sub-01_ct",
        ],
    )
    (source / "dataset_description.json").write_text(json.dumps({"Name": "Heads", "BIDSVersion": "1.10.0"}))
    out = source / "derivatives" / "ctadeface"
    summary = run_batch(source, out, Options())
    assert summary.complete and summary.by_status == {"defaced": 2} and summary.left_out == 1
    assert released(out) == [
        ".bidsignore",
        "README.md",
        "dataset_description.json",
        "sub-01/ct/sub-01_desc-defaced_ct.nii.gz",
        "sub-02/ses-1/ct/sub-02_ses-1_desc-defaced_ct.nii.gz",
    ]
    said = json.loads((out / "dataset_description.json").read_text())
    assert said["DatasetType"] == "derivative" and said["GeneratedBy"][0]["Name"] == "CTADeface"
    kept = source.with_name(source.name + "-hospital-only") / "derivatives" / "ctadeface"
    assert not list(source.rglob("*hospital-only*")), "the dataset may be given away as a whole"
    masks = sorted(p.name for p in kept.rglob("*_mask.nii.gz"))
    assert masks == ["sub-01_desc-face_mask.nii.gz", "sub-02_ses-1_desc-face_mask.nii.gz"]
    # Two files of one folder that differ in the extension only keep their records apart.
    plain = tree(tmp_path / "plain", head_file, ["x"])
    sitk.WriteImage(small_cranium, str(plain / "x.nrrd"))
    cases, _ = find_cases(places(plain, tmp_path / "there"))
    assert [(case.id, case.kept) for case in cases] == [("x.nii.gz", "x.nii.gz"), ("x.nrrd", "x.nrrd")]
    describe_bids(places(plain, tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_folders_that_would_mix_originals_with_results_are_refused(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for source, target, records, why in (
        ("in", "in", None, "given away"),
        ("in/deep", "in", None, "given away"),
        ("in", "out", "out/records", "release folder"),
        ("nowhere", "out", None, "not a folder"),
    ):
        with pytest.raises(InputError, match=why):
            places(tmp_path / source, tmp_path / target, records and tmp_path / records)
    with pytest.raises(InputError, match="holds no volume file"):
        run_batch(tmp_path / "in", tmp_path / "out", Options())


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_cannot_be_printed_stop_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    for name in (b"caf\xe9.nii.gz", b"b.nii.gz"):
        with open(bytes(tmp_path / "in") + b"/" + name, "wb") as out:
            out.write(b"no volume")
    process = command(tmp_path / "in", tmp_path / "out", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 4 and "2 cases: 2 failed" in said and "Traceback" not in errors
    assert len(entries(tmp_path / "out")) == 2


def test_one_batch_at_a_time_and_never_two_kinds_in_one_folder(head_file, tmp_path):
    tree(tmp_path / "in", head_file, ["a"])
    tree(tmp_path / "other", head_file, ["a"])
    manifest = Manifest(tmp_path / "out-hospital-only" / NAME)
    with manifest.locked(), pytest.raises(OutputError, match="another batch"):
        run_batch(tmp_path / "in", tmp_path / "out", Options())
    manifest.add({"manifest": 1, "input": "../in", "fill": "levelled"})
    for source, options in (("other", Options()), ("in", Options(fill="air"))):
        with pytest.raises(InputError, match="choose another output folder"):
            run_batch(tmp_path / source, tmp_path / "out", options)


def test_a_torn_line_costs_one_line_wherever_it_was_cut(tmp_path):
    manifest = Manifest(tmp_path / NAME)
    manifest.add({"manifest": 1}, {"case": "ä", "status": "started"})
    whole = manifest.path.read_bytes()
    for cut in range(1, len(whole)):
        manifest.path.write_bytes(whole[:cut])
        manifest.add({"case": "b", "status": "failed"})
        assert manifest.read()[1]["b"]["status"] == "failed" and manifest.read()[2] <= 1
    manifest.path.write_bytes(whole)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Manifest(tmp_path / NAME).add({"case": str(n), "status": "failed"}), range(200)))
    assert len(manifest.read()[1]) == 201 and manifest.read()[2] == 0


@pytest.fixture
def queue(tmp_path):
    """(manifest, queue): a defaced, a blocked and a failed case."""
    manifest = Manifest(tmp_path / NAME)
    manifest.add(
        {"manifest": 1},
        {
            "case": "a",
            "kind": "file",
            "input": "../in/a",
            "status": "defaced",
            "outputs": ["../out/a"],
            "mask": "a_m",
            "warned_checks": ["chin", "nose"],
        },
        {"case": "b", "kind": "file", "input": "../in/b", "status": "started"},
        {"case": "b", "kind": "file", "input": "../in/b", "status": "blocked", "failed_checks": ["chin", "mouth"]},
        {"case": "c", "kind": "file", "input": "../in/c", "status": "failed", "error": "unreadable"},
        {"case": "d", "kind": "file", "input": "../in/d", "status": "blocked", "failed_checks": ["chin"]},
        {"case": "e", "kind": "file", "input": "../in/e", "status": "started"},
    )
    return manifest, review.load_queue(tmp_path)


def test_the_queue_is_gone_through_and_filtered(queue):
    _manifest, items = queue
    assert [item.case for item in items] == ["a", "b", "c", "d"]
    chin = review.filtered(items, check="chin")
    assert [item.case for item in chin] == ["a", "b", "d"] and items[0].warned_checks == ("chin", "nose")
    assert [item.case for item in review.filtered(items, status="failed")] == ["c"]
    assert review.failed_checks(items) == {"chin": 2, "mouth": 1} and review.warned_checks(items) == {"chin": 1, "nose": 1}
    assert [item.case for item in review.filtered(items, failed="chin")] == ["b", "d"]
    assert [item.case for item in review.filtered(items, warned="chin")] == ["a"]
    assert review.next_item(chin).case == "a" and review.next_item(chin, "b").case == "d"
    assert review.next_item(chin, "d") is None and review.previous_item(chin, "a") is None
    assert review.previous_item(items, "c").case == "b" and review.previous_item(items).case == "d"
    with pytest.raises(InputError, match="not in this queue"):
        review.next_item(chin, "c")


def test_what_a_person_decides_is_kept_and_a_batch_leaves_it_alone(queue, tmp_path):
    manifest, (a, b, c, d) = queue
    accepted = review.mark(tmp_path, a, "accepted", by="Dr A")
    corrected = review.mark(tmp_path, b, "corrected", outputs=[tmp_path.parent / "out" / "b"], mask=tmp_path / "new")
    items = review.load_queue(manifest.path)
    assert items[0] == accepted and accepted.by == "Dr A" and items[1] == corrected
    assert corrected.outputs == (tmp_path.parent / "out" / "b",) and corrected.status == "blocked" and corrected.by
    assert review.reviewed(items) == (2, 4)
    assert review.next_open(items, "c").case == "d" and review.next_open(items, "d").case == "c"
    assert [item.case for item in review.filtered(items, open_only=True)] == ["c", "d"]
    for item, verdict, why in ((c, "accepted", "nothing to accept"), (d, "fine", "no verdict")):
        with pytest.raises(InputError, match=why):
            review.mark(tmp_path, item, verdict)
    # Run anew, a case is open again.
    manifest.add({"case": "a", "kind": "file", "input": "../in/a", "status": "defaced"})
    assert review.load_queue(tmp_path)[0].review is None
    with pytest.raises(InputError, match="no manifest"):
        review.load_queue(Path(__file__).parent)


def test_outputs_are_those_of_single_runs(finished, head_file, tmp_path):
    """Overlapping changes nothing: the same voxels as ``run`` writes."""
    assert main(["run", str(head_file), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    single = read_volume(tmp_path / "out" / "head_defaced.nii.gz").stored
    for name in released(finished[0] / "out"):
        assert np.array_equal(read_volume(finished[0] / "out" / name).stored, single)

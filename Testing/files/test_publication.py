"""All results of a case get their names together or not at all: what the same command finds and does after a kill."""

import errno
import json
import os
import shutil
import sys
from functools import partial

import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.batch.review_queue import load_queue
from CTADefaceLib.batch.run_batch import run_batch
from CTADefaceLib.cases.options import Options
from CTADefaceLib.errors import OutputError
from CTADefaceLib.files.publish import place_of, publishing
from CTADefaceLib.files.storage import journal
from CTADefaceLib.files.storage.journal import JOURNAL, STAGING, Publication, recover
from CTADefaceLib.files.storage.moves import Move, carry_out, is_one_step
from helpers import fault_points as points
from helpers import phantom
from helpers.fault_points import in_child

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and sends signals")


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory):
    from helpers import fault_scenarios

    folder = tmp_path_factory.mktemp("inputs")
    found = fault_scenarios.scenarios(folder) + fault_scenarios.install_scenarios(folder / "models")
    return {scenario.name: scenario for scenario in found}


# A few calls of some, in the longer ones also between the first name and the last; ``benchmarks/faults.py`` takes all.
@pytest.mark.parametrize(
    "name, fault, calls",
    [
        ("file", points.KILL, (3, 13, 23, 33)),
        ("file", points.FULL, (10,)),
        ("file", points.READ_ONLY, (10,)),
        ("file, blocked", points.KILL, (1, 15)),
        ("one file", points.KILL, range(1, 15)),
        ("DICOM study", points.KILL, (20, 65)),
        ("DICOM study, over an old one", points.KILL, (37,)),
        ("batch", points.KILL, (15, 83)),
        ("correction", points.KILL, (58,)),
        ("rejection", points.KILL, (1, 41)),
        ("training case", points.KILL, range(1, 35, 7)),
        ("picture", points.KILL, range(1, 15, 2)),
        ("model install", points.KILL, range(1, 36, 7)),
        ("model install --overwrite", points.KILL, range(1, 48, 5)),
        ("model remove", points.KILL, range(1, 20, 2)),
    ],
)
def test_the_same_command_makes_good_what_a_fault_has_left(scenarios, tmp_path, name, fault, calls):
    outcome = points.trials(scenarios[name], tmp_path, fault, calls)
    assert not outcome.faults, "\n".join(outcome.faults)
    assert outcome.tried == len(calls)


def publish(folder, content=b"new", overwrite=False):
    """As a release does: a record, a folder of files and a volume."""
    paths = [folder / "kept" / "a.json", folder / "out" / "series", folder / "out" / "a.nii"]
    with publishing(paths, overwrite, folder / "out", paths[1:]) as (record, series, volume):
        series.mkdir()
        for path in (record, series / "1.dcm", volume):
            path.write_bytes(content)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def whole(content=b"new"):
    return dict.fromkeys(("kept/a.json", "out/series/1.dcm", "out/a.nii"), content)


def no_links(*_):
    raise OSError(errno.EPERM, "Operation not permitted")


def other_disk(real, kept):
    """``os.link`` or ``os.rename`` between the hospital's folder and the release folder, which lie on different disks."""

    def call(source, target, **how):
        if (f"/{kept}/" in str(source) and "/out/" in str(target)) or ("/out/" in str(source) and f"/{kept}/" in str(target)):
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(source), None, str(target))
        return real(source, target, **how)

    return call


@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "over old ones"])
@pytest.mark.parametrize("disk", ["plain", "without hard links", "two disks", "two disks without hard links"])
def test_killed_anywhere_all_is_as_before_once_the_next_run_has_looked(tmp_path, monkeypatch, disk, overwrite):
    if "without" in disk:
        monkeypatch.setattr(os, "link", no_links)
    if "two" in disk:
        for name in ("link", "rename", "replace"):
            monkeypatch.setattr(os, name, other_disk(getattr(os, name), "kept"))
    seen = set()
    for number in range(1, 200, 1 if disk == "plain" else 3):
        base = tmp_path / str(number)
        base.mkdir()
        if overwrite:
            publish(base, b"old")
        code, _said = in_child(partial(publish, base, overwrite=overwrite), points.KILL, number, base)
        if code == 0:
            break
        recover(base / "kept")
        found = files(base)
        assert found in (whole(), whole(b"old") if overwrite else {}), (number, found)
        seen.add(found.get("out/a.nii"))
        publish(base, b"newer", overwrite=bool(found))
        assert files(base) == whole(b"newer")
        assert not [path for path in base.rglob("*") if path.name.startswith(STAGING)]
        shutil.rmtree(base)
    assert code == 0 and number > 25 and files(base) == whole()
    # After the last name there is nothing left to do, but for what was replaced or copied.
    assert seen == ({b"old", b"new"} if overwrite else {None, b"new"} if "two" in disk else {None})


def killed_before_the_last_name(folder):
    """A run that has given a record its name, and was killed before the volume got its own; the names of what it left."""

    def action():
        real = os.link

        def link(source, target):
            if str(target).endswith(".nii"):
                os._exit(9)
            real(source, target)

        os.link = link
        with publishing([folder / "kept" / "a.json", folder / "out" / "a.nii"], release=folder / "out") as (record, volume):
            record.write_bytes(b"record")
            volume.write_bytes(b"volume")

    assert in_child(action)[0] == 9 and (folder / "kept" / "a.json").exists()
    return [name for name in os.listdir(folder / "kept") if name.startswith(STAGING)]


def test_what_somebody_else_has_put_there_since_is_left_alone(tmp_path):
    assert len(killed_before_the_last_name(tmp_path)) == 2
    (tmp_path / "kept" / "a.json").unlink()
    (tmp_path / "kept" / "a.json").write_bytes(b"somebody else's")
    (tmp_path / "out" / "a.nii").write_bytes(b"volume")
    recover(tmp_path / "kept")
    assert files(tmp_path) == {"kept/a.json": b"somebody else's", "out/a.nii": b"volume"}


def test_a_torn_line_in_the_journal_was_followed_by_nothing(tmp_path):
    names = killed_before_the_last_name(tmp_path)
    (path,) = [tmp_path / "kept" / name for name in names if name.endswith(JOURNAL)]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    recover(tmp_path / "kept")
    assert files(tmp_path) == {"kept/a.json": b"record"}


def test_a_run_that_works_is_left_alone_also_within_one_process(tmp_path):
    with Publication(tmp_path) as first:
        first.stage(tmp_path / "a.txt").write_text("a")
        recover(tmp_path)
        with Publication(tmp_path) as second:
            second.stage(tmp_path / "b.txt").write_text("b")
            second.commit()
        first.commit()
    assert files(tmp_path) == {"a.txt": b"a", "b.txt": b"b"}


def test_without_locks_what_is_old_is_over(tmp_path, monkeypatch):
    def unsupported(_stream):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(journal, "lock", unsupported)
    killed_before_the_last_name(tmp_path)
    recover(tmp_path / "kept")
    assert (tmp_path / "kept" / "a.json").exists(), "it may still work"
    for path in (tmp_path / "kept").glob(STAGING + "*" + JOURNAL):
        os.utime(path, (1, 1))
    recover(tmp_path / "kept")
    assert files(tmp_path) == {}


def test_a_failure_at_the_last_name_takes_back_the_others(tmp_path):
    publish(tmp_path, b"old")
    (tmp_path / "out" / "a.nii").unlink()
    (tmp_path / "out" / "a.nii" / "in the way").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"a\.nii: cannot be written"):
        publish(tmp_path, overwrite=True)
    assert files(tmp_path) == {name: b"old" for name in ("kept/a.json", "out/series/1.dcm")}


def old_folder_and_file(folder):
    (folder / "series").mkdir()
    for name in ("series/1.dcm", "a.json"):
        (folder / name).write_bytes(b"old")
    return {"series/1.dcm": b"old", "a.json": b"old"}


def test_what_was_staged_but_never_written_deletes_no_previous_version(tmp_path):
    before = old_folder_and_file(tmp_path)
    with pytest.raises(FileNotFoundError), Publication(tmp_path) as own:
        own.stage(tmp_path / "series", overwrite=True)
        own.stage(tmp_path / "a.json", overwrite=True).write_bytes(b"new")
        own.commit()
    assert files(tmp_path) == before


def test_a_failure_beside_a_deletion_is_told_as_it_is_and_deletes_nothing(tmp_path):
    before = old_folder_and_file(tmp_path)
    with Publication(tmp_path) as own:
        with pytest.raises(OutputError, match="disk"), own.part():
            own.remove(tmp_path / "series")
            own.stage(tmp_path / "a.json", overwrite=True).write_bytes(b"new")
            raise OutputError("The disk is full.")
        own.commit()
    assert files(tmp_path) == before


def test_a_folder_that_another_program_makes_at_the_last_moment_stays(tmp_path):
    place = tmp_path / "staged"
    place.mkdir()
    (place / "new.dcm").write_bytes(b"new")
    move = Move(str(tmp_path / "series"), str(place), str(tmp_path / "old"), str(tmp_path / "near"), overwrite=True)
    assert is_one_step(move, tmp_path)
    before = old_folder_and_file(tmp_path) | {"staged/new.dcm": b"new"}
    with pytest.raises(FileExistsError):
        carry_out(move, keep=False)
    assert files(tmp_path) == before


def test_what_is_unfinished_is_never_in_the_release_folder(tmp_path):
    out, kept = tmp_path / "out", tmp_path / "kept"
    assert place_of([kept / "a.json", out / "a.nii"], out) == kept
    assert place_of([out / "deep" / "a.nii"], out) == tmp_path
    assert place_of([out / "a_facemask.nii"]) == out


def test_a_case_that_was_released_before_anybody_heard_of_it_gets_no_second_record(scenarios, tmp_path):
    """Killed between the last name and the line in the manifest."""
    scenario = scenarios["batch"]
    scenario.prepare(tmp_path)
    assert scenario.command(tmp_path) == 0
    manifest = tmp_path / "out-hospital-only" / NAME
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join(line for line in lines if json.loads(line).get("status") != "defaced") + "\n")
    before = points.state(tmp_path, scenario)
    assert scenario.command(tmp_path) == 0
    after = points.state(tmp_path, scenario)
    assert after.keys() - before.keys() == {"out-hospital-only/batch.jsonl"} and len(load_queue(manifest)) == 2


def test_three_deaths_of_a_case_set_it_aside_and_the_batch_says_how_to_go_on(tmp_path):
    from helpers.dicom_maker import write_mask

    (tmp_path / "in").mkdir()
    for name in "ab":
        sitk.WriteImage(phantom.image(phantom.head_parts()[0]), str(tmp_path / "in" / f"{name}.nii.gz"))
    mask = write_mask(tmp_path / "mask.nii.gz")

    def killed():
        from CTADefaceLib.batch import case_kinds

        real = case_kinds.deface_file
        case_kinds.deface_file = lambda path, *rest: os.kill(os.getpid(), 9) if "a.nii" in str(path) else real(path, *rest)
        run_batch(tmp_path / "in", tmp_path / "out", Options(mask=mask))

    for _ in range(3):
        assert in_child(killed)[0] == -9
    manifest = Manifest(tmp_path / "out-hospital-only" / NAME)
    assert manifest.read()[1]["a.nii.gz"]["attempts"] == 3
    summary = run_batch(tmp_path / "in", tmp_path / "out", Options(mask=mask))
    assert summary.by_status == {"failed": 1, "defaced": 1} and not summary.complete
    told = "\n".join(summary.lines())
    assert "died 3 times" in told and "set aside" in told and "--retry-failed" in told and "cta-deface run" in told
    assert run_batch(tmp_path / "in", tmp_path / "out", Options(mask=mask), retry_failed=True).complete

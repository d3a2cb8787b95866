"""Killed runs, full disks, read-only targets, rival runs, power cuts: never a half or an original in the wrong place."""

import os
import resource
import signal
import sys
import tempfile
from functools import partial

import numpy as np
import pytest
import SimpleITK as sitk

from CTADefaceLib.api import segment_face
from CTADefaceLib.cases.options import Options
from CTADefaceLib.cases.volume_file import deface_file
from CTADefaceLib.errors import CTADefaceError, OutputError
from CTADefaceLib.files.publish import STAGING, publishing
from CTADefaceLib.files.read import read_volume

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and sends signals")

WATCHED = {"open", "os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir"}


@pytest.fixture(scope="module")
def source(small_cranium, tmp_path_factory):
    """(path of a real head without compression, path of its mask, bytes that only the face holds)."""
    folder = tmp_path_factory.mktemp("source")
    mask = segment_face(small_cranium)
    sitk.WriteImage(small_cranium, str(folder / "head.nii"))
    sitk.WriteImage(mask, str(folder / "mask.nii"))
    volume, inside = read_volume(folder / "head.nii"), sitk.GetArrayFromImage(mask) > 0
    rows = [
        volume.stored[k, j, i : i + 6].tobytes() for k, j, i in np.argwhere(inside)[::60] if inside[k, j, i : i + 6].sum() == 6
    ]
    content = (folder / "head.nii").read_bytes()
    assert len(rows) > 20 and all(row in content for row in rows)
    return folder / "head.nii", folder / "mask.nii", rows


def deface(source, out):
    return deface_file(source[0], out, Options(mask=str(source[1]), masks=str(out.parent / "masks")))


def in_child(action):
    """Exit status of ``action()`` in a forked process: negative signal, 0, or 3 for one of our errors."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            action()
            code = 0
        except CTADefaceError:
            code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(number, below, action):
    """Run ``action`` in a child that is killed at its ``number``-th change of the file system below a folder."""

    def hooked():
        left = [number]

        def hook(event, arguments):
            if event not in WATCHED or not str(arguments[0]).startswith(str(below)):
                return
            if event == "open" and (not isinstance(arguments[1], str) or arguments[1] in ("r", "rb")):
                return
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        action()

    return in_child(hooked)


def test_killed_anywhere_there_is_all_or_nothing_and_the_next_run_cleans_up(source, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    reference = deface(source, tmp_path / "reference" / "release")
    expected = read_volume(reference.defaced).stored
    points = 0
    # Every fifth change; ``benchmarks/faults.py`` takes all of them.
    for number in range(1, 200, 5):
        base = tmp_path / str(number)
        code = killed_at(number, base, partial(deface, source, base / "release"))
        out = base / "release"
        files = sorted(p.name for p in out.rglob("*")) if out.exists() else []
        assert files in ([], ["head_defaced.nii"])
        if files:
            assert np.array_equal(read_volume(out / files[0]).stored, expected)
            # Never a release without its record.
            assert (base / "release-hospital-only" / "head_record.json").is_file()
        for path in base.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not any(row in content for row in source[2]), path
        assert list(temporary.iterdir()) == []
        if code == 0:
            break
        assert code == -signal.SIGKILL
        points += 1
        again = Options(mask=str(source[1]), masks=str(base / "masks"), overwrite=True)
        in_child(partial(deface_file, source[0], out, again))
        assert np.array_equal(read_volume(out / "head_defaced.nii").stored, expected)
        assert not [p for p in base.iterdir() if p.name.startswith(STAGING)]
    assert code == 0 and points >= 5


def test_killed_at_any_time_there_is_all_or_nothing(source, tmp_path):
    import time

    for number in range(8):
        base = tmp_path / str(number)
        pid = os.fork()
        if pid == 0:
            deface(source, base / "release")
            os._exit(0)
        time.sleep(0.05 + 0.06 * number)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        files = [p for p in (base / "release").rglob("*")] if (base / "release").exists() else []
        assert [p.name for p in files] in ([], ["head_defaced.nii"])
        assert all(read_volume(p).stored.any() for p in files)


def test_full_disk_leaves_neither_volume_nor_record(source, tmp_path):
    """The kernel's own file size limit stands in for a full disk: the write really fails."""

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        deface(source, tmp_path / "release")

    assert in_child(limited) == 3
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_read_only_target_is_refused_in_one_sentence(source, tmp_path):
    (tmp_path / "file").touch()
    for target in ("/proc/release", str(tmp_path / "file" / "release")):
        with pytest.raises(OutputError, match=r"cannot be|is a file, not a folder"):
            deface_file(source[0], target, Options(mask=str(source[1]), records=str(tmp_path / "records")))
    assert not (tmp_path / "records").exists() or list((tmp_path / "records").iterdir()) == []


def test_of_two_runs_at_one_target_one_wins_and_the_other_says_so(source, tmp_path):
    ready, go = os.pipe()
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)
            code = 1
            try:
                deface(source, tmp_path / "release")
                code = 0
            except OutputError:
                code = 3
            finally:
                os._exit(code)
        children.append(pid)
    os.close(go)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
    os.close(ready)
    assert codes == [0, 3]
    assert [p.name for p in (tmp_path / "release").iterdir()] == ["head_defaced.nii"]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(STAGING)]


def test_what_gets_its_name_is_on_the_disk_before(tmp_path, monkeypatch):
    """A power cut after the rename must not leave an empty file under the final name: content first, then name."""
    order = []
    fsync, link = os.fsync, os.link
    monkeypatch.setattr("os.fsync", lambda handle: (order.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))[1])
    monkeypatch.setattr("os.link", lambda a, b: (order.append(f"-> {b}"), link(a, b))[1])
    with publishing([tmp_path / "kept" / "r.json", tmp_path / "release" / "a.nii"]) as staged:
        for path in staged:
            path.write_bytes(b"content")
    names = [entry.split("/")[-1] if not entry.startswith("->") else entry for entry in order]
    first_rename = next(i for i, name in enumerate(names) if name.startswith("->"))
    assert names[:2] == ["r.json", "a.nii"] and STAGING in names[2] and first_rename > 2
    assert [n.split("/")[-1] for n in names if n.startswith("->")] == ["r.json", "a.nii"]
    assert set(names[-2:]) == {"kept", "release"}


def test_staging_of_a_run_that_still_works_is_left_alone(tmp_path):
    with publishing([tmp_path / "release" / "a.nii"]) as (first,):
        first.write_bytes(b"a")
        with publishing([tmp_path / "release" / "b.nii"]) as (second,):
            second.write_bytes(b"b")
        assert first.read_bytes() == b"a"
    assert sorted(p.name for p in (tmp_path / "release").iterdir()) == ["a.nii", "b.nii"]

"""The worker process for real: the bundled model, warm reuse, cancel, sudden death, nothing left on the disk."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from CTADefaceLib import errors, segment_face
from CTADefaceLib.child_process.pipe import header
from CTADefaceLib.voxels.volume import Geometry
from CTADefaceLib.worker.client import Worker
from helpers import phantom

AFFINE = np.diag([phantom.SPACING_MM] * 3 + [1.0])


@pytest.fixture(scope="module")
def hu():
    return phantom.head_parts()[0]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def worker(temporary):
    worker = Worker()
    yield worker
    worker.close()
    assert not list(temporary.iterdir())


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def process_id(worker):
    return worker._child.process.pid


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_mask_is_the_engines_and_the_second_volume_is_warm(worker, hu):
    seen = []
    first = worker.segment(hu, AFFINE).wait(lambda job: seen.append((job.stage, job.fraction)))
    wanted = segment_face((hu, Geometry.from_affine(AFFINE)))[0]
    assert np.array_equal(first["mask"], wanted != 0)
    assert {"segment", "refine"} & {stage for stage, _ in seen} and seen[-1][1] > seen[0][1]
    pid = process_id(worker)
    second = worker.segment(hu[:, :, ::-1], AFFINE).wait()
    assert process_id(worker) == pid
    assert second["mask"].any() and not np.array_equal(second["mask"], first["mask"])
    # The model stays in memory: only the first volume waits for it.
    assert second["stages"]["load model"] < first["stages"]["load model"] + first["stages"]["read"]


def test_original_voxels_leave_the_disk_as_soon_as_they_are_read(worker, temporary, hu):
    job = worker.segment(hu, AFFINE)
    private = next(temporary.iterdir())
    assert private.stat().st_mode & 0o077 == 0
    assert until(lambda: not (private / "volume.npy").exists(), 60)
    job.wait()
    assert sorted(p.name for p in private.iterdir()) == ["worker.log"]


def test_cancel_kills_the_process_and_the_next_volume_works(worker, temporary, hu):
    job = worker.segment(hu, AFFINE)
    pid = process_id(worker)
    assert until(lambda: job.poll() or job.stage != "start", 60) and not job.done
    job.cancel()
    assert not alive(pid)
    assert isinstance(job.error, errors.Cancelled) and job.result is None
    assert not list(temporary.iterdir())
    assert worker.segment(hu, AFFINE).wait()["mask"].any()


@pytest.mark.parametrize("signal_number, error", [(signal.SIGKILL, errors.OutOfMemory), (signal.SIGSEGV, errors.WorkerDied)])
def test_sudden_death_is_told_and_leaves_nothing(worker, temporary, hu, signal_number, error):
    job = worker.segment(hu, AFFINE)
    os.kill(process_id(worker), signal_number)
    with pytest.raises(error, match="memory" if error is errors.OutOfMemory else "exit code"):
        job.wait()
    assert not list(temporary.iterdir())
    assert not worker.busy


def test_a_program_that_ends_at_once_is_told_and_leaves_nothing(temporary, hu, monkeypatch):
    worker, save = Worker("/bin/false"), np.save

    def slow(*arguments):
        # So large a volume that the process has ended before it is asked.
        save(*arguments)
        worker._child.process.wait()

    monkeypatch.setattr(np, "save", slow)
    with pytest.raises(errors.WorkerDied, match="exit code 1"):
        worker.segment(hu, AFFINE).wait()
    assert not list(temporary.iterdir()) and not worker.busy


def test_engines_errors_come_back_as_what_they_are(worker, hu):
    with pytest.raises(errors.NoFaceError, match=r"scan 7.*no face found"):
        worker.segment(np.where(hu > 0, -100, hu), AFFINE, name="scan 7").wait()
    with pytest.raises(errors.ModelError, match="no model"):
        worker.segment(hu, AFFINE, model="nothing").wait()
    with pytest.raises(errors.InputError, match="not CT numbers"):
        worker.segment(hu + 2000, AFFINE).wait()


def test_missing_torch_is_told_apart(temporary, tmp_path_factory, hu):
    folder = tmp_path_factory.mktemp("broken") / "torch"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('half installed')")
    worker = Worker(environment={**os.environ, "PYTHONPATH": str(folder.parent)})
    with pytest.raises(errors.MissingPackages, match=r"half installed.*install the Python packages"):
        worker.segment(hu, AFFINE).wait()
    worker.close()


def test_one_volume_at_a_time(worker, hu):
    job = worker.segment(hu, AFFINE)
    with pytest.raises(errors.WorkerDied, match="already"):
        worker.segment(hu, AFFINE)
    job.cancel()


def test_idle_worker_ends_and_is_started_again(temporary, hu):
    worker = Worker(idle_seconds=0.5)
    worker.segment(hu, AFFINE).wait()
    assert until(lambda: not worker.running)
    assert worker.segment(hu, AFFINE).wait()["mask"].any()
    worker.close()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("when", ["busy", "idle"])
def test_worker_and_its_files_are_gone_when_the_application_is_killed(temporary, hu, when):
    code = (
        "import numpy as np, sys, time, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from CTADefaceLib.worker.client import Worker\n"
        "w = Worker(); j = w.segment(np.load(sys.argv[2]), np.diag([3., 3, 3, 1]))\n"
        "while sys.argv[3] == 'idle' and not j.poll(): time.sleep(0.02)\n"
        "print(w._child.process.pid, flush=True); time.sleep(60)"
    )
    np.save(temporary / "hu.npy", hu)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(temporary), str(temporary / "hu.npy"), when], stdout=subprocess.PIPE, text=True
    )
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate()
    assert until(lambda: not alive(pid), 60)
    assert [p.name for p in temporary.iterdir()] == ["hu.npy"]


def with_site(folder, code):
    """The environment of a process that runs ``code`` before anything of ours."""
    (folder / "sitecustomize.py").write_text(code)
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_what_libraries_print_does_not_reach_the_application(temporary, tmp_path_factory, hu):
    noise = (
        "import os, threading, time\n"
        "def chatter():\n"
        "    while True:\n"
        "        os.write(1, b'{\"event\": \"done\"}\\n\\0CTADeface'); print('chatter', flush=True); time.sleep(0.005)\n"
        "threading.Thread(target=chatter, daemon=True).start(); time.sleep(0.1)\n"
    )
    worker = Worker(environment=with_site(tmp_path_factory.mktemp("site"), noise))
    job = worker.segment(hu, AFFINE)
    assert job.wait()["mask"].any() and "chatter" in job.log
    assert worker.segment(hu, AFFINE).wait()["mask"].any()
    worker.close()


@pytest.mark.parametrize(
    "said, told",
    [(header([1000]) + b"half", "worker process died"), (header([14]) + b"\x80\x05ctorch\nnone\n.", "cannot be read here")],
)
def test_an_answer_that_is_cut_off_or_unknown_is_told_and_leaves_nothing(temporary, tmp_path_factory, hu, said, told):
    code = f"import os; os.write(1, {said!r}); os._exit(3)"
    worker = Worker(environment=with_site(tmp_path_factory.mktemp("site"), code))
    with pytest.raises(errors.WorkerDied, match=told):
        worker.segment(hu, AFFINE).wait()
    assert not worker.busy and not worker.running and not list(temporary.iterdir())
    worker.close()


def test_an_error_that_only_torch_knows_comes_back_as_its_text(temporary, tmp_path_factory, hu):
    folder = tmp_path_factory.mktemp("site") / "torch"
    folder.mkdir()
    (folder / "__init__.py").write_text("class Odd(Exception): pass\nraise Odd('odd on purpose')")
    worker = Worker(environment={**os.environ, "PYTHONPATH": str(folder.parent)})
    with pytest.raises(errors.WorkerDied, match="Odd: odd on purpose"):
        worker.segment(hu, AFFINE).wait()
    # It lives on.
    assert worker.running
    worker.close()


LAUNCHER = """#!{python}
import subprocess, sys
print("launcher says hello")
code = subprocess.call([{python!r}, *sys.argv[1:]])
if code < 0:
    print("error: [python] exit abnormally - Report the problem.", file=sys.stderr)
sys.exit(code if code >= 0 else 1)
"""


@pytest.fixture
def launcher(tmp_path_factory):
    """As PythonSlicer: a process that starts the real Python as its child and hands on input, output and exit code."""
    path = tmp_path_factory.mktemp("bin") / "launcher"
    path.write_text(LAUNCHER.format(python=sys.executable))
    path.chmod(0o755)
    return path


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_launcher_and_its_child_are_both_killed_by_cancel(temporary, launcher, hu):
    worker = Worker(python=launcher)
    assert worker.segment(hu, AFFINE).wait()["mask"].any()
    job = worker.segment(hu, AFFINE)
    pid = process_id(worker)
    child = children(pid)[0]
    job.cancel()
    assert until(lambda: not alive(pid) and not alive(child), 1)
    assert not list(temporary.iterdir())


def test_death_behind_a_launcher_is_told_and_leaves_nothing(temporary, launcher, hu):
    worker = Worker(python=launcher)
    job = worker.segment(hu, AFFINE)
    assert until(lambda: children(process_id(worker)))
    os.kill(children(process_id(worker))[0], signal.SIGKILL)
    with pytest.raises(errors.WorkerDied, match=r"exit abnormally.*memory"):
        job.wait()
    assert not list(temporary.iterdir())

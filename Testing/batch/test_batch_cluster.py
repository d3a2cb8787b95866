"""A batch on a real Dask scheduler with worker processes, of which one is killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
import SimpleITK as sitk

from CTADefaceLib.batch.manifest import NAME, Manifest
from CTADefaceLib.cli.main import main
from CTADefaceLib.files.publish import STAGING

pytest.importorskip("distributed", reason="needs the extra 'cluster'")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")

NAMES = [f"case{number:02d}" for number in range(9)]
NUMBERS = [f"case-{number:04d}" for number in range(1, 10)]


@pytest.fixture
def source(small_cranium, tmp_path):
    (tmp_path / "in").mkdir()
    first = tmp_path / "in" / f"{NAMES[0]}.nii.gz"
    sitk.WriteImage(small_cranium, str(first))
    for name in NAMES[1:]:
        shutil.copy(first, tmp_path / "in" / f"{name}.nii.gz")
    return tmp_path / "in"


@pytest.fixture
def start(tmp_path):
    """Starts a Dask process of its own; all are ended after the test."""
    processes = []
    environment = {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(tmp_path / "dask"), "OMP_NUM_THREADS": "1"}

    def begin(*arguments):
        log = tmp_path / f"log{len(processes)}"
        with open(log, "wb") as out:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
                    stdout=out,
                    stderr=out,
                    env=environment,
                )
            )
        return processes[-1], log

    yield begin
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(start):
    """(process, address)"""
    process, log = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    for _ in range(300):
        found = re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text())
        if found:
            return process, found[1]
        time.sleep(0.1)
    pytest.fail(log.read_text())


def start_worker(start, address, name, *more):
    return start("dask_worker", address, "--no-nanny", "--nthreads", "3", "--name", name, "--no-dashboard", *more)[0]


def lines(out):
    path = out.with_name(out.name + "-hospital-only") / NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def ended(out):
    return [line["case"] for line in lines(out) if line.get("status") == "defaced"]


def kill_once_at_work(process, out, killed):
    """Kill a worker while cases are under way: after the second has ended."""
    for _ in range(1200):
        if len(ended(out)) >= 2:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    killed.append(len(ended(out)))


def test_a_worker_that_is_killed_costs_nothing_and_nothing_is_done_twice(source, start, scheduler, tmp_path, capsys):
    _process, address = scheduler
    first, _second = (start_worker(start, address, name, "--resources", "cases=3") for name in ("first", "second"))
    out, killed = tmp_path / "out", []
    killer = threading.Thread(target=kill_once_at_work, args=(first, out, killed))
    killer.start()
    code = main(["batch", str(source), str(out), "--scheduler", address, "--resource", "cases=1", "--quiet"])
    killer.join()
    assert code == 0, capsys.readouterr()
    assert first.returncode == -signal.SIGKILL and 2 <= killed[0] < len(NAMES) - 1
    assert sorted(ended(out)) == [f"{name}.nii.gz" for name in NAMES]
    assert sorted(p.name for p in out.iterdir()) == [f"{number}_defaced.nii.gz" for number in NUMBERS]
    kept = out.with_name("out-hospital-only")
    for what in ("record.json", "record_thumbnail.png", "facemask.nii.gz"):
        assert sorted(p.name for p in kept.glob(f"*_{what}")) == [f"{number}_{what}" for number in NUMBERS]
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith(STAGING)]
    # Every line is whole, and each case was handed out once by this process.
    assert len(lines(out)) == 1 + 2 * len(NAMES)


def test_a_cluster_of_this_machine_notes_what_fails(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.nii.gz").write_bytes(b"no volume")
    assert main(["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--scheduler", "local", "--quiet"]) == 4
    assert "1 case: 1 failed" in capsys.readouterr().out
    assert "cannot be read as NIfTI" in lines(tmp_path / "out")[-1]["error"]


def test_without_a_scheduler_it_says_so(source, tmp_path, capsys, monkeypatch):
    from CTADefaceLib.batch import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    assert main(["batch", str(source), str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:9", "--quiet"]) == 6
    assert "no Dask scheduler answers" in capsys.readouterr().err
    assert main(["batch", str(source), str(tmp_path / "out"), "--resource", "GPU=1", "--quiet"]) == 2
    assert main(["batch", str(source), str(tmp_path / "out"), "--scheduler", "x", "--resource", "GPU", "--quiet"]) == 2
    assert not (tmp_path / "out-hospital-only" / NAME).exists()


def test_a_scheduler_that_dies_leaves_a_state_that_continues_here(source, start, scheduler, tmp_path, capsys):
    for name in NAMES[3:]:
        (source / f"{name}.nii.gz").unlink()
    process, address = scheduler
    out, manifest = tmp_path / "out", Manifest(tmp_path / "out-hospital-only" / NAME)
    worker = start_worker(start, address, "only")

    def kill_all():
        while not any(entry["status"] == "started" for entry in manifest.read()[1].values()):
            time.sleep(0.05)
        worker.kill()
        process.kill()

    killer = threading.Thread(target=kill_all)
    killer.start()
    assert main(["batch", str(source), str(out), "--scheduler", address, "--quiet"]) == 6
    killer.join()
    assert "the same command continues" in capsys.readouterr().err
    assert main(["batch", str(source), str(out), "--quiet"]) == 0
    assert sorted(p.name for p in out.iterdir()) == [f"{number}_defaced.nii.gz" for number in NUMBERS[:3]]

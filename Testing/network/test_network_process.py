"""Networks in a process of their own: the same answers, and no process that is left over."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from CTADefaceLib.errors import Cancelled, DeviceError, ModelError, WorkerDied
from CTADefaceLib.progress import Progress
from CTADefaceLib.network import host as models
from CTADefaceLib.network.process import LIBRARY_PARENT, NetworkProcess

posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def process():
    result = NetworksApart()
    yield result
    result.end()


def data(shape):
    """Noise around the mean of tissue, so that every patch is looked at."""
    return np.random.default_rng(0).normal(0.5, 1, shape).astype(np.float32)


def is_gone(pid):
    """Within 20 s: no such process, or one that only waits for its parent to ask for its exit code."""
    for _ in range(200):
        try:
            with open(f"/proc/{pid}/stat") as stream:
                if stream.read().rsplit(")")[-1].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_answers_are_those_of_this_process(process):
    here, there = models.network(), process.network(None)
    assert there.info == here.info and there.device("cpu") == "cpu"
    reports = []
    progress = Progress(lambda report: reports.append(report.fraction), {"segment": 1.0})
    progress.enter("segment")
    large = data((100, 90, 80))
    found = there.log_odds(large, progress=progress.part(0, 1))
    assert np.allclose(found, here.log_odds(large), atol=1e-4) and found.std() > 1
    assert len(set(reports)) > 2 and reports == sorted(reports)


def test_it_ends_with_the_last_volume_and_starts_again_when_asked(process):
    process.volumes_to_come = 2
    process.begin(None)
    first = process._process
    process.volume_done()
    assert process._process is first and first.poll() is None
    process.volume_done()
    assert first.returncode is not None and process._process is None
    assert process.network(None).log_odds(data((80, 80, 80))).shape == (80, 80, 80)
    assert process._process.pid != first.pid


def test_errors_are_those_of_this_process(process):
    with pytest.raises(ModelError, match="no model or folder"):
        process.network("none")
    with pytest.raises(DeviceError, match="unknown device"):
        process.network(None).device("abacus")
    # A wrong request does not end it.
    assert process._process.poll() is None and process.network(None).device("auto") in ("cpu", "cuda", "mps")


@posix
def test_a_killed_process_is_told_and_the_next_volume_gets_a_new_one(process):
    there = process.network(None)
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(WorkerDied, match="code -9"):
        there.log_odds(data((80, 80, 80)))
    assert there.log_odds(data((80, 80, 80))).shape == (80, 80, 80)


def test_cancelling_ends_it(process):
    there, progress = process.network(None), Progress(lambda report: progress.cancel() if report.fraction else None)
    progress.enter("segment")
    child = process._process
    with pytest.raises(Cancelled):
        there.log_odds(data((160, 100, 90)), progress=progress.part(0, 1))
    assert child.returncode is not None and process._process is None


@posix
def test_it_does_not_outlive_the_process_that_started_it():
    code = ("import sys; from CTADefaceLib.network.process import NetworksApart; p = NetworksApart();"
            "p.network(None); print(p._process.pid, flush=True); sys.stdin.read()")
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=LIBRARY_PARENT, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    assert is_gone(child)

"""Networks in a process of their own: the same answers, and no process that is left over."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from CTADefaceLib.child_process.pipe import header
from CTADefaceLib.child_process.start import LIBRARY_PARENT
from CTADefaceLib.errors import Cancelled, DeviceError, ModelError, WorkerDied
from CTADefaceLib.models import loader
from CTADefaceLib.network.host import NetworksApart, NetworksHere
from CTADefaceLib.network.process import portable
from CTADefaceLib.progress import Progress

posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def networks():
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


def test_answers_are_those_of_this_process(networks):
    here, there = NetworksHere().network(), networks.network()
    assert there.info == here.info and there.device("cpu") == "cpu"
    reports = []
    progress = Progress(lambda report: reports.append(report.fraction), {"segment": 1.0})
    progress.enter("segment")
    large = data((100, 90, 80))
    found = there.log_odds(large, progress=progress.part(0, 1))
    assert np.allclose(found, here.log_odds(large), atol=1e-4) and found.std() > 1
    assert len(set(reports)) > 2 and reports == sorted(reports)


def test_it_ends_with_the_last_volume_and_starts_again_when_asked(networks):
    networks.volumes_to_come = 2
    networks.begin()
    first = networks._child
    networks.volume_done()
    assert networks._child is first and first.running
    networks.volume_done()
    assert first.process.returncode is not None and networks._child is None
    assert networks.network().log_odds(data((80, 80, 80))).shape == (80, 80, 80)
    assert networks._child.process.pid != first.process.pid


def test_errors_are_those_of_this_process(networks):
    with pytest.raises(ModelError, match="no model or folder"):
        networks.network("none")
    with pytest.raises(DeviceError, match="unknown device"):
        networks.network().device("abacus")
    # A wrong request does not end it.
    assert networks._child.process.poll() is None and networks.network().device("auto") in ("cpu", "cuda", "mps")


@posix
def test_a_killed_process_is_told_and_the_next_volume_gets_a_new_one(networks):
    there = networks.network()
    os.kill(networks._child.process.pid, signal.SIGKILL)
    with pytest.raises(WorkerDied, match="code -9"):
        there.log_odds(data((80, 80, 80)))
    assert there.log_odds(data((80, 80, 80))).shape == (80, 80, 80)


def test_cancelling_ends_it(networks):
    there, progress = networks.network(), Progress(lambda report: progress.cancel() if report.fraction else None)
    progress.enter("segment")
    child = networks._child
    with pytest.raises(Cancelled):
        there.log_odds(data((160, 100, 90)), progress=progress.part(0, 1))
    assert child.process.returncode is not None and networks._child is None


@posix
@pytest.mark.parametrize("busy", [False, True])
def test_it_does_not_outlive_the_process_that_started_it(busy):
    code = (
        "import sys; import numpy as np; from CTADefaceLib.network.host import NetworksApart\n"
        "networks = NetworksApart(); there = networks.network()\n"
        "class Told:\n"
        "    def update(self, fraction): print(networks._child.process.pid, flush=True)\n"
        "if sys.argv[1] == 'True': there.log_odds(np.ones((200, 160, 160), 'f4'), progress=Told())\n"
        "Told().update(0); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(busy)], cwd=LIBRARY_PARENT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    assert is_gone(child)


def test_what_libraries_print_there_does_not_reach_this_process(networks, tmp_path, monkeypatch, capfd):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, threading, time\n"
        "def chatter():\n"
        "    while True: os.write(1, b'chatter\\n'); time.sleep(0.005)\n"
        "threading.Thread(target=chatter, daemon=True).start(); time.sleep(0.1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert networks.network().log_odds(data((80, 80, 80))).shape == (80, 80, 80)
    said = capfd.readouterr()
    assert "chatter" in said.err and not said.out


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(torch.ones(2)),
        DeviceError("no such device"),
        OSError(28, "no space left"),
        type("Local", (Exception,), {})("local"),
    ],
)
def test_an_error_can_be_made_again_without_torch(error):
    """In a process that has none: pickle would import what the error is made of."""
    code = (
        "import sys; sys.modules['torch'] = None; import pickle;"
        "error = pickle.load(sys.stdin.buffer); print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=LIBRARY_PARENT, input=pickle.dumps(portable(error)), capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert str(error).splitlines()[0] in done.stdout.decode()
    kept = type(error) if isinstance(error, (DeviceError, OSError)) else RuntimeError
    assert done.stdout.decode().startswith(kept.__name__)


@posix
@pytest.mark.parametrize(
    "said, told", [(header([1000]) + b"half", r"code 3"), (header([14]) + b"\x80\x05ctorch\nnone\n.", "cannot be read here")]
)
def test_an_answer_that_is_cut_off_or_unknown_is_told(networks, tmp_path, monkeypatch, said, told):
    (tmp_path / "sitecustomize.py").write_text(f"import os; os.read(0, 1); os.write(1, {said!r}); os.close(1); os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WorkerDied, match=told):
        networks.network()
    assert networks._child is None


def test_at_most_two_models_are_kept_and_each_is_loaded_once(tmp_path, monkeypatch):
    loaded = []
    load = loader.load_model
    monkeypatch.setattr(loader, "load_model", lambda info: loaded.append(info.name) or load(info))
    networks = NetworksHere()
    folders = [shutil.copytree(networks.network().info.folder, tmp_path / name) for name in ("one", "two")]
    with ThreadPoolExecutor(4) as pool:
        assert len({id(model) for model in pool.map(networks.loaded, [folders[0]] * 8)}) == 1
    assert len(loaded) == 2
    networks.loaded(folders[1])
    networks.volume_done()
    assert networks.loaded(folders[0]) and len(loaded) == 3
    networks.loaded()
    assert len(loaded) == 4

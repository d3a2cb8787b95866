"""Child processes and what is said to them: whole messages whatever else is printed, and no process that is left over."""

import itertools
import os
import pickle
import signal
import time

import numpy as np
import pytest

from CTADefaceLib.child_process.pipe import MARK, Pipe, Unreadable, header
from CTADefaceLib.child_process.start import start_child

posix = pytest.mark.skipif(os.name != "posix", reason="signals")

# What the child process runs; ``Ours`` is a class that only it knows.
SERVED = """
import os, subprocess, sys, time

class Ours:
    pass

def echo(pipe, *words):
    pipe.send(words)
    while True:
        try:
            message = pipe.receive()
        except EOFError:
            return
        print("printed"); sys.stdout.flush()
        os.write(1, b"written to 1\\n")
        subprocess.run([sys.executable, "-c", "print('from a grandchild')"])
        pipe.send(message)

def told_what_only_it_knows(pipe):
    pipe.send(Ours())
    pipe.send("after it")
    pipe.receive()

def half(pipe):
    pipe.send("whole")
    pipe._sending.write({header!r} + b"half"); pipe._sending.flush()
    os.kill(os.getpid(), 9)

def parent_of_another(pipe):
    pipe.send(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
    time.sleep(60)

def standard_input(pipe):
    pipe.send(sys.stdin.buffer.read())
    pipe.receive()
"""


@pytest.fixture
def start(tmp_path):
    """Starts a function of ``SERVED``; its standard error is the file ``log``."""
    (tmp_path / "served.py").write_text(SERVED.format(header=header([100])))
    children = []

    def start(name, *arguments, **options):
        with open(tmp_path / "log", "wb") as log:
            children.append(
                start_child(
                    f"served:{name}", *arguments, log=log, environment={**os.environ, "PYTHONPATH": str(tmp_path)}, **options
                )
            )
        return children[-1]

    yield start
    for child in children:
        child.end()


@pytest.fixture
def ends():
    """(a ``Pipe`` that reads, the raw stream that it reads from)."""
    reading, writing = os.pipe()
    with open(writing, "wb", 0) as sender, open(reading, "rb") as received, open(os.devnull, "wb") as nowhere:
        pipe = Pipe(received, nowhere)
        yield pipe, sender
        pipe.close()


def framed(message):
    pickled = pickle.dumps(message)
    return header([len(pickled)]) + pickled


def now(pipe, seconds=10):
    """The messages that arrive next without waiting in a read, and whether they were the last."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        messages, ended = pipe.received_now()
        if messages or ended:
            return messages, ended
        time.sleep(0.01)
    raise AssertionError("nothing arrived")


def gone(pid, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as stream:
                if stream.read().rsplit(")")[-1].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_messages_are_heard_whole_and_without_waiting_in_a_read(ends):
    pipe, sender = ends
    assert pipe.received_now() == ([], False)
    first, second = framed("one"), framed({"two": None})
    for part in (first[:3], first[3 : len(MARK) + 2], first[len(MARK) + 2 : -1]):
        sender.write(part)
        assert pipe.received_now() == ([], False)
    sender.write(first[-1:] + second + framed(None)[:-1])
    assert pipe.received_now() == (["one", {"two": None}], False)
    sender.close()
    # Half a message is none.
    assert pipe.received_now() == ([], True)
    with pytest.raises(EOFError):
        pipe.receive()


@pytest.mark.parametrize("noise", [b"launcher says hello\r\n", b"\0CTADeface", MARK[:-1] + b"\n", b"\x1a" * 300_000])
def test_what_lies_between_messages_is_skipped_wherever_it_is_cut(ends, noise):
    pipe, sender = ends
    said, heard = noise + framed("one") + noise + framed(2) + noise, []
    cuts = (0, len(noise) - 1, len(noise) + 5, len(noise) + len(framed("one")) + 4, len(said))
    for start, stop in itertools.pairwise(cuts):
        for block in range(start, stop, 50_000):
            sender.write(said[block : min(block + 50_000, stop)])
            heard += pipe.received_now()[0]
    assert heard == ["one", 2]


def test_waiting_and_not_waiting_may_alternate(start):
    """Also with a message that is larger than the pipe."""
    child = start("echo", "a word")
    assert child.pipe.receive() == ("a word",)
    for message in (b"x" * 5_000_000, {"k": (1, 2.5, None)}):
        child.pipe.send(message)
        assert child.pipe.receive() == message
        child.pipe.send(message)
        assert now(child.pipe) == ([message], False)


@pytest.mark.parametrize("waiting", [True, False])
def test_arrays_arrive_as_they_were_and_may_be_written_to(start, waiting):
    child = start("echo")
    child.pipe.receive()
    whole = np.random.default_rng(0).normal(size=(80, 70, 60)).astype(np.float32)
    sent = {"C": whole, "F": whole.T, "a part": whole[::2, 1:], "none": whole[:0], "one": np.float64(3), "bits": whole > 0}
    child.pipe.send(sent)
    heard = child.pipe.receive() if waiting else now(child.pipe)[0][0]
    for name, array in sent.items():
        assert heard[name].dtype == array.dtype and np.array_equal(heard[name], array)
    assert heard["C"].flags.writeable and heard["C"].flags.aligned and heard["F"].flags.f_contiguous


def test_what_a_library_prints_goes_to_the_log(start, tmp_path):
    child = start("echo")
    assert child.pipe.receive() == ()
    child.pipe.send("asked")
    assert child.pipe.receive() == "asked"
    log = (tmp_path / "log").read_text()
    assert all(text in log for text in ("printed", "written to 1", "from a grandchild"))


def test_standard_input_of_the_child_is_empty(start):
    assert start("standard_input").pipe.receive() == b""


@pytest.mark.parametrize("waiting", [True, False])
def test_a_message_whose_class_is_missing_here_is_told_and_the_next_one_is_read(start, waiting):
    child = start("told_what_only_it_knows")
    with pytest.raises(Unreadable, match="served"):
        child.pipe.receive() if waiting else now(child.pipe)
    assert child.pipe.receive() == "after it"


@posix
@pytest.mark.parametrize("waiting", [True, False])
def test_death_within_a_message_is_the_end(start, waiting):
    child = start("half")
    if waiting:
        assert child.pipe.receive() == "whole"
        with pytest.raises(EOFError):
            child.pipe.receive()
    else:
        messages, ended = now(child.pipe)
        assert messages == ["whole"] and (ended or now(child.pipe) == ([], True))
    child.end()
    assert child.process.returncode == -signal.SIGKILL and not child.running


@posix
def test_interrupting_the_shell_is_for_the_parent_only(start):
    child = start("echo")
    child.pipe.receive()
    os.kill(child.process.pid, signal.SIGINT)
    child.pipe.send("still there?")
    assert child.pipe.receive() == "still there?"
    assert os.getpgid(child.process.pid) == os.getpgid(0)


@posix
def test_in_a_session_of_its_own_everything_that_it_started_ends_with_it(start):
    child = start("parent_of_another", own_session=True)
    other = child.pipe.receive()
    assert os.getpgid(other) == child.process.pid != os.getpgid(0)
    child.end()
    assert gone(other) and not child.running


def test_it_ends_with_the_pipe_and_may_be_ended_twice(start):
    child = start("echo")
    child.pipe.receive()
    child.process.stdin.close()
    assert child.process.wait(10) == 0
    child.end()
    child.end()


def test_a_program_that_is_not_there_is_an_error_of_the_system(start, tmp_path):
    with pytest.raises(OSError):
        start("echo", python=tmp_path / "none")

"""What a person sees of the progress: a bar on a terminal, lines in a log, and warnings on lines of their own in both."""

import os
import subprocess
import sys

import pytest

# A run of three stages that warns, logs, and prints a result in its midst.
SCRIPT = """
import logging, sys, time, warnings
from CTADefaceLib.cli.progress_bar import ProgressBar

bar = ProgressBar("head{0}.nii.gz", len(sys.argv) > 1)
tell = bar.apart(lambda text: print(text, flush=True))
bar.progress.begin("read", "segment", "write")
for stage in ("read", "segment", "write"):
    bar.progress.enter(stage)
    for step in range(3):
        time.sleep(0.12)
        bar.progress.update(step / 3)
    print("a warning in " + stage, file=sys.stderr)
    tell("a result in " + stage)
warnings.warn("Python's own warning")
logging.warning("a log message")
bar.progress.finish()
bar.close()
print("after the bar", file=sys.stderr)
"""
SAID = [f"a {what} in {stage}" for stage in ("read", "segment", "write") for what in ("warning", "result")]


def in_a_log(*arguments):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done


def on_a_terminal(*arguments, size=(24, 70)):
    """All that a terminal of so many rows and columns gets from stdout and stderr."""
    termios = pytest.importorskip("termios", reason="Windows has no pseudo-terminals")
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, size)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    try:
        while part := os.read(master, 4096):
            said += part
    except OSError:  # the other end is closed
        pass
    assert process.wait(60) == 0
    os.close(master)
    return said.decode()


def screen(text):
    """The lines that stay on a terminal, and all that ever stood on one between two returns of the cursor."""
    lines, ever = [], []
    for line in text.split("\n"):
        shown = ""
        for part in line.replace("\r\n", "\n").split("\r"):
            shown = part + shown[len(part) :]
            ever.append(part.rstrip())
        lines.append(shown.rstrip())
    return lines, ever


def test_a_log_gets_one_line_for_each_stage_and_nothing_else():
    done = in_a_log()
    assert "\r" not in done.stderr and "|" not in done.stderr
    stages = [line for line in done.stderr.splitlines() if line.startswith("head{0}.nii.gz: ")]
    assert [line.split()[1] for line in stages] == ["read", "segment", "write", "done"]
    assert stages[-1].endswith("done (100 %)") and not any(", (" in line or line.endswith(",") for line in stages)
    assert [line for line in done.stderr.splitlines() if line.startswith("a warning")] == SAID[::2]
    assert done.stdout.splitlines() == SAID[1::2]


def test_quiet_says_only_warnings():
    done = in_a_log("quiet")
    assert "head" not in done.stderr and [*SAID[::2], "after the bar"] == [
        line for line in done.stderr.splitlines() if line.startswith("a")
    ]
    assert "%" not in on_a_terminal("quiet")


def test_a_terminal_gets_a_bar_and_every_other_line_for_itself():
    lines, ever = screen(on_a_terminal())
    own = [line for line in lines if line in SAID]
    assert own == SAID
    assert any(line.endswith("UserWarning: Python's own warning") for line in lines)
    assert "WARNING:root:a log message" in lines and "after the bar" in lines
    bars = [part for part in ever if "%|" in part]
    assert bars and all(part.lstrip()[0].isdigit() and "a warning" not in part and "a result" not in part for part in bars)
    assert not any("| ," in part or part.endswith(",") for part in bars)
    assert all(len(part) <= 70 for part in bars)
    assert {part.partition(": ")[2].partition(",")[0] for part in bars} >= {"read", "segment", "write", "done"}


@pytest.mark.parametrize("size", [(0, 0), (24, 0), (0, 70)])
def test_a_terminal_that_does_not_tell_its_size_gets_a_bar_too(size):
    _lines, ever = screen(on_a_terminal(size=size))
    assert any("segment" in part and "%|" in part for part in ever)

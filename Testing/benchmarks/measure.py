"""Wall time and memory of a command with all its child processes, from Linux's /proc.

Only the standard library is imported, because a child's peak as the kernel counts it begins with the
memory of the process that starts it.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

INTERVAL_S = 0.1
KB = 1024


@dataclass(frozen=True)
class Run:
    """One finished command.

    ``largest_bytes``: the kernel's own peak of its largest process; ``peak_bytes``: of all its processes together as
    sampled, or ``largest_bytes`` if that is more. ``code`` is the exit code.
    """

    seconds: float
    peak_bytes: int
    largest_bytes: int
    code: int
    timed_out: bool


def measured_run(command, log, environment=None, timeout=None):
    """Run ``command`` and sample its process tree about every 0.1 s.

    Parameters: ``log`` path for its standard output, errors go to ``log`` + '.err'; ``environment`` variables
    to add; ``timeout`` in s, after which the command and its children are killed.
    Returns: ``Run``.
    """
    with open(log, "wb") as out, open(f"{log}.err", "wb") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=out,
            stderr=errors,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            return _watch(process, started, timeout)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _watch(process, started, timeout):
    peak, timed_out, ending = 0, False, os.pidfd_open(process.pid)
    try:
        while True:
            before = time.monotonic()
            peak = max(peak, tree_memory(process.pid, least=peak))
            # The kernel walks all pages for one reading; at most a fifth of one core goes into that.
            pause = max(INTERVAL_S, 4 * (time.monotonic() - before))
            if select.select([ending], [], [], pause)[0]:
                break
            if timeout is not None and time.monotonic() - started > timeout and not timed_out:
                timed_out = True
                os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(ending)
    seconds = time.monotonic() - started
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    largest = usage.ru_maxrss * KB
    return Run(seconds, max(peak, largest), largest, process.returncode, timed_out)


def tree_memory(root, least=0):
    """Proportional set size in bytes of a process and its descendants together: what they share counts once.

    Resident sizes alone would count memory once more for every fork (stock forks twelve at a time). They are
    cheap to read, though, and an upper bound: where it does not exceed ``least``, 0 is returned.
    """
    processes = _tree(root)
    if sum(_kilobytes(f"/proc/{pid}/status", "VmRSS") for pid in processes) * KB <= least:
        return 0
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss") for pid in processes) * KB


def _kilobytes(path, key):
    """The figure after ``key`` in a file of /proc; 0 for a process that has just ended."""
    try:
        lines = Path(path).read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith(key + ":")), 0)
    except OSError:
        return 0


def _tree(root):
    found = [root]
    for pid in found:
        try:
            for task in os.scandir(f"/proc/{pid}/task"):
                found += [int(child) for child in Path(task.path, "children").read_text().split()]
        except OSError:
            continue
    return found


def reset_peak_memory():
    """Let this process's peak begin anew; without effect where the kernel does not permit it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_since_reset():
    """Peak resident bytes of this process since the reset, or since its start."""
    return _kilobytes("/proc/self/status", "VmHWM") * KB

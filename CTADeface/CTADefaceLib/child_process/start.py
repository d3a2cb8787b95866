"""Starts a function of this library in a child process of its own, and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from .pipe import Pipe, private_pipes

LIBRARY_PARENT = Path(__file__).resolve().parents[2]
# -c instead of -m: PythonSlicer sets PYTHONPATH itself.
BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from CTADefaceLib.child_process.start import serve_parent; serve_parent(*sys.argv[2:])"
)
KILL_SECONDS = 1.0


class Child:
    """A running child process: ``process``, and ``pipe`` to talk with it. ``start_child`` makes one."""

    def __init__(self, process: subprocess.Popen[bytes], with_descendants: bool) -> None:
        assert process.stdout is not None and process.stdin is not None
        self.process, self.pipe = process, Pipe(process.stdout, process.stdin)
        self._with_descendants = with_descendants

    @property
    def running(self) -> bool:
        """Is the process alive?"""
        return self.process.poll() is None

    def exit_code(self) -> int | None:
        """The exit code of a process whose pipe is closed; waits a moment, None when it has not ended by then."""
        try:
            return self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Kill the process, unless it has ended, and close its pipe."""
        if self._with_descendants:
            _kill_tree(self.process)
        else:
            self.process.kill()
            self.process.wait()
        self.pipe.close()


def start_child(
    function: str,
    *arguments: str,
    python: str | os.PathLike[str] = sys.executable,
    environment: Mapping[str, str] | None = None,
    log: IO[bytes] | None = None,
    own_session: bool = False,
) -> Child:
    """Start ``function(pipe, *arguments)`` in a process of its own.

    Parameters: ``function`` as "CTADefaceLib.room.module:name", called with the child's ``Pipe``; ``python`` the
    interpreter; ``environment`` its variables (None: ours); ``log`` the file for its standard error (None: ours);
    ``own_session`` detaches it from our terminal (no signals, no window), and ``end`` then kills all that it started too.
    If ``function`` returns when its pipe closes, the child ends with our process, however that ends.
    Raises: OSError when it cannot be started.
    """
    options: dict[str, Any] = {}
    if own_session and sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW
    elif own_session:
        options["start_new_session"] = True
    process = subprocess.Popen(
        [str(python), "-c", BOOTSTRAP, str(LIBRARY_PARENT), function, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        **options,
    )
    return Child(process, with_descendants=own_session)


def serve_parent(function: str, *arguments: str) -> None:
    """The child process from its first line to its last."""
    pipe = private_pipes()
    # A shell sends Ctrl-C to both processes; the parent decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, name = function.split(":")
    getattr(import_module(module), name)(pipe, *arguments)
    # Without interpreter shutdown: with torch's modules it takes long, and a thread may still wait for the pipe.
    sys.stderr.flush()
    os._exit(0)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill ``process`` and everything that it started (PythonSlicer is a launcher: its child does the work)."""
    if sys.platform == "win32":
        # Where taskkill is forbidden, the child ends with the launcher, because its standard input then closes.
        if process.poll() is None:
            with suppress(OSError):
                subprocess.run(
                    ["taskkill", "/F", "/T", "/PID", str(process.pid)],
                    capture_output=True,
                    check=False,
                    creationflags=subprocess.CREATE_NO_WINDOW,
                )
    else:
        # The process may have ended already; macOS then refuses permission.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()

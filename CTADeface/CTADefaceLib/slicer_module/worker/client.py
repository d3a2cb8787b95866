"""Starts, asks, watches and stops the worker process; no Slicer and no Qt, so that any program can use it.

Nothing here blocks or needs a thread: ``Job.poll`` is called now and then, by a timer or in a loop.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ... import errors
from ...files.private import open_private
from .pipe import lines_now, make_non_blocking
from .serve import MASK_FILE, VOLUME_FILE

IDLE_SECONDS = 600
LOG_FILE = "worker.log"
LOG_TAIL_BYTES = 20_000
KILL_SECONDS = 1.0
LIBRARY_PARENT = Path(__file__).resolve().parents[3]
# -c instead of -m: PythonSlicer sets PYTHONPATH itself.
BOOTSTRAP = ("import sys; sys.path.insert(0, sys.argv[1]); "
             "from CTADefaceLib.slicer_module.worker.serve import main; main(sys.argv[2], float(sys.argv[3]))")


class Worker:
    """One worker process, started when first needed and kept for the next volume.

    Parameters: ``python`` the interpreter (in Slicer: PythonSlicer); ``environment`` its variables (None: ours);
    ``idle_seconds`` after which it ends by itself.
    """

    def __init__(self, python=sys.executable, environment=None, idle_seconds=IDLE_SECONDS):
        self._command = [str(python), "-c", BOOTSTRAP, str(LIBRARY_PARENT)]
        self._environment = {**(os.environ if environment is None else environment), "PYTHONUTF8": "1"}
        self._idle_seconds = idle_seconds
        self._process = self._folder = self._job = None
        self._unread = b""
        atexit.register(self.close)

    @property
    def running(self):
        """Is the process alive?"""
        return self._process is not None and self._process.poll() is None

    @property
    def busy(self):
        return self._job is not None

    @property
    def process_id(self):
        return self._process.pid if self.running else None

    def segment(self, array, affine, name="volume", model=None, device="cpu", mirroring=False, step_size=0.5,
                ears=False):
        """Begin to segment the face.

        Parameters: ``array`` (k, j, i) in HU; ``affine`` 4x4 from (i, j, k) to RAS mm; the others as for
        ``CTADefaceLib.segment_face``.
        Returns: ``Job`` whose ``result`` is a dict with ``mask`` (bool, shape of ``array``), ``mask_ml``, ``model``,
        ``model_sha256``, ``device``, ``mirroring``, ``step_size``, ``ears``, ``stages``. Raises: OutputError when the temporary
        folder is full, WorkerDied when the process cannot be started or is busy.
        """
        self._begin()
        try:
            with open_private(self._path(VOLUME_FILE), "wb") as stream:
                np.save(stream, np.ascontiguousarray(array))
        except OSError as error:
            place = Path(self._folder.name).parent
            self._stop()
            raise errors.OutputError(f"The temporary folder {place} cannot hold the volume "
                                     f"({error.strerror or error}); free space on that disk.") from error
        shape = array.shape
        return self._ask(lambda answer: self._with_mask(answer, shape), command="segment", name=name,
                         affine=np.asarray(affine, float).tolist(), model=model, device=device, mirroring=mirroring,
                         step_size=step_size, ears=ears)

    def install_model(self, path, name=None, overwrite=False):
        """Begin to install a model from a folder or zip; ``Job.result["model"]`` is its name."""
        self._begin()
        return self._ask(lambda answer: answer, command="install_model", path=str(path), name=name, overwrite=overwrite)

    def log(self):
        """The end of what the process has written to standard error since it started."""
        if self._folder is None:
            return ""
        with open(self._path(LOG_FILE), "rb") as stream:
            stream.seek(max(os.path.getsize(stream.name) - LOG_TAIL_BYTES, 0))
            return stream.read().decode("utf-8", "replace")

    def close(self):
        """End the process and remove its files."""
        if self._job is not None:
            self._job.cancel()
        self._stop()

    def _begin(self):
        if self.busy:
            raise errors.WorkerDied("A volume is being processed already; wait until it is done, or cancel it.")
        if not self.running:
            self._stop()
            self._start()

    def _start(self):
        self._folder = TemporaryDirectory(prefix="CTADeface-", ignore_cleanup_errors=True)
        options = {"start_new_session": True} if os.name == "posix" else {"creationflags": subprocess.CREATE_NO_WINDOW}
        try:
            with open_private(self._path(LOG_FILE), "wb") as log:
                self._process = subprocess.Popen(
                    [*self._command, self._folder.name, str(self._idle_seconds)], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=log, env=self._environment, **options)
        except OSError as error:
            self._stop()
            raise errors.WorkerDied(f"The worker process cannot be started ({error.strerror or error}); "
                                    "reinstall the application.") from error
        make_non_blocking(self._process.stdout)
        self._unread = b""

    def _ask(self, finish, **command):
        self._job = Job(self, finish)
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            # It died just now; polling finds out how.
            pass
        return self._job

    def _answers(self):
        """(answers that have arrived, True when there will be no more)."""
        lines, self._unread, ended = lines_now(self._process.stdout, self._unread)
        # Slicer's launcher may say something too.
        return [json.loads(line) for line in lines if line.startswith(b"{")], ended

    def _with_mask(self, answer, shape):
        packed = np.load(self._path(MASK_FILE))
        self._path(MASK_FILE).unlink()
        return {**answer, "mask": np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape).view(bool)}

    def _path(self, name):
        return Path(self._folder.name, name)

    def _stop(self):
        """Kill the process with all its children, remove its folder. Returns the exit code if it had ended before."""
        code = None
        if self._process is not None:
            code = self._process.poll()
            kill_tree(self._process)
            with suppress(OSError):  # of a process that died at once, what was asked is still to be sent
                self._process.stdin.close()
            self._process.stdout.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._process = self._folder = None
        return code


class Job:
    """One request. ``stage``, ``fraction`` (0 to 1), ``seconds_left`` tell how far it is; ``warnings`` are sentences.

    When ``done``, either ``result`` (a dict) or ``error`` (a ``CTADefaceError``) is set.
    """

    def __init__(self, worker, finish):
        self._worker, self._finish = worker, finish
        self.stage, self.fraction, self.seconds_left = "start", 0.0, None
        self.warnings, self.log = [], ""
        self.done, self.result, self.error = False, None, None

    def poll(self):
        """Take in what the process has said since; returns ``done``."""
        if self.done:
            return True
        answers, ended = self._worker._answers()
        for answer in answers:
            self._take(answer)
        if ended and not self.done:
            self._end(error=self._why_it_died())
            self._worker._stop()
        return self.done

    def wait(self, each=None, interval=0.05):
        """Poll every ``interval`` s until done, calling ``each(job)``; returns ``result`` or raises ``error``."""
        while not self.poll():
            if each is not None:
                each(self)
            time.sleep(interval)
        if self.error is not None:
            raise self.error
        return self.result

    def cancel(self):
        """Kill the process and all its children at once; ``error`` is then ``Cancelled``."""
        if not self.done:
            self._end(error=errors.Cancelled())
            self._worker._stop()

    def _take(self, answer):
        event = answer.pop("event")
        if event == "progress":
            self.stage, self.fraction, self.seconds_left = (answer[k] for k in ("stage", "fraction", "seconds_left"))
        elif event == "warning":
            self.warnings.append(answer["text"])
        elif event == "error":
            self._end(error=getattr(errors, answer["kind"])(answer["text"]))
        else:
            self._end(result=self._finish(answer))

    def _end(self, result=None, error=None):
        self.log = self._worker.log()
        self.done, self.result, self.error = True, result, error
        self._worker._job = None

    def _why_it_died(self):
        try:
            code = self._worker._process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            code = "none"
        said = [line.strip() for line in self._worker.log().splitlines() if line.strip()][-1:]
        # Slicer's launcher does not tell by which signal its child ended.
        abnormal = said and "exit abnormally" in said[0]
        if code in (-9, 137) or (abnormal and self.warnings):
            return errors.OutOfMemory("The system ended the worker process, most likely because memory ran out; close "
                                      "other programs or crop the volume to the head.")
        why = ", ".join([f"exit code {code}", *said])
        return errors.WorkerDied(f"The worker process died ({why}); close other programs in case memory ran out, try "
                                 "again, and repair the Python packages if it happens again.")


def kill_tree(process):
    """Kill ``process`` and everything that it started (PythonSlicer is a launcher: its child does the work)."""
    if os.name == "posix":
        # It has ended; macOS then refuses.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        # A hospital may forbid taskkill: the child then ends with the launcher, as its standard input does.
        with suppress(OSError):
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False,
                           creationflags=subprocess.CREATE_NO_WINDOW)
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()

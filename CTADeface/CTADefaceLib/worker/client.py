"""Starts, asks, watches and stops the worker process; no Slicer and no Qt, so that any program can use it.

Nothing here blocks or needs a thread: ``Job.poll`` is called now and then, by a timer or in a loop.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .. import errors
from ..child_process.pipe import Unreadable
from ..child_process.start import Child, start_child
from ..files.storage.private import open_private
from .serve import MASK_FILE, VOLUME_FILE

IDLE_SECONDS = 600
LOG_FILE = "worker.log"
LOG_TAIL_BYTES = 20_000


class Worker:
    """One worker process, started when first needed and kept for the next volume.

    Parameters: ``python`` the interpreter (in Slicer: PythonSlicer); ``environment`` its variables (None: ours);
    ``idle_seconds`` after which it ends by itself.
    """

    def __init__(
        self,
        python: str | os.PathLike = sys.executable,
        environment: Mapping[str, str] | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._python = python
        self._environment = {**(os.environ if environment is None else environment), "PYTHONUTF8": "1"}
        self._idle_seconds = idle_seconds
        self._child: Child | None = None
        self._folder: TemporaryDirectory | None = None
        self._job: Job | None = None
        atexit.register(self.close)

    @property
    def running(self) -> bool:
        """Is the process alive?"""
        return self._child is not None and self._child.running

    @property
    def busy(self) -> bool:
        """Is a request under way?"""
        return self._job is not None

    def segment(
        self,
        array: np.ndarray,
        affine: np.ndarray,
        name: str = "volume",
        model: str | None = None,
        device: str = "cpu",
        mirroring: bool = False,
        step_size: float = 0.5,
        ears: bool = False,
    ) -> Job:
        """Begin to segment the face.

        Parameters: ``array`` (k, j, i) in HU; ``affine`` 4x4 from (i, j, k) to RAS mm; the others as for
        ``CTADefaceLib.segment_face``.
        Returns: ``Job`` whose ``result`` is a dict with ``mask`` (bool, shape of ``array``), ``mask_ml``, ``model``,
        ``model_sha256``, ``device``, ``mirroring``, ``step_size``, ``ears``, ``stages``. Raises: OutputError when the
        temporary folder is full, WorkerDied when the process cannot be started or is busy.
        """
        self._begin()
        try:
            with open_private(self._path(VOLUME_FILE), "wb") as stream:
                np.save(stream, np.ascontiguousarray(array))
        except OSError as error:
            place = self._path(VOLUME_FILE).parent.parent
            self._stop()
            raise errors.OutputError(
                f"The temporary folder {place} cannot hold the volume ({error.strerror or error}); free space on that disk."
            ) from error
        shape = array.shape
        return self._ask(
            lambda answer: self._with_mask(answer, shape),
            command="segment",
            name=name,
            affine=np.asarray(affine, float).tolist(),
            model=model,
            device=device,
            mirroring=mirroring,
            step_size=step_size,
            ears=ears,
        )

    def install_model(self, path: str | os.PathLike, name: str | None = None, overwrite: bool = False) -> Job:
        """Begin to install a model from a folder or zip; ``Job.result["model"]`` is its name."""
        self._begin()
        return self._ask(lambda answer: answer, command="install_model", path=str(path), name=name, overwrite=overwrite)

    def log(self) -> str:
        """The end of what the process has written to standard error since it started."""
        if self._folder is None:
            return ""
        with open(self._path(LOG_FILE), "rb") as stream:
            stream.seek(max(os.path.getsize(stream.name) - LOG_TAIL_BYTES, 0))
            return stream.read().decode("utf-8", "replace")

    def close(self) -> None:
        """End the process and remove its files."""
        if self._job is not None:
            self._job.cancel()
        self._stop()

    def _begin(self) -> None:
        if self.busy:
            raise errors.WorkerDied("A volume is being processed already; wait until it is done, or cancel it.")
        if not self.running:
            self._stop()
            self._start()

    def _start(self) -> None:
        self._folder = TemporaryDirectory(prefix="CTADeface-", ignore_cleanup_errors=True)
        try:
            with open_private(self._path(LOG_FILE), "wb") as log:
                self._child = start_child(
                    "CTADefaceLib.worker.serve:serve",
                    self._folder.name,
                    str(self._idle_seconds),
                    python=self._python,
                    environment=self._environment,
                    log=log,
                    own_session=True,
                )
        except OSError as error:
            self._stop()
            raise errors.WorkerDied(
                f"The worker process cannot be started ({error.strerror or error}); reinstall the application."
            ) from error

    def _ask(self, finish: Callable[[dict], dict], **command: object) -> Job:
        self._job = Job(self, finish)
        # If the process died just now, polling finds out why.
        with suppress(OSError):
            self._serving.pipe.send(command)
        return self._job

    def _with_mask(self, answer: dict, shape: tuple[int, ...]) -> dict:
        packed = np.load(self._path(MASK_FILE))
        self._path(MASK_FILE).unlink()
        return {**answer, "mask": np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape).view(bool)}

    @property
    def _serving(self) -> Child:
        assert self._child is not None, "Nothing is asked of a process that has not been started."
        return self._child

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return Path(self._folder.name, name)

    def _stop(self) -> None:
        """Kill the process with all its children, remove its folder."""
        if self._child is not None:
            self._child.end()
        if self._folder is not None:
            self._folder.cleanup()
        self._child = self._folder = None


class Job:
    """One request. ``stage``, ``fraction`` (0 to 1), ``seconds_left`` tell how far it is; ``warnings`` are sentences.

    When ``done``, either ``result`` (a dict) or ``error`` (a ``CTADefaceError``) is set.
    """

    def __init__(self, worker: Worker, finish: Callable[[dict], dict]) -> None:
        self._worker, self._finish = worker, finish
        self.stage, self.fraction = "start", 0.0
        self.seconds_left: float | None = None
        self.warnings: list[str] = []
        self.log = ""
        self.done = False
        self.result: dict | None = None
        self.error: errors.CTADefaceError | None = None

    def poll(self) -> bool:
        """Take in the answers since the last call; returns ``done``."""
        if self.done:
            return True
        try:
            answers, ended = self._worker._serving.pipe.received_now()
            for answer in answers:
                self._take(answer)
        except Unreadable as error:
            self._end(
                error=errors.WorkerDied(
                    f"The answer of the worker process cannot be read here ({error}); repair the Python packages."
                )
            )
            self._worker._stop()
            return True
        if ended and not self.done:
            self._end(error=self._why_it_died())
            self._worker._stop()
        return self.done

    def wait(self, each: Callable[[Job], object] | None = None, interval: float = 0.05) -> dict:
        """Poll every ``interval`` s until done, calling ``each(job)``; returns ``result`` or raises ``error``."""
        while not self.poll():
            if each is not None:
                each(self)
            time.sleep(interval)
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result

    def cancel(self) -> None:
        """Kill the process and all its children at once; ``error`` is then ``Cancelled``."""
        if not self.done:
            self._end(error=errors.Cancelled())
            self._worker._stop()

    def _take(self, answer: dict) -> None:
        event = answer.pop("event")
        if event == "progress":
            self.stage, self.fraction, self.seconds_left = (answer[k] for k in ("stage", "fraction", "seconds_left"))
        elif event == "warning":
            self.warnings.append(answer["text"])
        elif event == "error":
            self._end(error=getattr(errors, answer["kind"])(answer["text"]))
        else:
            self._end(result=self._finish(answer))

    def _end(self, result: dict | None = None, error: errors.CTADefaceError | None = None) -> None:
        self.log = self._worker.log()
        self.done, self.result, self.error = True, result, error
        self._worker._job = None

    def _why_it_died(self) -> errors.CTADefaceError:
        code = self._worker._serving.exit_code()
        said = [line.strip() for line in self._worker.log().splitlines() if line.strip()][-1:]
        # Slicer's launcher does not tell by which signal its child ended.
        abnormal = said and "exit abnormally" in said[0]
        if code in (-9, 137) or (abnormal and self.warnings):
            return errors.OutOfMemory(
                "The system ended the worker process, most likely because memory ran out; close "
                "other programs or crop the volume to the head."
            )
        why = ", ".join([f"exit code {'none' if code is None else code}", *said])
        return errors.WorkerDied(
            f"The worker process died ({why}); close other programs in case memory ran out, try "
            "again, and repair the Python packages if it happens again."
        )

"""The worker: answers commands one after the other and keeps the model in memory.

A command and each answer is a dict of plain values. Voxels travel as uncompressed files in the private folder that is
given on the command line: ``volume.npy`` in, ``mask.npy`` (packed bits) out. When the pipe is closed, which it is when
Slicer ends in whatever way, the folder is removed and the process exits.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Nothing here may need a package: a missing one is told as the answer to a command.
from .. import __version__, errors
from ..child_process.pipe import Pipe
from ..files.storage.private import open_private
from ..network.host import NetworksHere
from ..progress import MODEL_STAGES, Progress, Report

VOLUME_FILE = "volume.npy"
MASK_FILE = "mask.npy"
REPORT_INTERVAL_S = 0.1
OUT_OF_MEMORY_TEXTS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def serve(pipe: Pipe, folder: str, idle_seconds: str) -> None:
    """Serve until ``pipe`` is closed or nothing was asked for ``idle_seconds``; ``folder`` is the private one."""
    commands: queue.Queue = queue.Queue()
    threading.Thread(target=_listen, args=(pipe, commands, folder), daemon=True).start()
    serving = Serving(Path(folder), pipe.send)
    while True:
        try:
            command = commands.get(timeout=float(idle_seconds))
        except queue.Empty:
            return
        serving.answer(**command)


def _listen(pipe: Pipe, commands: queue.Queue, folder: str) -> None:
    # Any error of the pipe means that there is nobody to answer any more.
    with suppress(Exception):
        while True:
            commands.put(pipe.receive())
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


class Serving:
    """Answers commands: ``say`` is called with each answer, a dict whose ``event`` is progress, warning, done or error."""

    def __init__(self, folder: Path, say: Callable[[dict], None]) -> None:
        self._folder, self._say = folder, say
        self._networks = NetworksHere()

    def answer(self, command: str, **arguments: object) -> None:
        """Answer one command; an error is an answer too."""
        commands: dict[str, Callable[..., dict]] = {"segment": self.segment, "install_model": self.install_model}
        try:
            self._say({"event": "done", **commands[command](**arguments)})
        except Exception as error:
            traceback.print_exc()
            self._say({"event": "error", **_what(error)})

    def segment(
        self,
        name: str,
        affine: list[list[float]],
        model: str | None,
        device: str,
        mirroring: bool,
        step_size: float,
        ears: bool = False,
    ) -> dict:
        """Segment the volume in the folder, whose (i, j, k) ``affine`` (4x4) maps to RAS mm; the mask is left there."""
        import numpy as np

        from ..face.mask import face_mask, require_face
        from ..face.survey import surveyed
        from ..network.host import overview_model
        from ..network.model_run import ModelRun
        from ..voxels.memory import memory_warning
        from ..voxels.volume import Geometry, Volume

        progress = self._progress()
        progress.begin("read", *MODEL_STAGES, "write")
        progress.enter("read")
        self._networks.begin(model)
        stored = np.load(self._folder / VOLUME_FILE)
        # The original face is on the disk no longer than needed.
        (self._folder / VOLUME_FILE).unlink()
        volume = Volume(stored, Geometry.from_affine(np.asarray(affine, float)), name=name)
        warning = memory_warning(volume)
        if warning:
            self._say({"event": "warning", "text": warning})
        survey = surveyed(volume, overview_model(model), progress)
        mask = face_mask(volume, self._networks, ModelRun(model, device, mirroring, step_size), progress, survey)
        require_face(mask, volume)
        if ears:
            mask = survey.ears.added_to(mask)
        progress.enter("write")
        with open_private(self._folder / MASK_FILE, "wb") as stream:
            np.save(stream, np.packbits(mask))
        progress.finish()
        return {
            "mask_ml": float(volume.geometry.millilitres(int(np.count_nonzero(mask)))),
            "stages": progress.seconds,
            "mirroring": mirroring,
            "step_size": step_size,
            "ears": ears,
            **self._who(model, device),
        }

    def install_model(self, path: str, name: str | None, overwrite: bool) -> dict:
        """Install the model in the folder or zip ``path``."""
        from ..models.store import install_model

        progress = self._progress()
        progress.begin("read", "load model")
        return {"model": install_model(path, name, overwrite, progress).name}

    def _who(self, model: str | None, device: str) -> dict:
        from ..models.folder import checksum

        network = self._networks.network(model)
        return {
            "model": network.info.name,
            "model_sha256": checksum(network.info),
            "device": network.device(device),
            "version": __version__,
        }

    def _progress(self) -> Progress:
        last = 0.0

        def report(state: Report) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= REPORT_INTERVAL_S:
                last = now
                self._say(
                    {"event": "progress", "stage": state.stage, "fraction": state.fraction, "seconds_left": state.seconds_left}
                )

        return Progress(report)


def _what(error: Exception) -> dict[str, str]:
    """``kind`` (the class in ``errors`` that says best what went wrong) and ``text`` for a person."""
    text = str(error) or type(error).__name__
    if isinstance(error, errors.CTADefaceError):
        return {"kind": type(error).__name__, "text": text}
    if isinstance(error, MemoryError) or any(words in text.lower() for words in OUT_OF_MEMORY_TEXTS):
        return {
            "kind": "OutOfMemory",
            "text": f"Memory ran out ({text.splitlines()[0]}); close other programs, "
            "crop the volume to the head, or choose the CPU as device.",
        }
    if isinstance(error, ImportError):
        return {
            "kind": "MissingPackages",
            "text": f"A Python package is missing or broken ({text.splitlines()[0]}); "
            "install the Python packages of CTADeface.",
        }
    return {
        "kind": "WorkerDied",
        "text": f"Unexpected {type(error).__name__}: {text.splitlines()[0]}; please report it with the log.",
    }

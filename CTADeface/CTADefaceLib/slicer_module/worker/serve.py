"""The worker: answers commands from standard input one after the other and keeps the model in memory.

A command and each answer is one line of JSON. Voxels travel as uncompressed files in the private folder that is
given on the command line: ``volume.npy`` in, ``mask.npy`` (packed bits) out. When standard input ends, which
it does when Slicer ends in whatever way, the folder is removed and the process exits.
"""

import json
import os
import queue
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path

from .pipe import lines_now, make_non_blocking

VOLUME_FILE = "volume.npy"
MASK_FILE = "mask.npy"
REPORT_INTERVAL_S = 0.1
LISTEN_INTERVAL_S = 0.05
OUT_OF_MEMORY_TEXTS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def main(folder, idle_seconds):
    """Serve until standard input ends or nothing was asked for ``idle_seconds``."""
    answers = _answers()
    commands = queue.Queue()
    threading.Thread(target=_listen, args=(commands, folder), daemon=True).start()
    while True:
        try:
            command = commands.get(timeout=idle_seconds)
        except queue.Empty:
            return
        _answer(command, Path(folder), answers)


def _answers():
    """A function that writes one answer; what libraries print goes to the log (standard error) instead."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**content):
        stream.write(json.dumps(content) + "\n")
        stream.flush()

    return answer


def _listen(commands, folder):
    for line in _lines(sys.stdin.buffer):
        commands.put(json.loads(line))
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _lines(stream):
    """The lines of a pipe until it ends, without waiting in a read.

    On Windows a library that asks for the standard handles while it is loaded, as OpenBLAS does, waits until no other
    thread reads from them: importing numpy would never end (numpy/numpy#24290).
    """
    make_non_blocking(stream)
    rest, ended = b"", False
    while not ended:
        lines, rest, ended = lines_now(stream, rest)
        yield from lines
        if not lines:
            time.sleep(LISTEN_INTERVAL_S)


def _answer(command, folder, answer):
    try:
        answer(event="done", **COMMANDS[command.pop("command")](folder, answer, **command))
    except Exception as error:
        traceback.print_exc()
        answer(event="error", **_what(error))


def _what(error):
    """``kind`` (the class in ``errors`` that says best what went wrong) and ``text`` for a person."""
    from CTADefaceLib import errors

    text = str(error) or type(error).__name__
    if isinstance(error, errors.CTADefaceError):
        return {"kind": type(error).__name__, "text": text}
    if isinstance(error, MemoryError) or any(words in text.lower() for words in OUT_OF_MEMORY_TEXTS):
        return {"kind": "OutOfMemory", "text": f"Memory ran out ({text.splitlines()[0]}); close other programs, "
                                               "crop the volume to the head, or choose the CPU as device."}
    if isinstance(error, ImportError):
        return {"kind": "MissingPackages", "text": f"A Python package is missing or broken ({text.splitlines()[0]}); "
                                                   "install the Python packages of CTADeface."}
    return {"kind": "WorkerDied", "text": f"Unexpected {type(error).__name__}: {text.splitlines()[0]}; "
                                          "please report it with the log."}


def _progress(answer):
    from CTADefaceLib.progress import Progress

    last = [0.0]

    def report(state):
        now = time.monotonic()
        if now - last[0] >= REPORT_INTERVAL_S:
            last[0] = now
            answer(event="progress", stage=state.stage, fraction=state.fraction, seconds_left=state.seconds_left)

    return Progress(report)


def _segment(folder, answer, name, affine, model, device, mirroring, step_size, ears=False):
    import numpy as np

    from CTADefaceLib import pipeline
    from CTADefaceLib.files.private import open_private
    from CTADefaceLib.memory import memory_warning
    from CTADefaceLib.progress import MODEL_STAGES
    from CTADefaceLib.segment import models
    from CTADefaceLib.volume import Geometry, Volume

    progress = _progress(answer)
    progress.begin("read", *MODEL_STAGES, "write")
    progress.enter("read")
    models.begin(model)
    stored = np.load(folder / VOLUME_FILE)
    # The original face is on the disk no longer than needed.
    (folder / VOLUME_FILE).unlink()
    volume = Volume(stored, Geometry.from_affine(affine), name=name)
    warning = memory_warning(volume)
    if warning:
        answer(event="warning", text=warning)
    mask = pipeline.face_mask(volume, model, device, mirroring, step_size, progress, ears=ears)
    pipeline.require_face(mask, volume)
    progress.enter("write")
    with open_private(folder / MASK_FILE, "wb") as stream:
        np.save(stream, np.packbits(mask))
    progress.finish()
    return {"mask_ml": volume.geometry.millilitres(np.count_nonzero(mask)), "stages": progress.seconds,
            "mirroring": mirroring, "step_size": step_size, "ears": ears, **_who(model, device)}


def _who(model, device):
    from CTADefaceLib import __version__
    from CTADefaceLib.model.folder import checksum
    from CTADefaceLib.segment import models

    network = models.network(model)
    return {"model": network.info.name, "model_sha256": checksum(network.info), "device": network.device(device),
            "version": __version__}


def _install_model(folder, answer, path, name, overwrite):
    from CTADefaceLib.model.store import install_model

    progress = _progress(answer)
    progress.begin("read", "load model")
    info = install_model(path, name, overwrite, progress)
    return {"model": info.name}


COMMANDS = {"segment": _segment, "install_model": _install_model}

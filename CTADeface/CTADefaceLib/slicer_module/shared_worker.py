"""The one worker process of this application: PythonSlicer, ended with Slicer."""

import os
import shutil
import sys

import slicer

from ..worker.client import Worker
from .scene.application import application

PASSED_ON = ("CTADEFACE_MODELS",)

_worker = None


def shared_worker():
    """The ``Worker`` that all panels and scripts of this application share; its process starts when first asked."""
    global _worker
    if _worker is None:
        _worker = Worker(python_executable(), application() and _environment())
        if application():
            application().connect("aboutToQuit()", _worker.close)
    return _worker


def stop_worker():
    """End the process and forget it, for instance when the module is reloaded."""
    global _worker
    if _worker is not None:
        if application():
            application().disconnect("aboutToQuit()", _worker.close)
        _worker.close()
        _worker = None


def process_events():
    """Let the application answer the user while a script waits."""
    if application():
        application().processEvents()


def redraw():
    """Let the application draw its windows, but do nothing that the user asks for: the caller is not to be disturbed."""
    if application():
        import qt

        application().processEvents(qt.QEventLoop.ExcludeUserInputEvents)


def python_executable():
    """PythonSlicer, which runs with Slicer's packages; the running interpreter when that is a Python itself."""
    return shutil.which("PythonSlicer") or sys.executable


def _environment():
    """Slicer's own from before its launcher changed it, with the folder of models that this process uses."""
    ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**slicer.util.startupEnvironment(), **ours}

"""The one worker process of this application: PythonSlicer, ended with Slicer."""

from __future__ import annotations

import os
import shutil
import sys

import slicer

from ..network.host import NetworksApart
from ..worker.client import Worker
from .packages.installed import missing
from .scene.application import application

PASSED_ON = ("CTADEFACE_MODELS",)

_worker: Worker | None = None


def shared_worker() -> Worker:
    """The ``Worker`` that all panels and scripts of this application share; its process starts with the first request."""
    global _worker
    if _worker is None:
        running = application()
        _worker = Worker(python_executable(), child_environment())
        if running:
            running.connect("aboutToQuit()", _worker.close)
    return _worker


def stop_worker() -> None:
    """End the process and forget it, for instance when the module is reloaded."""
    global _worker
    if _worker is not None:
        running = application()
        if running:
            running.disconnect("aboutToQuit()", _worker.close)
        _worker.close()
        _worker = None


def networks_to_ask() -> NetworksApart | None:
    """The networks for one case, in a process of PythonSlicer that ends with it: torch stays out of the application. None
    where their packages are missing."""
    return None if missing() else NetworksApart(1, python_executable(), child_environment())


def process_events() -> None:
    """Let the application answer the user while a script waits."""
    running = application()
    if running:
        running.processEvents()


def redraw() -> None:
    """Let the application draw its windows, but leave the user's clicks and keys for later: nothing may disturb the caller."""
    running = application()
    if running:
        import qt

        running.processEvents(qt.QEventLoop.ExcludeUserInputEvents)


def python_executable() -> str:
    """PythonSlicer, which runs with Slicer's packages; the running interpreter when that is a Python itself."""
    return shutil.which("PythonSlicer") or sys.executable


def child_environment() -> dict[str, str] | None:
    """Variables of a process of ours: those that Slicer's launcher was started with, and the folder of models that this
    process uses; None (the same as ours) without an application."""
    if application() is None:
        return None
    ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**slicer.util.startupEnvironment(), **ours}

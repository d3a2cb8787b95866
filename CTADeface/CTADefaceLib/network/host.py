"""Who holds the models in memory, each loaded once: this process, or, for the shell, a separate one."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from ..child_process.pipe import Unreadable
from ..child_process.start import Child, start_child
from ..errors import WorkerDied
from ..progress import StageProgress

if TYPE_CHECKING:
    # For types alone: the shell starts the other process before it imports anything large.
    import numpy as np

    from ..models.folder import ModelInfo
    from ..models.loader import LoadedModel

LEAST_FULL_RESOLUTION_MM = 2.0
MOST_MODELS_KEPT = 2
# The kinds of message from the process of networks: a fraction of the request, its answer, or the error that was raised.
PROGRESS, ANSWER, ERROR = range(3)


class RunnableNetwork(Protocol):
    """The network of a model, wherever it runs; ``info`` describes the model."""

    info: ModelInfo

    def device(self, name: str) -> str:
        """The name of the device that 'auto' or ``name`` means. Raises: DeviceError."""

    def log_odds(
        self,
        data: np.ndarray,
        device: str = "cpu",
        mirroring: bool = False,
        step_size: float = 0.5,
        progress: StageProgress | None = None,
    ) -> np.ndarray:
        """Log-odds of face against the best other class, float32 (S, A, R).

        Parameters: ``data`` float32 (S, A, R), normalised, on the model's grid; ``device`` 'cpu', 'cuda', 'mps' or
        'auto'; ``mirroring`` test-time mirroring; ``step_size`` of the sliding window in patches, above 0 and at
        most 1. Raises: DeviceError, Cancelled, WorkerDied.
        """


class Networks(Protocol):
    """The networks of a run: whoever runs cases holds them and hands them to each case; not for two threads at once."""

    def begin(self, name: str | None = None) -> None:
        """Begin to load a model in the background; the later ``network`` raises what goes wrong."""

    def network(self, name: str | None = None) -> RunnableNetwork:
        """The network of the model called ``name`` or in the folder ``name`` (None: the bundled one).

        Raises: ModelError, DeviceError, WorkerDied.
        """

    def volume_done(self) -> None:
        """Say that the face of a volume has been found, so that the volume needs no network any more."""


def overview_model(name: str | None = None) -> ModelInfo:
    """The model that looks at the whole volume; for a full-resolution model that is the bundled one. Raises: ModelError."""
    from ..models.store import find_model

    info = find_model(name)
    return find_model() if min(info.spacing) < LEAST_FULL_RESOLUTION_MM else info


class NetworksHere:
    """Networks in this process: each model is loaded once, and the last two are kept. For any number of threads."""

    def __init__(self) -> None:
        # A second caller waits for the one that already loads the same model.
        self._loading = threading.Lock()
        self._load = lru_cache(maxsize=MOST_MODELS_KEPT)(_load)

    def begin(self, name: str | None = None) -> None:
        """As ``Networks.begin``; garbage collection skips all objects that exist after torch's first import."""

        def load() -> None:
            with suppress(Exception), _without_collection():
                # SciPy first: the survey of the volume waits for it, while torch is needed only after the survey.
                import scipy.ndimage  # noqa: F401

                self.loaded(name)

        threading.Thread(target=load, daemon=True).start()

    def network(self, name: str | None = None) -> RunnableNetwork:
        """As ``Networks.network``. Raises: ModelError, DeviceError."""
        model = self.loaded(name)
        # Imports torch, which is loaded by now.
        from .inference import Network

        return Network(model)

    def loaded(self, name: str | None = None) -> LoadedModel:
        """The model itself. Raises: ModelError, DeviceError (torch is missing or too old)."""
        from ..models.store import find_model

        info = find_model(name)
        stamps = tuple(path.stat().st_mtime_ns for path in info.checkpoints)
        with self._loading:
            return self._load(str(info.folder), stamps)

    def volume_done(self) -> None:
        """Nothing: models stay for the next volume."""


class NetworksApart:
    """Networks in a process of their own, started when first needed; for one thread.

    Importing torch takes as long as reading a scan, and both need Python's lock; and torch's memory is free again when
    the process ends. It also ends whenever ours does, because its pipe then closes.

    Parameters: ``volumes_to_come``: after so many volumes the process ends to free its memory; a later request starts it
    again; ``python`` its interpreter, and ``environment`` its variables (None: ours).
    """

    def __init__(
        self,
        volumes_to_come: int = 1,
        python: str | os.PathLike[str] = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.volumes_to_come = volumes_to_come
        self._python, self._environment = python, environment
        self._child: Child | None = None
        self._known: dict[tuple[object, ...], Any] = {}

    def begin(self, name: str | None = None) -> None:
        """As ``Networks.begin``; does nothing where a process is running."""
        with suppress(WorkerDied):
            self._running_child(name)

    def network(self, name: str | None = None) -> RunnableNetwork:
        """As ``Networks.network``. Raises: ModelError, DeviceError, WorkerDied."""
        return _NetworkApart(self, name, self.ask("info", name))

    def volume_done(self) -> None:
        """As ``Networks.volume_done``: the process ends with the last of ``volumes_to_come``."""
        self.volumes_to_come -= 1
        if self.volumes_to_come < 1:
            self.end()

    def end(self) -> None:
        """End the process, if there is one, and give its memory back."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def ask(self, request: str, name: str | None, *arguments: object) -> Any:
        """As ``run``, for a request whose answer never changes: it is kept."""
        key = (request, name, *arguments)
        if key not in self._known:
            self._known[key] = self.run(request, name, *arguments)
        return self._known[key]

    def run(self, request: str, name: str | None, *arguments: object, progress: StageProgress | None = None) -> Any:
        """The answer to a request about the model ``name``.

        Raises: what was raised there; WorkerDied, or what ``progress`` raises, and then the process is gone.
        """
        child = self._running_child(name)
        try:
            self._send(child, request, name, *arguments)
            kind, content = self._received(child)
            while kind == PROGRESS:
                if progress is not None:
                    progress.update(content)
                kind, content = self._received(child)
        except BaseException:
            # An answer left unread would be taken for that of the next request.
            self.end()
            raise
        if kind == ERROR:
            raise content
        return content

    def _running_child(self, name: str | None) -> Child:
        if self._child is None:
            try:
                self._child = start_child(
                    "CTADefaceLib.network.process:serve", python=self._python, environment=self._environment
                )
            except OSError as error:
                raise WorkerDied(
                    f"The process of the network cannot be started ({error.strerror or error}); close other programs."
                ) from error
            self._send(self._child, "begin", name)
        return self._child

    def _send(self, child: Child, *request: object) -> None:
        try:
            child.pipe.send(request)
        except OSError:
            raise self._died(child) from None

    def _received(self, child: Child) -> Any:
        try:
            return child.pipe.receive()
        except (EOFError, OSError):
            raise self._died(child) from None
        except Unreadable as error:
            raise WorkerDied(
                f"The answer of the network's process cannot be read here ({error}); install the Python "
                "packages of CTADeface again."
            ) from error

    def _died(self, child: Child) -> WorkerDied:
        code = child.exit_code()
        self.end()
        return WorkerDied(
            f"The process of the network ended without an answer (code {code}); most often memory ran out: "
            "close other programs, or crop the volume to the head."
        )


class _NetworkApart:
    """A ``RunnableNetwork`` in the process of ``networks``."""

    def __init__(self, networks: NetworksApart, name: str | None, info: ModelInfo) -> None:
        self._networks, self._name, self.info = networks, name, info

    def device(self, name: str) -> str:
        return self._networks.ask("device", self._name, name)

    def log_odds(
        self,
        data: np.ndarray,
        device: str = "cpu",
        mirroring: bool = False,
        step_size: float = 0.5,
        progress: StageProgress | None = None,
    ) -> np.ndarray:
        return self._networks.run("log_odds", self._name, data, device, mirroring, step_size, progress=progress)


def _load(folder: str, stamps: tuple[int, ...]) -> LoadedModel:
    """The model in ``folder``, whose checkpoints were last changed at ``stamps``."""
    from ..models.loader import load_model
    from ..models.store import find_model

    return load_model(find_model(folder))


@contextmanager
def _without_collection() -> Iterator[None]:
    """No garbage collection while torch is imported: its million objects stay, and are frozen afterwards."""
    if "torch" in sys.modules:
        # Freezing again might keep the garbage of earlier cases.
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()

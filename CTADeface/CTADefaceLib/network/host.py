"""The models in memory, each loaded once: in this process, or (shell) in one of its own."""

import gc
import sys
import threading
from contextlib import contextmanager, suppress
from functools import lru_cache

from ..errors import WorkerDied

LEAST_FULL_RESOLUTION_MM = 2.0

# A second caller waits for the one that already loads the same model.
_loading = threading.Lock()
_apart = None


@lru_cache(maxsize=2)
def _load(folder, stamp):
    from ..models.loader import load_model
    from ..models.store import find_model

    return load_model(find_model(folder))


def load_model(name=None):
    """``LoadedModel`` called ``name`` (None: the bundled one) or in the folder ``name``, kept in this process."""
    from ..models.store import find_model

    info = find_model(name)
    stamps = tuple(path.stat().st_mtime_ns for path in info.checkpoints)
    with _loading:
        return _load(str(info.folder), stamps)


def network(name=None):
    """The ``Network`` of a model, or what asks the process in which it runs. Raises: ModelError, DeviceError."""
    if _apart is not None:
        return _apart.network(name)
    model = load_model(name)
    from .inference import Network

    return Network(model)


def overview_model(name=None):
    """``ModelInfo`` of the model that sees the whole volume: a full-resolution model leaves that to the bundled one."""
    from ..models.store import find_model

    info = find_model(name)
    return find_model() if min(info.spacing) < LEAST_FULL_RESOLUTION_MM else info


def keep_apart():
    """From now on networks run in a process of their own; for a process that does not live longer than its work."""
    global _apart
    from .process import NetworkProcess

    _apart = NetworkProcess()


def begin_apart(name=None, volumes=1):
    """Where networks run apart: start the process and load a model, for so many volumes; as ``begin``."""
    if _apart is not None:
        _apart.volumes_to_come = volumes
        begin(name)


def segmented():
    """A volume has got its face: a process of networks ends with the last one, for its memory is needed."""
    if _apart is not None:
        _apart.volume_done()


def begin(name=None):
    """Begin to load a model in the background; what goes wrong is raised by the later ``network``.

    In this process: what exists after torch's first import is never searched for garbage.
    """
    if _apart is not None:
        with suppress(WorkerDied):
            _apart.begin(name)
        return

    def load():
        with suppress(Exception), _collector_spared():
            # First: the survey of what was read waits for it, while torch is needed only after that.
            import scipy.ndimage  # noqa: F401

            load_model(name)

    threading.Thread(target=load, daemon=True).start()


@contextmanager
def _collector_spared():
    """While torch is imported: its modules are a million objects that stay, not to be searched again and again."""
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


class Networks:
    pass


class NetworksHere(Networks):
    def begin(self, name=None):
        begin(name)

    def network(self, name=None):
        return network(name)

    def volume_done(self):
        pass

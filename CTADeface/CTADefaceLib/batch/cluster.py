"""Cases as tasks of a Dask cluster; only this process writes the manifest.

All machines must see input, output and hospital folder under the same paths, and have the same CTADeface.
"""

import logging
import os
import time

from .. import __version__
from ..errors import CTADefaceError, MissingPackages
from ..voxels.memory import available_bytes
from .case_kinds import run_case
from .overlap import LANES

LOCAL = "local"
RETRIES = 2
# Handed out ahead per thread of the workers, so that none waits for this process.
AHEAD = 2
LEAST_WIDTH = 4
WIDTH_HOLDS_S = 5.0
CONNECT_S = 20
# What a worker of a cluster on this machine may use; it ends one that takes more.
WORKER_BYTES = 4 * 2**30


def run_remote(case, where, options):
    """``run_case`` on a worker; its warnings go to the worker's log."""
    return run_case(case, where, options, warn=logging.getLogger("distributed.worker").warning)


def engine_version():
    return __version__


class Cluster:
    """An engine for ``Batch`` on the scheduler at ``address``, or on one made on this machine for 'local'.

    Parameters: ``resources`` what each case takes of a worker's ``--resources``, as {"GPU": 1}; ``retries`` of a case
    that ended by no fault of its own. A case whose worker dies goes to another one, three times by Dask's default.
    Raises: MissingPackages, CTADefaceError when there is no scheduler, or workers have another CTADeface.
    """

    shared = True

    def __init__(self, address, resources=None, retries=RETRIES):
        try:
            from distributed import Client
        except ImportError as error:
            raise MissingPackages("A cluster needs Dask; install it with: pip install dask distributed.") from error
        self._own = _local_cluster() if address == LOCAL else None
        try:
            self._client = Client(self._own or address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CTADefaceError(f"{address}: no Dask scheduler answers there ({error}); start one, or use "
                                 "--scheduler local.") from None
        self._pool = self._client.get_executor(pure=False, retries=retries, resources=resources or {})
        self._width, self._counted = LEAST_WIDTH, float("-inf")
        self._require_same_engine()

    def _require_same_engine(self):
        answers = self._client.run(engine_version, on_error="return")
        for worker, answer in answers.items():
            if answer != __version__:
                self.close()
                raise CTADefaceError(f"Worker {worker} has not CTADeface {__version__} but {answer}; install the same "
                                     "on all machines.")

    @property
    def width(self):
        """How many cases to hand out at a time; workers may come and go."""
        if time.monotonic() - self._counted > WIDTH_HOLDS_S:
            self._width = max(AHEAD * sum(self._client.nthreads().values()), LEAST_WIDTH)
            self._counted = time.monotonic()
        return self._width

    def submit(self, case, where, options, _callback, _warn):
        return self._pool.submit(run_remote, case, where, options)

    def stop(self):
        """Take back what no worker has begun; what one has begun it ends, and a later run does it again."""
        self._pool.shutdown(wait=False)

    def close(self):
        self._client.close()
        if self._own is not None:
            self._own.close()


def _local_cluster():
    """One worker process per core, as far as memory goes; in each, cases overlap."""
    from distributed import LocalCluster

    cores = os.cpu_count() or 1
    memory = available_bytes() or cores * WORKER_BYTES
    workers = max(1, min(cores, memory // WORKER_BYTES))
    return LocalCluster(n_workers=workers, threads_per_worker=LANES, memory_limit=WORKER_BYTES, dashboard_address=None)

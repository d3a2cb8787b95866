"""Cases as tasks of a Dask cluster; only this process writes the manifest.

All machines must see input, output and hospital folder under the same paths, and have the same CTADeface.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import __version__
from ..cases.options import Options
from ..cases.result import Result
from ..errors import CTADefaceError, MissingPackages
from ..extras import how_to_install
from ..network.host import NetworksHere
from ..progress import Report
from ..voxels.memory import available_bytes
from .case_kinds import run_case
from .find import Case, Places
from .overlap import LANES

if TYPE_CHECKING:
    from concurrent.futures import Future

    from distributed import LocalCluster

LOCAL = "local"
# The attribute of a Dask worker that holds the networks of its cases.
NETWORKS = "cta_deface_networks"
RETRIES = 2
# Cases handed out ahead per thread of the workers, so that none waits for this process.
AHEAD = 2
LEAST_WIDTH = 4
WIDTH_HOLDS_S = 5.0
CONNECT_S = 20
# The memory that each worker of a cluster on this machine may use; Dask ends a worker that takes more.
WORKER_BYTES = 4 * 2**30


def run_remote(case: Case, where: Places, options: Options) -> list[Result]:
    """``run_case`` on a worker; its warnings go to the worker's log."""
    return run_case(case, where, options, _networks_of_worker(), warn=logging.getLogger("distributed.worker").warning)


def _networks_of_worker() -> NetworksHere:
    """Those of the Dask worker that runs this, made with its first case."""
    from distributed import get_worker

    return vars(get_worker()).setdefault(NETWORKS, NetworksHere())


def engine_version() -> str:
    return __version__


class Cluster:
    """An engine for ``Batch`` on the scheduler at ``address``, or on one made on this machine for 'local'.

    Parameters: ``resources`` what each case takes of a worker's ``--resources``, as {"GPU": 1}; ``retries`` how often a
    case that failed by no fault of its own is tried again. A case whose worker dies goes to another one, three times by
    Dask's default.
    Raises: MissingPackages, CTADefaceError when there is no scheduler, or workers have another CTADeface.
    """

    shared = True

    def __init__(self, address: str, resources: dict[str, float] | None = None, retries: int = RETRIES) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise MissingPackages(f"A cluster needs Dask; run: {how_to_install('cluster')}") from error
        self._own = _local_cluster() if address == LOCAL else None
        try:
            self._client = Client(self._own or address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CTADefaceError(
                f"{address}: no Dask scheduler answers there ({error}); start one, or use --scheduler local."
            ) from None
        self._pool = self._client.get_executor(pure=False, retries=retries, resources=resources or {})
        self._width, self._counted = LEAST_WIDTH, float("-inf")
        self._require_same_engine()

    def _require_same_engine(self) -> None:
        answers = self._client.run(engine_version, on_error="return")
        for worker, answer in answers.items():
            if answer != __version__:
                self.close()
                raise CTADefaceError(
                    f"Worker {worker} has CTADeface {answer} instead of {__version__}; install the "
                    "same version on all machines."
                )

    @property
    def width(self) -> int:
        """How many cases to hand out at a time; workers may come and go."""
        if time.monotonic() - self._counted > WIDTH_HOLDS_S:
            self._width = max(AHEAD * sum(self._client.nthreads().values()), LEAST_WIDTH)
            self._counted = time.monotonic()
        return self._width

    def submit(
        self, case: Case, where: Places, options: Options, _callback: Callable[[Report], None], _warn: Callable[[str], None]
    ) -> Future[list[Result]]:
        return self._pool.submit(run_remote, case, where, options)

    def stop(self) -> None:
        """Take back the cases that no worker has begun; those under way are finished, and a later run does them again."""
        self._pool.shutdown(wait=False)

    def close(self) -> None:
        self._client.close()
        if self._own is not None:
            self._own.close()


def _local_cluster() -> LocalCluster:
    """One worker process per core, or fewer where memory is short; in each, cases overlap."""
    from distributed import LocalCluster

    cores = os.cpu_count() or 1
    memory = available_bytes() or cores * WORKER_BYTES
    workers = max(1, min(cores, memory // WORKER_BYTES))
    return LocalCluster(n_workers=workers, threads_per_worker=LANES, memory_limit=WORKER_BYTES, dashboard_address=None)

"""Whole-volume arithmetic a few planes at a time: temporaries stay in the cache, and every core works."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

MOST_THREADS = 8
PLANES = 16


def thread_count() -> int:
    """How many threads work on one volume."""
    return min(os.cpu_count() or 1, MOST_THREADS)


def for_slabs(function: Callable[[slice], Result], planes: int, size: int = PLANES) -> list[Result]:
    """Call ``function(slice)`` for slabs of ``size`` of the ``planes`` on all cores (numpy releases Python's lock).

    Returns: what ``function`` returned, in the order of the slabs. Raises: what ``function`` raises.
    """
    slabs = [slice(start, min(start + size, planes)) for start in range(0, planes, size)]
    with ThreadPoolExecutor(thread_count()) as pool:
        return list(pool.map(function, slabs))

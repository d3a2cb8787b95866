"""Whole-volume arithmetic a few planes at a time: temporaries stay in the cache, and every core works."""

import os
from concurrent.futures import ThreadPoolExecutor

MOST_THREADS = 8
PLANES = 16


def thread_count():
    return min(os.cpu_count() or 1, MOST_THREADS)


def for_slabs(function, planes, size=PLANES):
    """Call ``function(slice)`` for slabs of ``size`` planes on all cores (numpy computes without Python's lock).

    Raises: what ``function`` raises.
    """
    slabs = [slice(start, min(start + size, planes)) for start in range(0, planes, size)]
    with ThreadPoolExecutor(thread_count()) as pool:
        return list(pool.map(function, slabs))

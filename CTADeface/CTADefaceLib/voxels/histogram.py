"""How often each stored value occurs: percentiles of a scan without sorting it."""

from __future__ import annotations

import threading

import numpy as np


class Histogram:
    """Counts integers of at most 16 bits; slabs are added once each, from any thread."""

    def __init__(self, dtype: np.dtype) -> None:
        limits = np.iinfo(dtype)
        self.values = np.arange(limits.min, limits.max + 1)
        self._unsigned = np.zeros(len(self.values), np.int64)
        self._lock = threading.Lock()

    @staticmethod
    def fits(dtype: np.dtype) -> bool:
        """Can values of ``dtype`` be counted?"""
        return dtype.kind in "iu" and dtype.itemsize <= 2

    def add(self, stored: np.ndarray) -> None:
        """Count the values of some planes (k, j, i)."""
        # As unsigned numbers the negative values come last; a plane at a time stays in the cache.
        unsigned = stored.astype(stored.dtype.newbyteorder("="), copy=False).view(f"u{stored.dtype.itemsize}")
        for plane in unsigned:
            counts = np.bincount(plane.ravel(), minlength=len(self.values))
            with self._lock:
                self._unsigned += counts

    def counts(self) -> np.ndarray:
        """How often each of ``values``, ascending, occurs."""
        return np.roll(self._unsigned, -self.values[0])

    def percentile(self, percent: float, without: np.ndarray | None = None) -> float:
        """As ``numpy.percentile`` of all that was added.

        Parameters: ``without`` bool per entry of ``values``: left out, unless nothing would remain.
        """
        counts = self.counts()
        body = counts if without is None else np.where(without, 0, counts)
        cumulated = np.cumsum(body if body.any() else counts)
        rank = (cumulated[-1] - 1) * percent / 100
        below, above = self.values[np.searchsorted(cumulated, [np.floor(rank), np.ceil(rank)], side="right")]
        return below + (above - below) * (rank - np.floor(rank))

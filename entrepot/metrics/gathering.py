"""Figures of what happens with every request: gathered in memory, and written down once a second.

To write each at once would cost more than some of these requests.
"""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from prometheus_client.utils import floatToGoString

from entrepot.metrics.families import Family
from entrepot.metrics.series import SeriesFile, series_key

_INTERVAL = 1.0  # seconds

Key = tuple[Family, tuple[str, ...]]


class Gathering:
    """Counters, histograms and gauges of one process; what is told may be told in any thread.

    A gauge is the sum of all changes to it. Run `run` beside the server.
    """

    def __init__(self, counters: SeriesFile, histograms: SeriesFile, gauges: SeriesFile) -> None:
        self._counters = counters
        self._histograms = histograms
        self._gauges = gauges
        self._lock = threading.Lock()
        self._counted: dict[Key, float] = defaultdict(float)
        self._observed: dict[Key, list[float]] = {}
        self._levels: dict[Key, float] = defaultdict(float)
        self._known: set[Key] = set()

    def count(self, family: Family, values: tuple[str, ...]) -> None:
        with self._lock:
            self._counted[family, values] += 1

    def observe(self, family: Family, values: tuple[str, ...], value: float) -> None:
        """A value of a histogram."""
        key = family, values
        with self._lock:
            sums = self._observed.get(key)
            if sums is None:
                sums = self._observed[key] = [0.0] * (len(family.bounds) + 1)
            sums[bisect_left(family.bounds, value)] += 1
            sums[-1] += value

    def change(self, family: Family, values: tuple[str, ...], by: int) -> None:
        """A gauge goes up or down."""
        with self._lock:
            self._levels[family, values] += by

    async def run(self) -> None:
        """Write each second until cancelled, then a last time."""
        try:
            while True:
                await asyncio.sleep(_INTERVAL)
                self.write()
        finally:
            self.write()

    def write(self) -> None:
        """Write down what was gathered since."""
        with self._lock:
            counted, self._counted = self._counted, defaultdict(float)
            observed, self._observed = self._observed, {}
            levels = dict(self._levels)
        for (family, values), amount in counted.items():
            self._counters.add(series_key(family, "_total", values), amount)
        for key, sums in observed.items():
            self._write_histogram(key, sums)
        for (family, values), level in levels.items():
            self._gauges.set(series_key(family, "", values), level, 0.0)

    def _write_histogram(self, key: Key, sums: Sequence[float]) -> None:
        family, values = key
        is_new = key not in self._known
        self._known.add(key)
        for bound, amount in zip(family.bounds, sums, strict=False):
            # The first time those that stay empty are told, too.
            if amount or is_new:
                self._histograms.add(series_key(family, "_bucket", values, floatToGoString(bound)), amount)
        self._histograms.add(series_key(family, "_sum", values), sums[-1])

"""A `Meter` whose figures are summed over all processes of a server, and read by `exposition`."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client.utils import floatToGoString

from entrepot.metrics import families
from entrepot.metrics.directory import claim_slot
from entrepot.metrics.families import FILL_SECONDS, Family
from entrepot.metrics.gathering import Gathering
from entrepot.metrics.series import SeriesFile, series_key

K = TypeVar("K", bound=Hashable)

_MOST_UPSTREAMS = 64
_OTHER = "other"

_METHODS = {name: name.lower() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}

_CODES = frozenset(
    {200, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 416, 429, 500, 502, 503, 504}
)
"""Statuses that are told apart; what else an upstream may say is one of its class."""


class _Keys(dict[K, Any]):
    """What is made of a key once, and looked up from then on."""

    def __init__(self, make: Callable[[K], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> Any:
        made = self[key] = self._make(key)
        return made


class PrometheusMeter:
    """Counts in a slot of `directory`, which it holds for as long as the process lives. Raises OSError.

    Make it in the process that counts, not before a fork. Upstreams beyond the 64th are counted as `other`. Closing it
    frees the slot, as the end of the process does.
    """

    def __init__(self, directory: Path) -> None:
        self._slot, self._descriptor = claim_slot(directory)
        # What the process before knew of breakers died with it.
        (directory / f"gauge_livemax_{self._slot}.db").unlink(missing_ok=True)
        self._counters = SeriesFile(directory, "counter", self._slot)
        self._histograms = SeriesFile(directory, "histogram", self._slot)
        self._latest = SeriesFile(directory, "gauge_max", self._slot)
        self._last_told = SeriesFile(directory, "gauge_mostrecent", self._slot)
        self._breakers = SeriesFile(directory, "gauge_livemax", self._slot)
        gathered = f"requests{self._slot}"
        # What the process before was answering died with it.
        (directory / f"gauge_livesum_{gathered}.db").unlink(missing_ok=True)
        self._gathered = [SeriesFile(directory, kind, gathered) for kind in ("counter", "histogram", "gauge_livesum")]
        self._gathering = Gathering(*self._gathered)
        self._lock = threading.Lock()
        self._upstreams: _Keys[str] = _Keys(self._bounded)
        self._served: _Keys[tuple[str, str]] = _Keys(_served_keys)
        self._keys: _Keys[tuple[Family, str, tuple[str, ...]]] = _Keys(lambda key: series_key(*key))
        self._buckets: _Keys[tuple[str, str]] = _Keys(self._new_buckets)

    def served(self, kind: str, outcome: str, size: int) -> None:
        responses, served_bytes = self._served[kind, outcome]
        with self._lock:
            self._counters.add(responses, 1)
            self._counters.add(served_bytes, size)

    def fetched(self, upstream: str, size: int) -> None:
        self._count(families.FETCHED_BYTES, size, self._upstreams[upstream])

    def filled(self, upstream: str, seconds: float, *, succeeded: bool) -> None:
        values = (self._upstreams[upstream], "succeeded" if succeeded else "failed")
        with self._lock:
            self._histograms.add(self._buckets[values][bisect_left(FILL_SECONDS, seconds)], 1)
            self._histograms.add(self._keys[families.FILLS, "_sum", values], seconds)

    def evicted(self, upstream: str, reason: str, entries: int, size: int) -> None:
        self._count(families.EVICTED_ENTRIES, entries, self._upstreams[upstream], reason)
        self._count(families.EVICTED_BYTES, size)

    def answered(self, upstream: str, status: int) -> None:
        name = self._upstreams[upstream]
        self._count(families.UPSTREAM_RESPONSES, 1, name, _code(status))
        # A 401 may be the first half of signing in, or its failure.
        if 200 <= status < 400 or status == 404:
            self._set(self._latest, families.LAST_SUCCESS, name, time.time())

    def remaining(self, upstream: str, pulls: int) -> None:
        self._set(self._last_told, families.RATE_LIMIT, self._upstreams[upstream], pulls)

    def suspended(self, upstream: str, *, is_open: bool) -> None:
        self._set(self._breakers, families.SUSPENDED, self._upstreams[upstream], is_open)

    def notified(self, endpoint: str, kind: str) -> None:
        self._count(families.NOTIFICATIONS, 1, kind, self._upstreams[endpoint])

    def notification_answered(self, endpoint: str, status: int) -> None:
        self._count(families.NOTIFICATION_STATUSES, 1, _code(status), self._upstreams[endpoint])

    def pending(self, endpoint: str, events: int) -> None:
        self._set(self._last_told, families.NOTIFICATIONS_PENDING, self._upstreams[endpoint], events)

    def lost(self, reason: str, events: int) -> None:
        self._count(families.NOTIFICATIONS_LOST, events, reason)

    def begun(self, handler: str) -> None:
        self._gathering.change(families.HTTP_IN_FLIGHT, (handler,), 1)

    def ended(self, handler: str) -> None:
        self._gathering.change(families.HTTP_IN_FLIGHT, (handler,), -1)

    def requested(self, handler: str, method: str, status: int, seconds: float, *, received: int, sent: int) -> None:
        verb = _METHODS.get(method, "unknown")
        self._gathering.count(families.HTTP_REQUESTS, (handler, str(status), verb))
        self._gathering.observe(families.HTTP_SECONDS, (handler, verb), seconds)
        self._gathering.observe(families.HTTP_RECEIVED, (handler,), received)
        self._gathering.observe(families.HTTP_SENT, (handler,), sent)

    def acted(self, driver: str, action: str, seconds: float) -> None:
        self._gathering.observe(families.STORAGE_SECONDS, (driver, action), seconds)

    async def run(self) -> None:
        """Write down what is gathered of requests, beside the server and until cancelled."""
        await self._gathering.run()

    def close(self) -> None:
        """Let a successor count on. Nothing may be counted afterwards."""
        for file in (*self._gathered, self._counters, self._histograms, self._latest, self._last_told, self._breakers):
            file.close()
        os.close(self._descriptor)

    def _count(self, family: Family, amount: float, *values: str) -> None:
        with self._lock:
            self._counters.add(self._keys[family, "_total", values], amount)

    def _set(self, file: SeriesFile, family: Family, name: str, value: float) -> None:
        with self._lock:
            file.set(self._keys[family, "", (name,)], value, time.time())

    def _new_buckets(self, values: tuple[str, str]) -> list[str]:
        keys = [series_key(families.FILLS, "_bucket", values, floatToGoString(bound)) for bound in FILL_SECONDS]
        for key in keys:
            self._histograms.add(key, 0)  # those that stay empty are told, too
        return keys

    def _bounded(self, upstream: str) -> str:
        return upstream if len(self._upstreams) < _MOST_UPSTREAMS else _OTHER


def _served_keys(key: tuple[str, str]) -> tuple[str, str]:
    return series_key(families.RESPONSES, "_total", key), series_key(families.SERVED_BYTES, "_total", key)


def _code(status: int) -> str:
    if status in _CODES:
        return str(status)
    if not status:
        return "none"
    return f"{status // 100}xx" if 100 <= status < 600 else _OTHER

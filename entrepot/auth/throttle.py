"""How often somebody may fail: who guesses passwords is answered without a look at them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from entrepot.oci.errors import TooManyRequests

_FAILURES, _PERIOD = 10, 60.0  # so many within so many seconds
_LARGEST = 10_000
_LONGEST_NAME = 128
"""Characters that count: a client chooses how many it sends, and all of them would be kept."""


class Throttle:
    """Counts failures of each client and name. On the event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    def check(self, client: str, name: str) -> None:
        """Raises TooManyRequests for who has failed too often of late."""
        count, since = self._failures.get((client, name[:_LONGEST_NAME]), (0, 0.0))
        left = since + _PERIOD - self._clock()
        if count >= _FAILURES and left > 0:
            raise TooManyRequests("too many failed attempts", headers=[("retry-after", str(math.ceil(left)))])

    def failed(self, client: str, name: str) -> None:
        """Count a failure."""
        now, key = self._clock(), (client, name[:_LONGEST_NAME])
        count, since = self._failures.get(key, (0, now))
        if since + _PERIOD <= now:
            count, since = 0, now
        if len(self._failures) >= _LARGEST:
            self._failures = {}
        self._failures[key] = (count + 1, since)

"""A circuit breaker: who fails again and again is left in peace for a while. No I/O, and no clock of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from entrepot.oci.errors import UpstreamUnreachable


@dataclass(frozen=True, slots=True)
class Tolerance:
    """So many failures one after the other open the breaker, for `first` seconds, then twice as long up to `longest`.

    A request that is given up after `slow` seconds without an answer counts as failed, whoever gave it up.
    """

    failures: int = 5
    first: float = 1.0
    longest: float = 5.0
    slow: float = 1.0


class Breaker:
    """Closed: all may ask. Open: nobody. Half-open, when the time is over: one, and its luck decides.

    Whoever was admitted says how it went: `succeed`, `fail` or `forgo`, with what `admit` has answered.
    """

    def __init__(
        self,
        tolerance: Tolerance,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers from 0 to 1, by which a back-off is shortened, up to a quarter."""
        self._tolerance = tolerance
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._backoff = 0.0
        self._opens_at: float | None = None
        self._is_probed = False

    @property
    def is_open(self) -> bool:
        """Whether requests are refused now; half-open counts, for it is open to one only."""
        return self._opens_at is not None

    def admit(self) -> bool:
        """Let a request pass; answer whether it is the one that finds out. Raises UpstreamUnreachable when open."""
        if self._opens_at is None:
            return False
        left = self._opens_at - self._clock()
        if left > 0 or self._is_probed:
            wait = str(max(1, ceil(left)))
            raise UpstreamUnreachable("the upstream failed too often of late", headers=[("Retry-After", wait)])
        self._is_probed = True
        return True

    def succeed(self) -> bool:
        """An answer came, whatever it said; answer whether this closes the breaker."""
        has_closed = self._opens_at is not None
        self._failures, self._backoff = 0, 0.0
        self._opens_at, self._is_probed = None, False
        return has_closed

    def fail(self, *, is_probe: bool) -> bool:
        """No answer, or one that tells of a failure; answer whether this opens the breaker, that was closed."""
        if is_probe:
            self._open()
            return False
        if self._opens_at is not None:  # asked before it opened
            return False
        self._failures += 1
        if self._failures < self._tolerance.failures:
            return False
        self._open()
        return True

    def forgo(self, *, is_probe: bool) -> None:
        """The request ended without telling anything: another one may find out."""
        if is_probe:
            self._is_probed = False

    def _open(self) -> None:
        tolerance = self._tolerance
        self._backoff = min(self._backoff * 2, tolerance.longest) if self._backoff else tolerance.first
        self._opens_at = self._clock() + self._backoff * (1 - self._chance() / 4)
        self._is_probed = False

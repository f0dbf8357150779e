"""What an upstream says of its rate limits, and the cool-down after it said "too many". No I/O, no clock of its own."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from entrepot.oci.errors import TooManyRequests
from entrepot.upstream.headers import parse_wait
from entrepot.upstream.message import Head

# Docker Hub's form: `76;w=21600`, the number and a window in seconds.
_COUNT = re.compile(r"([0-9]{1,9})(?:\s?;\s?w=([0-9]{1,9}))?")
_LONGEST_SOURCE = 64


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What was last said: pulls in all and left, the window in seconds, and by what we are counted; None: not said."""

    limit: int | None = None
    remaining: int | None = None
    window: int | None = None
    source: str | None = None


class Quota:
    """The state of one upstream's rate limit. While it cools down nobody asks it, so that one 429 is not made many."""

    def __init__(
        self,
        longest: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`longest` bounds a cool-down in seconds; `chance` gives numbers from 0 to 1, to prolong it up to a fifth."""
        self.rate = RateLimit()
        self._longest = longest
        self._clock = clock
        self._chance = chance
        self._ends_at: float | None = None

    @property
    def is_exhausted(self) -> bool:
        """Whether the upstream has said "too many", and nothing better since."""
        return self._ends_at is not None

    def admit(self) -> None:
        """Raise TooManyRequests, with the seconds that are left, during a cool-down."""
        left = 0.0 if self._ends_at is None else self._ends_at - self._clock()
        if left > 0:
            headers = [("Retry-After", str(ceil(left)))]
            raise TooManyRequests("the upstream is asked too often", headers=headers)

    def note(self, head: Head) -> bool:
        """Learn from an answer of the upstream itself; answer whether `is_exhausted` has changed."""
        self.rate = read_rate(head) or self.rate
        was_exhausted, now = self.is_exhausted, self._clock()
        if head.status == 429:
            wait = min(parse_wait(head.header("Retry-After")), self._longest)
            self._ends_at = max(self._ends_at or 0.0, now + wait * (1 + self._chance() / 5))
        elif self._ends_at is not None and now >= self._ends_at:  # not an answer that was under way before
            self._ends_at = None
        return self.is_exhausted is not was_exhausted


def read_rate(head: Head) -> RateLimit | None:
    """What an answer says of the rate limit; None where it says nothing."""
    limit, window = _count(head.header("RateLimit-Limit"))
    remaining, other_window = _count(head.header("RateLimit-Remaining"))
    if limit is None and remaining is None:
        return None
    source = (head.header("Docker-RateLimit-Source") or "")[:_LONGEST_SOURCE]
    return RateLimit(limit, remaining, window or other_window, source or None)


def _count(value: str | None) -> tuple[int | None, int | None]:
    match = _COUNT.fullmatch(value or "")
    if match is None:
        return None, None
    return int(match[1]), None if match[2] is None else int(match[2])

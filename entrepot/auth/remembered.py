"""What was verified a moment ago, so that a client that asks all the time is not verified all the time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from hashlib import blake2b

from entrepot.auth.base import Grant

_LARGEST = 10_000


class Remembered:
    """Grants by the header they were given for, of which only a keyed hash is kept. For any thread.

    `version` stands for what was asked: what was granted by another one counts no more.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # Nobody who reads this memory should be able to try passwords against it elsewhere.
        self._key = secrets.token_bytes(32)
        self._grants: dict[bytes, tuple[Grant, float, object]] = {}

    def find(self, authorization: str, version: object) -> Grant | None:
        found = self._grants.get(self._hash(authorization))
        if found is None:
            return None
        grant, until, granted_by = found
        return grant if granted_by == version and self._clock() < until else None

    def keep(self, authorization: str, version: object, grant: Grant, until: float) -> None:
        """Until a time of the clock."""
        if len(self._grants) >= _LARGEST:
            # Not worth more: each of them is verified anew when it comes again.
            self._grants = {}
        self._grants[self._hash(authorization)] = (grant, until, version)

    def _hash(self, authorization: str) -> bytes:
        return blake2b(authorization.encode("utf-8", "surrogateescape"), key=self._key, digest_size=16).digest()

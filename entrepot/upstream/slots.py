"""How many may ask an upstream at once, and how many may wait for their turn. Knows nothing of what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrepot.oci.errors import UpstreamUnreachable


class Slots:
    """At most `count` at once, the rest in the order they came: at most `queue` wait, none longer than `patience` s."""

    def __init__(self, count: int, queue: int, patience: float) -> None:
        self._free = asyncio.Semaphore(count)
        self._queue = queue
        self._patience = patience
        self._waiting = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot. Raises UpstreamUnreachable where there is no room to wait, and after `patience`."""
        if self._waiting >= self._queue and self._free.locked():
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()


def _busy() -> UpstreamUnreachable:
    return UpstreamUnreachable("too many downloads from the upstream are under way", headers=[("Retry-After", "1")])

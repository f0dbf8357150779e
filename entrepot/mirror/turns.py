"""Turns: how a crowd that wants the same bytes gets them one after the other instead of all at the same time.

Each body under way costs the server a quarter of a megabyte of memory, and the crowd as a whole is served sooner when
few are served fast. Must not know what is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache

AT_ONCE = 16
LASTS = 0.25
"""Seconds of a turn. Whoever is not done by then goes on, but holds up nobody: a slow client must not."""


class Turns:
    """Lets so many have a turn at the same time; the others wait, first come, first served."""

    def __init__(self, at_once: int = AT_ONCE, lasts: float = LASTS) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._lasts = lasts

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Entered when the turn comes; over when it is left, or when its time is."""
        await self._free.acquire()
        end = cache(self._free.release)
        timer = asyncio.get_running_loop().call_later(self._lasts, end)
        try:
            yield
        finally:
            timer.cancel()
            end()

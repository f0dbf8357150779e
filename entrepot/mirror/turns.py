"""Turns: how a crowd that wants the same bytes gets them one after the other instead of all at the same time.

Each body under way costs the server a quarter of a megabyte of memory, and the crowd as a whole is served sooner when
few are served fast. Must not know what is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import cache

AT_ONCE = 16
LASTS = 0.25
"""Seconds in which a turn must come to something."""

WORTH, MOST = 1024 * 1024, 4
"""Bytes that make it last as long again, and how often. Then its holder goes on, but no longer holds up the others."""

Moved = Callable[[int], None]
"""Told how many bytes have been sent."""


class Turns:
    """Lets so many have a turn at the same time; the others wait, first come, first served."""

    def __init__(self, at_once: int = AT_ONCE, lasts: float = LASTS, worth: int = WORTH) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._lasts = lasts
        self._worth = worth

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[Moved, None]:
        """Entered when the turn comes; over when it is left, or does not come to anything."""
        await self._free.acquire()
        turn = _Turn(self._free.release, self._lasts, self._worth)
        try:
            yield turn.moved
        finally:
            turn.end()


class _Turn:
    """One of them."""

    def __init__(self, release: Callable[[], None], lasts: float, worth: int) -> None:
        self._release = cache(release)
        self._lasts = lasts
        self._worth = worth
        self._count = self._looks = 0
        self._timer = self._later()

    def moved(self, count: int) -> None:
        self._count += count

    def end(self) -> None:
        self._timer.cancel()
        self._release()

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._lasts, self._look)

    def _look(self) -> None:
        self._looks += 1
        if self._count < self._worth or self._looks >= MOST:
            self._release()
            return
        self._count = 0
        self._timer = self._later()

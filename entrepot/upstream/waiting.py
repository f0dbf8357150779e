"""How long an upstream is waited for, and waits that neither lose a cancellation nor last for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from entrepot.oci.errors import UpstreamUnreachable

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: to connect, to wait for the next bytes, and for a whole answer (None: no bound).

    `slowest` is in bytes a second, over twice `idle`: an answer that drips below it counts as stalled; 0 allows any.
    How long to wait for an answer's head is for the caller to say, with `deadline`.
    """

    connect: float
    idle: float
    whole: float | None
    slowest: int = 0


async def cancellable(answer: Awaitable[_T]) -> _T:
    """What `answer` gives; CancelledError where the task was cancelled meanwhile, whatever came of `answer`.

    When a cancellation meets an answer that has just come, the HTTP client may give the answer and forget the
    cancellation. Every wait for it goes through here, or deadlines and cancellations would be lost at random.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task can be cancelled")
    before = task.cancelling()
    try:
        return await answer
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Raise UpstreamUnreachable when the block takes longer; it may be rescheduled, to None to lift it."""
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            yield timeout
    except TimeoutError:
        if not timeout.expired():  # somebody else's, passing through
            raise
        raise UpstreamUnreachable("the upstream did not answer in time") from None

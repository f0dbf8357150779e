"""Long loops that never wait, because the store answers from memory: other requests get their turn in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

_TURN = 128
"""Items; at the 20 to 100 µs that a look into the store takes, a few milliseconds."""


async def taking_turns(items: Iterable[T], every: int = _TURN, pause: float = 0.0) -> AsyncIterator[T]:
    """The items as they are; after `every` so many of them everything else that is ready runs, for `pause` seconds."""
    for index, item in enumerate(items, 1):
        yield item
        if index % every == 0:
            await asyncio.sleep(pause)

"""Pouring: a stream of chunks goes through a hasher to a file while the next chunks arrive. Knows neither end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from entrepot.oci.digest import Hasher

BATCH = 1024 * 1024
"""Bytes handed to a thread at once: large enough that the hand-over costs nothing, small enough to overlap."""

Chunk = TypeVar("Chunk", bytes, memoryview)

Write = Callable[[Iterable[Chunk]], Awaitable[None]]
"""Takes each chunk once, in order, on the thread that writes them: taking hashes them, while they are in its cache."""


async def pour(
    chunks: AsyncIterator[Chunk],
    write: Write[Chunk],
    hasher: Hasher | None,
    patience: float = math.inf,
    first: int = BATCH,
) -> None:
    """Write and hash every chunk, in order; returns when all are written.

    At most two batches are in memory; while chunks arrive, none is gathered for longer than `patience` seconds. The
    first has `first` bytes at least, each further one up to twice as many. When `chunks` raises, what arrived before
    is still written and hashed, so that file and hasher agree, and the error goes on.
    """
    running: asyncio.Future[None] | None = None
    try:
        async for batch in _batches(chunks, patience, first):
            if running is not None:
                await asyncio.shield(running)
            running = asyncio.ensure_future(write(batch if hasher is None else _hashed(batch, hasher)))
        if running is not None:
            await asyncio.shield(running)
    finally:
        # Also when we are cancelled: whoever cleans up after us closes the file that a thread still writes to.
        if running is not None:
            await _wait_out(running)


async def _wait_out(running: asyncio.Future[None]) -> None:
    """Return when the task is over, however it ended; a cancellation is held back until then."""
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            cancelled = error
    if not running.cancelled():
        running.exception()  # seen: the error that ended the pouring is on its way already
    if cancelled is not None:
        raise cancelled


def _hashed(batch: Sequence[Chunk], hasher: Hasher) -> Iterator[Chunk]:
    for chunk in batch:
        hasher.update(chunk)
        yield chunk


async def _batches(chunks: AsyncIterator[Chunk], patience: float, wanted: int) -> AsyncIterator[list[Chunk]]:
    clock = asyncio.get_running_loop().time
    batch: list[Chunk] = []
    size, begun = 0, clock()
    try:
        async for chunk in chunks:
            batch.append(chunk)
            size += len(chunk)
            if size >= wanted or clock() - begun > patience:
                yield batch
                batch, size, begun = [], 0, clock()
                wanted = min(2 * wanted, BATCH)
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch

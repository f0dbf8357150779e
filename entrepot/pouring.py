"""Pouring: a stream of chunks goes to a file and through a hasher while the next chunks arrive. Knows neither end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from entrepot.oci.digest import Hasher

BATCH = 1024 * 1024
"""Bytes handed to a thread at once: large enough that the hand-over costs nothing, small enough to overlap."""

INLINE = 32 * 1024
"""Up to this many bytes are hashed where they are: a hand-over to a thread would take longer."""

Chunk = TypeVar("Chunk", bytes, memoryview)

Write = Callable[[Sequence[Chunk]], Awaitable[None]]


async def pour(
    chunks: AsyncIterator[Chunk], write: Write[Chunk], hasher: Hasher | None, patience: float = math.inf
) -> None:
    """Write and hash every chunk, in order; returns when all are written.

    At most two batches are in memory; while chunks arrive, none is gathered for longer than `patience` seconds. When
    `chunks` raises, what arrived before is still written and hashed, so that file and hasher agree, and the error
    goes on.
    """
    running: asyncio.Task[None] | None = None
    try:
        async for batch in _batches(chunks, patience):
            if running is not None:
                await asyncio.shield(running)
            running = asyncio.ensure_future(_settle(batch, write, hasher))
        if running is not None:
            await asyncio.shield(running)
    finally:
        # Also when we are cancelled: whoever cleans up after us closes the file that a thread still writes to.
        if running is not None:
            await _wait_out(running)


async def _settle(batch: list[Chunk], write: Write[Chunk], hasher: Hasher | None) -> None:
    if hasher is None:
        await write(batch)
    elif sum(map(len, batch)) <= INLINE:
        _update(hasher, batch)
        await write(batch)
    else:
        hashing = asyncio.get_running_loop().run_in_executor(None, _update, hasher, batch)
        try:
            await write(batch)
        finally:
            await hashing


async def _wait_out(running: asyncio.Task[None]) -> None:
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


def _update(hasher: Hasher, batch: list[Chunk]) -> None:
    for chunk in batch:
        hasher.update(chunk)


async def _batches(chunks: AsyncIterator[Chunk], patience: float) -> AsyncIterator[list[Chunk]]:
    clock = asyncio.get_running_loop().time
    batch: list[Chunk] = []
    size, begun = 0, clock()
    try:
        async for chunk in chunks:
            batch.append(chunk)
            size += len(chunk)
            if size >= BATCH or clock() - begun > patience:
                yield batch
                batch, size, begun = [], 0, clock()
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch

"""Past the cache: a blob from its upstream to one client, where nothing can be kept.

As in a fill, the end is held back until length and digest agree. Must not know why the cache cannot be used.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import NamedTuple

from entrepot.mirror.fill import HELD_BACK
from entrepot.mirror.transfer import Open, Transfer
from entrepot.oci.digest import Digest, Hasher, new_hasher
from entrepot.oci.errors import RegistryError, UpstreamFailed
from entrepot.telemetry import get_logger
from entrepot.wire.ranges import Span

log = get_logger(__name__)

_PIECE = 1 << 20


class Kept(NamedTuple):
    """The first `size` bytes of a blob in an open file, which nobody has verified."""

    descriptor: int
    size: int


NOTHING = Kept(-1, 0)


async def bypass(
    open_upstream: Open, digest: Digest, size: int, wanted: Span, kept: Kept = NOTHING
) -> AsyncGenerator[memoryview, None]:
    """The bytes of `wanted`; fewer where the upstream fails, or where the blob of `size` bytes is not `digest`."""
    window = _Window(wanted, size - HELD_BACK)
    try:
        async with aclosing(_verified(open_upstream, digest, window, kept, size)) as parts:
            async for part in parts:
                yield part
    except RegistryError as error:
        log.warning("bypass_failed", digest=digest, error=str(error))


async def _verified(
    open_upstream: Open, digest: Digest, window: _Window, kept: Kept, size: int
) -> AsyncGenerator[memoryview, None]:
    hasher = new_hasher(digest.algorithm)
    await asyncio.to_thread(_hash, hasher, kept)
    for offset in range(window.wanted.start, kept.size, _PIECE):
        for part in window.take(memoryview(_read(kept, offset)), offset):
            yield part
    async with Transfer(open_upstream, kept.size, size) as transfer:
        async for chunk in transfer.chunks():
            hasher.update(chunk)
            for part in window.take(chunk, transfer.position - len(chunk)):
                yield part
    actual = Digest.from_hasher(digest.algorithm, hasher)
    if transfer.position != size or actual != digest:
        raise UpstreamFailed(f"the upstream sent {actual}")
    for part in window.held:
        yield part


class _Window:
    """What of the bytes that go by is wanted: at once below `limit`, else `held` until all is known to be right."""

    def __init__(self, wanted: Span, limit: int) -> None:
        self.held: list[memoryview] = []
        self.wanted = wanted
        self._limit = limit

    def take(self, chunk: memoryview, at: int) -> Iterator[memoryview]:
        limit = max(at, self._limit)
        early = _cut(chunk, at, self.wanted.start, min(self.wanted.stop, limit))
        late = _cut(chunk, at, max(self.wanted.start, limit), self.wanted.stop)
        if late:
            # Copied: the network's buffer is larger than what is held.
            self.held.append(memoryview(bytes(late)))
        if early:
            yield early


def _cut(chunk: memoryview, at: int, start: int, stop: int) -> memoryview:
    return chunk[max(0, start - at) : max(0, stop - at)]


def _hash(hasher: Hasher, kept: Kept) -> None:
    for offset in range(0, kept.size, _PIECE):
        hasher.update(_read(kept, offset))


def _read(kept: Kept, offset: int) -> bytes:
    return os.pread(kept.descriptor, min(_PIECE, kept.size - offset), offset)

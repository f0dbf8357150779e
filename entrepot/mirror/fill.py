"""A fill as one worker sees it: how far it is, and the followers that read its bytes as they arrive.

Must not know who feeds it: the worker's own download, or the record of another worker's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from entrepot.mirror.spool import LOST, RUNNING, Progress, Spool
from entrepot.oci.errors import (
    BlobUnknown,
    Denied,
    RegistryError,
    StorageFull,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
    UpstreamUnreachable,
)
from entrepot.oci.names import RepositoryName
from entrepot.wire.ranges import Span

HELD_BACK = 64 * 1024
"""Bytes at the end that no follower gets before the digest is known: nobody ever holds the whole of a wrong blob."""

_RELAYED = {
    error.status: error
    for error in (BlobUnknown, TooManyRequests, Unauthorized, Denied, UpstreamUnreachable, StorageFull, RegistryError)
}


class Again(Exception):
    """The fill ended without a word on the blob: look into the cache, and ask again."""


class Fill:
    """Shared by its task and its followers; each calls `leave` once, and the last one closes the files."""

    def __init__(self, spool: Spool, progress: Progress) -> None:
        self.spool = spool
        self.progress = progress
        self.names = {RepositoryName(progress.name)}
        """The repositories that may read the blob once it is verified."""
        self.failure: RegistryError | None = None
        """What the upstream has said, where it was this worker that asked."""
        self._changed = asyncio.Condition()
        self._users = 1

    async def advance(self, progress: Progress) -> None:
        """Say how far the fill is, and wake the followers."""
        self.progress = progress
        async with self._changed:
            self._changed.notify_all()

    async def size(self) -> int:
        """Bytes of the blob, as soon as the upstream has told; of a small one only when it is known to be right.

        Raises what made the fill fail before, and Again.
        """
        async with self._changed:
            # Nothing of a small one could be sent before anyway, and a failure can still be answered as one.
            await self._changed.wait_for(lambda: (self.progress.size or 0) > HELD_BACK or self._is_over())
        progress = self.progress
        if progress.state == LOST:
            raise Again
        if progress.state != RUNNING and not progress.is_right:
            failure = self.failure or _RELAYED.get(progress.state, UpstreamFailed)()
            raise failure.with_traceback(None)
        return progress.size or 0

    async def readable(self, offset: int) -> int:
        """The end of what may be read, as soon as it is beyond `offset` or the fill is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._end() > offset or self._is_over())
        return self._end()

    def _is_over(self) -> bool:
        return self.progress.state != RUNNING

    def _end(self) -> int:
        progress = self.progress
        if progress.is_right:
            return progress.written
        if progress.state != RUNNING or progress.size is None:
            return 0
        return min(progress.written, max(0, progress.size - HELD_BACK))

    def enter(self) -> None:
        """One more follower."""
        self._users += 1

    def leave(self) -> None:
        self._users -= 1
        if self._users == 0:
            self.spool.close()


class Follower(AsyncIterator[Span]):
    """What of a span can be read, as it arrives; ends early where the fill fails. `aclose` must be called."""

    def __init__(self, fill: Fill, span: Span) -> None:
        self._fill: Fill | None = fill
        self._offset = span.start
        self._stop = span.stop

    async def __anext__(self) -> Span:
        if self._fill is None or self._offset >= self._stop:
            raise StopAsyncIteration
        end = min(await self._fill.readable(self._offset), self._stop)
        if end <= self._offset:
            raise StopAsyncIteration
        arrived = Span(self._offset, end)
        self._offset = end
        return arrived

    async def aclose(self) -> None:
        """Leave the fill; safe twice."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill.leave()

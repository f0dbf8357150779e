"""A fill as one worker sees it: how far it is, and the followers that read its bytes as they arrive.

Must not know who feeds it: the worker's own download, or the record of another worker's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from entrepot.mirror.spool import LOST, RUNNING, UNKEPT, Progress, Spool
from entrepot.mirror.transfer import Open
from entrepot.mirror.turns import Turns
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

HELD_BACK = 64 * 1024
"""Bytes at the end that no follower gets before the digest is known: nobody ever holds the whole of a wrong blob."""

_HEAD_PATIENCE = 0.25
"""Seconds that an upstream gets to refuse, before a size that is known without it is promised to a client."""

_RELAYED = {
    error.status: error
    for error in (BlobUnknown, TooManyRequests, Unauthorized, Denied, UpstreamUnreachable, StorageFull, RegistryError)
}


class Again(Exception):
    """The fill ended without a word on the blob: look into the cache, and ask again."""


class Fill:
    """Shared by its task and its followers; each calls `leave` once, and the last one closes the files.

    `open_upstream` is how this worker would go on with it. `expected` is the size that a manifest tells, or None.
    """

    def __init__(self, spool: Spool, progress: Progress, open_upstream: Open, expected: int | None) -> None:
        self.spool = spool
        self.progress = progress
        self.open_upstream = open_upstream
        self.turns = Turns()
        """Of this worker's followers."""
        self.names = {RepositoryName(progress.name)}
        """The repositories that may read the blob once it is verified."""
        self.failure: RegistryError | None = None
        """What the upstream has said, where it was this worker that asked."""
        self._expected = expected
        self._promised: int | None = None
        self._changed = asyncio.Condition()
        self._users = 1

    async def advance(self, progress: Progress) -> None:
        """Say how far the fill is, and wake the followers."""
        self.progress = progress
        async with self._changed:
            self._changed.notify_all()

    async def size(self) -> int:
        """Bytes of the blob, as soon as the upstream has told, or at once where a manifest tells and it is slow.

        Of a small one only when it is known to be right. Raises what made the fill fail before, and Again.
        """
        if self._expected is not None and self._expected > HELD_BACK:
            with suppress(TimeoutError):
                async with asyncio.timeout(_HEAD_PATIENCE):
                    await self._told()
            if self.progress.size is None and not self._is_over():
                self._promised = self._expected
                return self._expected
        await self._told()
        progress = self.progress
        if progress.state == LOST:
            raise Again
        if progress.state not in (RUNNING, UNKEPT) and not progress.is_right:
            failure = self.failure or _RELAYED.get(progress.state, UpstreamFailed)()
            raise failure.with_traceback(None)
        if progress.size is None:
            raise Again
        return progress.size

    async def _told(self) -> None:
        async with self._changed:
            # Nothing of a small one could be sent before anyway, and a failure can still be answered as one.
            await self._changed.wait_for(lambda: (self.progress.size or 0) > HELD_BACK or self._is_over())

    async def readable(self, offset: int) -> int:
        """The end of what may be read, as soon as it is beyond `offset` or the fill is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._end() > offset or self._is_over())
        return self._end()

    def _is_over(self) -> bool:
        return self.progress.state != RUNNING

    def _end(self) -> int:
        progress = self.progress
        if self._promised not in (None, progress.size):
            return 0  # a client was promised another size: what it gets must not be taken for the whole
        if progress.is_right:
            return progress.written
        if progress.state not in (RUNNING, UNKEPT) or progress.size is None:
            return 0
        return min(progress.written, max(0, progress.size - HELD_BACK))

    def enter(self) -> None:
        """One more follower."""
        self._users += 1

    def leave(self) -> None:
        self._users -= 1
        if self._users == 0:
            self.spool.close()

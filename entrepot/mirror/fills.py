"""Fills: one download for each cold blob of a node, for any number of clients, in whatever worker they are.

A fill belongs to the server: it goes on whoever leaves, another worker goes on with it where its own dies, and what it
brought becomes a hit only when length and digest agree. Must not know HTTP requests or tags.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from entrepot.driver import NoSpace, PathInvalid
from entrepot.mirror.fill import Fill
from entrepot.mirror.spool import KEPT, LOST, RUNNING, UNKEPT, VERIFIED, Progress, Spool, SpoolBusy, SpoolGone
from entrepot.mirror.transfer import Open, Transfer
from entrepot.oci.digest import Digest, Hasher, new_hasher
from entrepot.oci.errors import RegistryError, StorageFull, UpstreamFailed
from entrepot.oci.names import RepositoryName
from entrepot.pouring import pour
from entrepot.registry import Cache
from entrepot.telemetry import get_logger

log = get_logger(__name__)

Filled = Callable[[RepositoryName, float, int, bool], None]
"""Told of each download of this worker: its repository, seconds, bytes from the upstream, and whether it succeeded."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_POLL = 0.005  # seconds; at a gigabyte a second a watcher is five megabytes behind
_LEADER_CHECK = 0.25
_PATIENCE = 0.02  # seconds that what arrived from a slow upstream waits before followers get it
_FIRST_BATCH = 32 * 1024
"""Bytes with which a fill begins, so that its followers can; all later batches are larger."""

_PIECE = 1 << 20


class Lost(Exception):
    """The fill ends here, and that says nothing of the blob."""


class Fills:
    """All fills this worker leads or watches. `join` is the only way to one."""

    def __init__(
        self,
        cache: Cache,
        linked: Callable[[RepositoryName, Digest, int], None],
        filled: Filled,
        longest: float | None = None,
    ) -> None:
        """`longest` is how many seconds a fill may take; the rest goes past the cache then. None is no bound."""
        self._cache = cache
        self._linked = linked
        self._filled = filled
        self._longest = longest
        self._fills: dict[Digest, Fill] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join(
        self, name: RepositoryName, digest: Digest, open_upstream: Open, expected: int | None
    ) -> tuple[Fill | None, bool]:
        """The running fill of the blob, or a new one that `open_upstream` feeds; and whether it is somebody else's.

        The caller must `leave` it. None where another worker begins or ends it at this very moment: look into the
        cache, and ask again. Raises OSError where the store cannot take one.
        """
        fill = self._fills.get(digest)
        joined = fill is not None
        if fill is None:
            # On the event loop, so that no second request of this worker comes between: a few calls, none of them long.
            fill = self._open(name, digest, open_upstream, expected)
            if fill is None:
                return None, False
            joined = not fill.spool.leads
            self._start(digest, fill)
        fill.enter()
        return fill, joined

    def _open(self, name: RepositoryName, digest: Digest, open_upstream: Open, expected: int | None) -> Fill | None:
        path = self._cache.spool_path(digest)
        try:
            spool = _lead_or_follow(path, name)
        except FileNotFoundError:
            return None
        progress = spool.progress()
        if progress is None:
            spool.close()
            return None
        return Fill(spool, progress, open_upstream, expected)

    def _start(self, digest: Digest, fill: Fill) -> None:
        self._fills[digest] = fill
        task = asyncio.ensure_future(self._run(digest, fill))
        # The loop keeps no strong reference to a task.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, digest: Digest, fill: Fill) -> None:
        try:
            if not fill.spool.leads:
                await self._watch(digest, fill)
            if fill.spool.leads:
                await self._lead(digest, fill)
        except Exception as error:
            report = log.info if isinstance(error, Lost) else log.warning
            report("fill_failed", digest=digest, repository=fill.progress.name, error=str(error))
            await self._fail(fill, error)
        finally:
            self._fills.pop(digest, None)
            fill.leave()

    async def _fail(self, fill: Fill, error: Exception) -> None:
        fill.failure = _failure(error)
        state = fill.failure.status
        if isinstance(error, Lost):
            state = LOST
        elif isinstance(error, OSError | NoSpace | PathInvalid):
            state = UNKEPT
        # What was right stays right for those who read it, though it could not be kept.
        over = fill.progress if fill.progress.is_right else replace(fill.progress, state=state)
        try:
            if fill.spool.leads:
                fill.spool.discard()
                fill.spool.report(over)
        finally:
            await fill.advance(over)

    async def _lead(self, digest: Digest, fill: Fill) -> None:
        if await self._cache.has_blob(digest):
            raise Lost("another worker has just brought it")
        begun, name = time.monotonic(), RepositoryName(fill.progress.name)
        succeeded, resumed_at = False, fill.spool.length()
        try:
            # A TimeoutError is an OSError: the store is too slow, and its clients get the rest from the upstream.
            async with asyncio.timeout(self._longest):
                await self._download(digest, fill)
            succeeded = True
        finally:
            size = max(0, fill.progress.written - resumed_at)
            self._filled(name, time.monotonic() - begun, size, succeeded)
        # Nobody who pulls has to wait until it is durable.
        await asyncio.to_thread(fill.spool.sync)
        await self._cache.adopt(digest)
        await self._link(digest, fill, fill.progress.written, set())
        # Last: content beside a record is what a crash may have left without a link.
        fill.spool.discard_record()
        await self._report(fill, replace(fill.progress, state=KEPT))
        log.info("blob_filled", digest=digest, repository=fill.progress.name, size=fill.progress.written)

    async def _download(self, digest: Digest, fill: Fill) -> None:
        hasher = new_hasher(digest.algorithm)
        await self._go_on(fill, hasher)
        async with Transfer(fill.open_upstream, fill.progress.written, fill.progress.size) as transfer:
            await self._report(fill, replace(fill.progress, size=transfer.size))

            async def write(chunks: Iterable[memoryview]) -> None:
                written = fill.progress.written + await asyncio.to_thread(fill.spool.append, chunks)
                await self._report(fill, replace(fill.progress, written=written))

            await pour(transfer.chunks(), write, hasher, _PATIENCE, _FIRST_BATCH)
        actual = Digest.from_hasher(digest.algorithm, hasher)
        if actual != digest:
            raise UpstreamFailed(f"the upstream sent {actual}")
        await self._report(fill, replace(fill.progress, size=fill.progress.written, state=VERIFIED))

    async def _go_on(self, fill: Fill, hasher: Hasher) -> None:
        """Hash what an earlier leader has left; followers may read on as far as that is done."""
        end = fill.spool.length()
        for offset in range(0, end, _PIECE):
            piece = await asyncio.to_thread(os.pread, fill.spool.descriptor, min(_PIECE, end - offset), offset)
            await asyncio.to_thread(hasher.update, piece)
            await self._report(fill, replace(fill.progress, written=offset + len(piece)))
        if end:
            log.info("fill_resumed", repository=fill.progress.name, at=end, size=fill.progress.size)

    async def _link(self, digest: Digest, fill: Fill, size: int, linked: set[RepositoryName]) -> None:
        while pending := fill.names - linked:
            for name in pending:
                await self._cache.link_blob(name, digest)
                self._linked(name, digest, size)
            linked |= pending

    async def _report(self, fill: Fill, progress: Progress) -> None:
        fill.spool.report(progress)
        await fill.advance(progress)

    async def _watch(self, digest: Digest, fill: Fill) -> None:
        """Returns when the fill is over, or when this worker has come to lead it."""
        idle = 0.0
        while fill.progress.state in (RUNNING, VERIFIED):
            await asyncio.sleep(_POLL)
            progress = fill.spool.progress()
            if progress is not None and progress != fill.progress:
                idle = 0.0
                if progress.state == KEPT:
                    # The leader has done so for its own.
                    await self._link(digest, fill, progress.written, {RepositoryName(progress.name)})
                await fill.advance(progress)
                continue
            idle += _POLL
            if idle >= _LEADER_CHECK:
                idle = 0.0
                if self._take_over(fill, progress):
                    return

    def _take_over(self, fill: Fill, seen: Progress | None) -> bool:
        try:
            leads = fill.spool.take_over()
        except SpoolGone:
            # Its last word may have come just before it left.
            if fill.spool.progress() == seen:
                raise Lost("the worker that downloaded it is gone") from None
            return False
        if leads:
            fill.progress = fill.spool.progress() or fill.progress
        return leads


def _lead_or_follow(path: str, name: RepositoryName) -> Spool:
    try:
        return Spool.lead(path, name)
    except SpoolBusy:
        return Spool.follow(path)


def _failure(error: Exception) -> RegistryError:
    """What clients are told: the upstream's refusal, or that it is this side that has failed."""
    if isinstance(error, RegistryError):
        return error
    is_full = isinstance(error, NoSpace) or (isinstance(error, OSError) and error.errno in _FULL)
    return StorageFull() if is_full else RegistryError()

"""Fills: one download for each cold blob of a node, for any number of clients, in whatever worker they are.

A fill belongs to the server: it goes on whoever leaves, and what it brought becomes a hit only when length and digest
agree. Must not know HTTP requests or tags.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from entrepot.driver import NoSpace
from entrepot.mirror.fill import Fill
from entrepot.mirror.spool import KEPT, LOST, RUNNING, VERIFIED, Progress, Spool, SpoolBusy
from entrepot.oci.digest import Digest, new_hasher
from entrepot.oci.errors import RegistryError, StorageFull, UpstreamFailed
from entrepot.oci.names import RepositoryName
from entrepot.pouring import pour
from entrepot.registry import Cache
from entrepot.telemetry import get_logger
from entrepot.upstream.base import Download

log = get_logger(__name__)

Open = Callable[[], AbstractAsyncContextManager[Download]]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_POLL = 0.005  # seconds; at a gigabyte a second a watcher is five megabytes behind
_LEADER_CHECK = 0.25
_PATIENCE = 0.02  # seconds that what arrived from a slow upstream waits before followers get it


class Lost(Exception):
    """The fill ends here, and that says nothing of the blob."""


class Fills:
    """All fills this worker leads or watches. `join` is the only way to one."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._fills: dict[Digest, Fill] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, name: RepositoryName, digest: Digest, open_upstream: Open) -> Fill | None:
        """The running fill of the blob, or a new one that `open_upstream` feeds; the caller must `leave` it.

        None where another worker begins or ends it at this very moment: look into the cache, and ask again.
        """
        fill = self._fills.get(digest)
        if fill is None:
            # On the event loop, so that no second request of this worker comes between: a few calls, none of them long.
            fill = self._open(name, digest)
            if fill is None:
                return None
            work = self._lead(digest, fill, open_upstream) if fill.spool.leads else self._watch(digest, fill)
            self._start(digest, fill, work)
        fill.enter()
        return fill

    def _open(self, name: RepositoryName, digest: Digest) -> Fill | None:
        path = self._cache.spool_path(digest)
        try:
            spool = _lead_or_follow(path, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NoSpace(str(error)) if error.errno in _FULL else error from None
        progress = spool.progress()
        if progress is None:
            spool.close()
            return None
        return Fill(spool, progress)

    def _start(self, digest: Digest, fill: Fill, work: Coroutine[Any, Any, None]) -> None:
        self._fills[digest] = fill
        task = asyncio.ensure_future(self._run(digest, fill, work))
        # The loop keeps no strong reference to a task.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, digest: Digest, fill: Fill, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            report = log.info if isinstance(error, Lost) else log.warning
            report("fill_failed", digest=digest, repository=fill.progress.name, error=str(error))
            await self._fail(fill, error)
        finally:
            self._fills.pop(digest, None)
            fill.leave()

    async def _fail(self, fill: Fill, error: Exception) -> None:
        fill.failure = _failure(error)
        state = LOST if isinstance(error, Lost) else fill.failure.status
        # What was right stays right for those who read it, though it could not be kept.
        over = fill.progress if fill.progress.is_right else replace(fill.progress, state=state)
        try:
            if fill.spool.leads:
                fill.spool.discard()
                fill.spool.report(over)
        finally:
            await fill.advance(over)

    async def _lead(self, digest: Digest, fill: Fill, open_upstream: Open) -> None:
        if await self._cache.has_blob(digest):
            raise Lost("another worker has just brought it")
        await self._download(digest, fill, open_upstream)
        # Nobody who pulls has to wait until it is durable.
        await asyncio.to_thread(fill.spool.sync)
        await self._cache.adopt(digest)
        fill.spool.discard_record()
        await self._link(digest, fill, set())
        await self._report(fill, replace(fill.progress, state=KEPT))
        log.info("blob_filled", digest=digest, repository=fill.progress.name, size=fill.progress.written)

    async def _download(self, digest: Digest, fill: Fill, open_upstream: Open) -> None:
        hasher = new_hasher(digest.algorithm)
        async with open_upstream() as download:
            await self._report(fill, replace(fill.progress, size=download.size))

            async def write(chunks: Iterable[memoryview]) -> None:
                written = fill.progress.written + await asyncio.to_thread(fill.spool.append, chunks)
                if download.size is not None and written > download.size:
                    raise UpstreamFailed(f"more than the {download.size} bytes the upstream announced")
                await self._report(fill, replace(fill.progress, written=written))

            await pour(download.chunks, write, hasher, _PATIENCE)
        written = fill.progress.written
        if written != (fill.progress.size if fill.progress.size is not None else written):
            raise UpstreamFailed(f"{written} bytes of {fill.progress.size}")
        actual = Digest.from_hasher(digest.algorithm, hasher)
        if actual != digest:
            raise UpstreamFailed(f"the upstream sent {actual}")
        await self._report(fill, replace(fill.progress, size=written, state=VERIFIED))

    async def _link(self, digest: Digest, fill: Fill, linked: set[RepositoryName]) -> None:
        while pending := fill.names - linked:
            for name in pending:
                await self._cache.link_blob(name, digest)
            linked |= pending

    async def _report(self, fill: Fill, progress: Progress) -> None:
        fill.spool.report(progress)
        await fill.advance(progress)

    async def _watch(self, digest: Digest, fill: Fill) -> None:
        idle = 0.0
        while fill.progress.state in (RUNNING, VERIFIED):
            await asyncio.sleep(_POLL)
            progress = fill.spool.progress()
            if progress is not None and progress != fill.progress:
                idle = 0.0
                if progress.state == KEPT:
                    # The leader has done so for its own.
                    await self._link(digest, fill, {RepositoryName(progress.name)})
                await fill.advance(progress)
                continue
            idle += _POLL
            if idle >= _LEADER_CHECK:
                idle = 0.0
                # Its last word may have come just before it left.
                if not fill.spool.has_leader() and fill.spool.progress() == progress:
                    raise Lost("the worker that downloaded it is gone")


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

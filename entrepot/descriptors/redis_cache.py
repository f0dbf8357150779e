"""Descriptors in Redis, under Distribution's keys, for registries that share it and the volume.

    blobs::<digest>                       hash    digest, size, mediatype
    repository::<name>::blobs             set     digests
    repository::<name>::blobs::<digest>   hash    mediatype

Written behind the requests. Where Redis is slow, full, hung or down, what has come is dropped: those who read it ask
the store then. What has gone waits until Redis takes it: else those who read it would go on to serve it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from time import monotonic
from typing import Any, Protocol

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_MOST_WAITING = 10_000
_MOST_LEAVING = 100_000
_BATCH = 100
_TOLD = 100_000
"""Blobs of which a worker remembers that it has told them."""

_PATIENCE = 0.05
"""Seconds that a deletion waits for others to know of it."""

_REST = 5.0
"""Seconds for which nobody asks who has just failed."""

_LONGEST = 30.0
"""Seconds for one batch, whatever redirections and drips it is answered with."""

_LAST = 1.0
"""Seconds that the end of a worker waits for Redis."""

_AGAIN = _LONGEST + _REST
"""Seconds after which a deletion is told once more: another worker's batch may have been on its way for so long."""

_Key = tuple[RepositoryName, Digest]


class Pipeline(Protocol):
    """Commands that are sent together."""

    def hset(self, name: str, *, mapping: Any) -> Any: ...
    def sadd(self, name: str, *values: Any) -> Any: ...
    def srem(self, name: str, *values: Any) -> Any: ...
    def delete(self, *names: Any) -> Any: ...
    async def execute(self, raise_on_error: bool = ...) -> Any: ...


class Client(Protocol):
    """A connection pool, a sentinel's master, or a cluster."""

    def pipeline(self, transaction: bool = ...) -> Pipeline: ...
    async def aclose(self) -> None: ...


class RedisCache:
    """One worker's. `connect` makes the client, in the event loop; who has just failed is not asked for `rest` seconds.
    A deletion is told once more after `again` seconds.

    Run `run` beside the server: it alone writes, so that what is said last of a blob stands last in Redis.
    """

    def __init__(self, connect: Callable[[], Client], rest: float = _REST, again: float = _AGAIN) -> None:
        self._connect = connect
        self._rest = rest
        self._pause = again
        self._client: Client | None = None
        self._coming: dict[_Key, Descriptor] = {}
        self._leaving: dict[_Key, bool] = {}  # whether for the last time
        self._again: dict[_Key, float] = {}
        self._told: set[_Key] = set()
        self._awake = asyncio.Event()
        self._settled = asyncio.Event()
        self._fails = False

    def note(self, name: RepositoryName, descriptor: Descriptor) -> None:
        key = (name, descriptor.digest)
        if key in self._told or len(self._coming) >= _MOST_WAITING:
            return
        if len(self._told) >= _TOLD:
            self._told.clear()
        self._told.add(key)
        self._leaving.pop(key, None)
        self._again.pop(key, None)
        self._coming[key] = descriptor
        self._awake.set()

    async def forget(self, name: RepositoryName, digest: Digest) -> None:
        key = (name, digest)
        self._told.discard(key)
        self._coming.pop(key, None)
        if len(self._leaving) + len(self._again) >= _MOST_LEAVING:
            log.warning("redis_deletion_not_told", repository=name, digest=str(digest))
            return
        self._leaving[key] = False
        self._settled.clear()
        self._awake.set()
        if not self._fails:
            # It goes on behind the answer, where that takes longer.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), _PATIENCE)

    async def run(self) -> None:
        """Write what is noted, until cancelled; then what is still to be deleted, if that can be done at once."""
        try:
            while True:
                await self._wait()
                while self._coming or self._leaving:
                    if not await self._flush():
                        self._settled.set()
                        await asyncio.sleep(self._rest)
                self._settled.set()
        finally:
            # It may have been in the middle of an answer.
            await self._close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST):
                    while self._leaving and not self._fails:
                        await self._flush()
            await self._close()

    async def _wait(self) -> None:
        """Until there is something to be told."""
        due = next(iter(self._again.values()), None)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else max(0.0, due - monotonic())):
                await self._awake.wait()
        self._awake.clear()
        while self._again and next(iter(self._again.values())) <= monotonic():
            key = next(iter(self._again))
            del self._again[key]
            self._leaving[key] = True

    async def _flush(self) -> bool:
        leaving = dict(islice(self._leaving.items(), _BATCH))
        coming = [(key, self._coming.pop(key)) for key in list(islice(self._coming, _BATCH))]
        for key in leaving:
            del self._leaving[key]
        is_done = False
        try:
            is_done = await self._send(list(leaving), coming)
        finally:
            if is_done:
                due = monotonic() + self._pause
                again = (key for key, is_last in leaving.items() if not is_last and key not in self._coming)
                self._again.update(dict.fromkeys(again, due))
            else:
                # A deletion waits for its turn. What has come is told when it is asked for: it may be gone by then.
                self._told.difference_update(key for key, _ in (*coming, *self._coming.items()))
                self._coming.clear()
                self._leaving = leaving | self._leaving
        return is_done

    async def _send(self, leaving: Sequence[_Key], coming: Sequence[tuple[_Key, Descriptor]]) -> bool:
        """Whether there is nothing to be said again."""
        try:
            async with asyncio.timeout(_LONGEST):
                if self._client is None:
                    self._client = self._connect()
                pipeline = self._client.pipeline(transaction=False)
                _delete(pipeline, leaving)
                _set(pipeline, coming)
                answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            # Whatever a server or its library comes up with: nobody must have to wait for it.
            self._failed(error)
            # What came of the connection is not known.
            await self._close()
            return False
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if not errors:
            if self._fails:
                log.info("redis_recovered")
            self._fails = False
            return True
        self._failed(errors[0])
        # A key that somebody else uses stays so, and Distribution cannot read it either.
        return all(str(error).startswith("WRONGTYPE") for error in errors)

    def _failed(self, error: Exception) -> None:
        if not self._fails:
            log.warning("redis_failed", error=f"{type(error).__name__}: {error}"[:200])
        self._fails = True

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # it is lost in any case
                async with asyncio.timeout(_LAST):
                    await client.aclose()


def _delete(pipeline: Pipeline, keys: Sequence[_Key]) -> None:
    for name, digest in keys:
        pipeline.srem(_members(name), digest)
        pipeline.delete(_member(name, digest))
        pipeline.delete(_blob(digest))


def _set(pipeline: Pipeline, descriptors: Sequence[tuple[_Key, Descriptor]]) -> None:
    for (name, digest), descriptor in descriptors:
        fields = {"digest": str(digest), "size": descriptor.size, "mediatype": descriptor.media_type}
        pipeline.hset(_blob(digest), mapping=fields)
        pipeline.sadd(_members(name), digest)
        pipeline.hset(_member(name, digest), mapping={"mediatype": descriptor.media_type})


def _blob(digest: Digest) -> str:
    return f"blobs::{digest}"


def _members(name: RepositoryName) -> str:
    return f"repository::{name}::blobs"


def _member(name: RepositoryName, digest: Digest) -> str:
    return f"repository::{name}::blobs::{digest}"

"""Descriptors in Redis, under Distribution's keys, for registries that share it and the volume.

    blobs::<digest>                       hash    digest, size, mediatype
    repository::<name>::blobs             set     digests
    repository::<name>::blobs::<digest>   hash    mediatype

Written behind the requests. Where Redis is slow, full, hung or down, what was to be told is dropped: those who read it
ask the store then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_MOST_WAITING = 10_000
_BATCH = 100
_TOLD = 100_000
"""Blobs of which a worker remembers that it has told them."""

_PATIENCE = 0.05
"""Seconds that a deletion waits for others to know of it."""

_REST = 5.0
"""Seconds for which nobody asks who has just failed."""


class Pipeline(Protocol):
    """Commands that are sent together."""

    def hset(self, name: str, *, mapping: Any) -> Any: ...
    def sadd(self, name: str, *values: Any) -> Any: ...
    def srem(self, name: str, *values: Any) -> Any: ...
    def delete(self, *names: Any) -> Any: ...
    async def execute(self) -> Any: ...


class Client(Protocol):
    """A connection pool, a sentinel's master, or a cluster."""

    def pipeline(self, transaction: bool = ...) -> Pipeline: ...
    async def aclose(self) -> None: ...


class RedisCache:
    """One worker's. `connect` makes the client, in the event loop. Run `run` beside the server."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._waiting: dict[tuple[RepositoryName, Digest], Descriptor] = {}
        self._told: set[tuple[RepositoryName, Digest]] = set()
        self._awake = asyncio.Event()
        self._rests_until = 0.0

    def note(self, name: RepositoryName, descriptor: Descriptor) -> None:
        key = (name, descriptor.digest)
        if key in self._told or len(self._waiting) >= _MOST_WAITING:
            return
        if len(self._told) >= _TOLD:
            self._told.clear()
        self._told.add(key)
        self._waiting[key] = descriptor
        self._awake.set()

    async def forget(self, name: RepositoryName, digest: Digest) -> None:
        self._told.discard((name, digest))
        self._waiting.pop((name, digest), None)

        def commands(pipeline: Pipeline) -> None:
            pipeline.srem(_members(name), digest)
            pipeline.delete(_member(name, digest))
            pipeline.delete(_blob(digest))

        task = asyncio.ensure_future(self._send(commands))
        # It goes on behind the answer, where that takes longer.
        await asyncio.wait({task}, timeout=_PATIENCE)

    async def run(self) -> None:
        """Write what is noted, until cancelled."""
        try:
            while True:
                await self._awake.wait()
                self._awake.clear()
                while self._waiting:
                    await self._flush()
        finally:
            if self._client is not None:
                await self._client.aclose()

    async def _flush(self) -> None:
        keys = list(self._waiting)[:_BATCH]
        batch = [(name, self._waiting.pop((name, digest))) for name, digest in keys]

        def commands(pipeline: Pipeline) -> None:
            for name, descriptor in batch:
                digest, media_type = descriptor.digest, descriptor.media_type
                fields = {"digest": str(digest), "size": descriptor.size, "mediatype": media_type}
                pipeline.hset(_blob(digest), mapping=fields)
                pipeline.sadd(_members(name), digest)
                pipeline.hset(_member(name, digest), mapping={"mediatype": media_type})

        if not await self._send(commands):
            # Told again when it is asked for again.
            self._told.difference_update(keys)

    async def _send(self, commands: Callable[[Pipeline], None]) -> bool:
        if time.monotonic() < self._rests_until:
            return False
        try:
            if self._client is None:
                self._client = self._connect()
            pipeline = self._client.pipeline(transaction=False)
            commands(pipeline)
            await pipeline.execute()
        except Exception as error:
            # Whatever a server or its library comes up with: nobody must have to wait for it.
            if not self._rests_until:
                log.warning("redis_failed", error=f"{type(error).__name__}: {error}"[:200])
            self._rests_until = time.monotonic() + _REST
            return False
        if self._rests_until:
            log.info("redis_recovered")
        self._rests_until = 0.0
        return True


def _blob(digest: Digest) -> str:
    return f"blobs::{digest}"


def _members(name: RepositoryName) -> str:
    return f"repository::{name}::blobs"


def _member(name: RepositoryName, digest: Digest) -> str:
    return f"repository::{name}::blobs::{digest}"

"""A driver that tells how long what is asked of it takes, by Distribution's names for it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, contextmanager

from entrepot.driver import Driver, Entry, LocalPaths, Resident, Writer
from entrepot.telemetry import Meter
from entrepot.wire.ranges import Span


class Metered:
    """`inner`, which is called `name` in the figures. It has the abilities that `inner` has.

    What a driver knows without waiting is no work, and is not told.
    """

    def __init__(self, inner: Driver, name: str, meter: Meter) -> None:
        self._inner = inner
        self._name = name
        self._meter = meter
        if isinstance(inner, LocalPaths):
            self.local_path = inner.local_path
        if isinstance(inner, Resident):
            self.at_once = inner.at_once
            self.part_at_once = inner.part_at_once

    async def get(self, path: str) -> bytes:
        with self._timed("GetContent"):
            return await self._inner.get(path)

    async def put(self, path: str, content: bytes) -> None:
        with self._timed("PutContent"):
            await self._inner.put(path, content)

    async def read(self, path: str, span: Span) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._inner.read(path, span)) as pieces:
            # To the first piece: how fast the rest goes is up to whoever reads.
            with self._timed("Reader"):
                first = await anext(pieces, None)
            if first is not None:
                yield first
            async for piece in pieces:
                yield piece

    @asynccontextmanager
    async def writer(self, path: str) -> AsyncIterator[Writer]:
        async with AsyncExitStack() as stack:
            with self._timed("Writer"):
                writer = await stack.enter_async_context(self._inner.writer(path))
            yield writer

    async def stat(self, path: str) -> Entry:
        with self._timed("Stat"):
            return await self._inner.stat(path)

    async def present(self, paths: Sequence[str]) -> Sequence[bool]:
        with self._timed("Stat"):
            return await self._inner.present(paths)

    async def list(self, path: str, after: str = "", limit: int | None = None) -> Sequence[str]:
        with self._timed("List"):
            return await self._inner.list(path, after, limit)

    async def move(self, source: str, target: str) -> None:
        with self._timed("Move"):
            await self._inner.move(source, target)

    async def delete(self, path: str) -> None:
        with self._timed("Delete"):
            await self._inner.delete(path)

    async def make_directory(self, path: str) -> None:
        await self._inner.make_directory(path)

    def lock(self, path: str) -> AbstractAsyncContextManager[None]:
        return self._inner.lock(path)

    @contextmanager
    def _timed(self, action: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self._meter.acted(self._name, action, time.monotonic() - begun)

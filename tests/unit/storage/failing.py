"""A driver that fails when it is told to: at its Nth call, or from that one on, before the effect or after it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from entrepot.driver import Driver, Entry, Writer
from entrepot.wire.ranges import Span

T = TypeVar("T")


class Fault:
    """Strikes at call `at`, and at every later one where `lasts`; `late` lets the call take effect first."""

    def __init__(self, error: Callable[[], Exception], at: int, *, lasts: bool, late: bool) -> None:
        self._error = error
        self._at = at
        self._lasts = lasts
        self._late = late
        self.calls = 0
        self.struck = 0

    def heal(self) -> None:
        """Fail no more."""
        self._at, self._lasts = 0, False

    def _strikes(self) -> bool:
        self.calls += 1
        return self.calls == self._at or (self._lasts and self.calls > self._at)

    async def over(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call, or fail it."""
        if not self._strikes():
            return await call()
        self.struck += 1
        if self._late:
            await call()
        raise self._error()


class Departure(Fault):
    """Fails nothing, but cancels `task` at its call, as a server does whose client has left."""

    def __init__(self, at: int, *, late: bool) -> None:
        super().__init__(RuntimeError, at, lasts=False, late=late)
        self.task: asyncio.Task[object] | None = None

    async def over(self, call: Callable[[], Awaitable[T]]) -> T:
        strikes = self._strikes() and self.task is not None
        if not strikes:
            return await call()
        self.struck += 1
        if not self._late:
            self._cancel()
            await asyncio.sleep(0)
        result = await call()
        if self._late:
            self._cancel()
            await asyncio.sleep(0)
        return result

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Failing:
    """`inner`, with `fault` over every call of it and of its writers."""

    def __init__(self, inner: Driver, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault

    async def get(self, path: str) -> bytes:
        return await self._fault.over(lambda: self._inner.get(path))

    async def put(self, path: str, content: bytes) -> None:
        await self._fault.over(lambda: self._inner.put(path, content))

    async def read(self, path: str, span: Span) -> AsyncGenerator[bytes, None]:
        await self._fault.over(_nothing)
        async for piece in self._inner.read(path, span):
            yield piece

    @asynccontextmanager
    async def writer(self, path: str) -> AsyncIterator[Writer]:
        await self._fault.over(_nothing)
        async with self._inner.writer(path) as writer:
            yield _FailingWriter(writer, self._fault)

    async def stat(self, path: str) -> Entry:
        return await self._fault.over(lambda: self._inner.stat(path))

    async def present(self, paths: Sequence[str]) -> Sequence[bool]:
        return await self._fault.over(lambda: self._inner.present(paths))

    async def list(self, path: str, after: str = "", limit: int | None = None) -> Sequence[str]:
        return await self._fault.over(lambda: self._inner.list(path, after, limit))

    async def move(self, source: str, target: str) -> None:
        await self._fault.over(lambda: self._inner.move(source, target))

    async def delete(self, path: str) -> None:
        await self._fault.over(lambda: self._inner.delete(path))

    async def make_directory(self, path: str) -> None:
        await self._fault.over(lambda: self._inner.make_directory(path))

    @asynccontextmanager
    async def lock(self, path: str) -> AsyncIterator[None]:
        await self._fault.over(_nothing)
        async with self._inner.lock(path):
            yield


class _FailingWriter:
    def __init__(self, inner: Writer, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault

    @property
    def offset(self) -> int:
        return self._inner.offset

    async def write(self, chunks: Iterable[bytes]) -> None:
        await self._fault.over(lambda: self._inner.write(chunks))

    async def truncate(self, size: int) -> None:
        await self._fault.over(lambda: self._inner.truncate(size))

    async def sync(self) -> None:
        await self._fault.over(self._inner.sync)


async def _nothing() -> None:
    """The effect of opening something: none that stays."""

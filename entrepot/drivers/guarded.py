"""A driver that refuses paths outside the grammar before the driver inside sees them.

For drivers that would take any string. `FilesystemDriver` needs no wrapper: it checks a path wherever it opens what it
has not seen before, so that its hit path, which only ever finds checked paths, pays nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager

from entrepot.driver import Driver, Entry, Writer
from entrepot.drivers.paths import check_listable, check_path
from entrepot.wire.ranges import Span


class Guarded:
    """`inner`, for paths of the grammar; all others raise PathInvalid at once. `/` can be listed and asked for."""

    def __init__(self, inner: Driver) -> None:
        self._inner = inner

    async def get(self, path: str) -> bytes:
        check_path(path)
        return await self._inner.get(path)

    async def put(self, path: str, content: bytes) -> None:
        check_path(path)
        await self._inner.put(path, content)

    def read(self, path: str, span: Span) -> AsyncGenerator[bytes, None]:
        check_path(path)
        return self._inner.read(path, span)

    def writer(self, path: str) -> AbstractAsyncContextManager[Writer]:
        check_path(path)
        return self._inner.writer(path)

    async def stat(self, path: str) -> Entry:
        check_listable(path)
        return await self._inner.stat(path)

    async def present(self, paths: Sequence[str]) -> Sequence[bool]:
        for path in paths:
            check_path(path)
        return await self._inner.present(paths)

    async def list(self, path: str, after: str = "", limit: int | None = None) -> Sequence[str]:
        check_listable(path)
        return await self._inner.list(path, after, limit)

    async def move(self, source: str, target: str) -> None:
        check_path(source)
        check_path(target)
        await self._inner.move(source, target)

    async def delete(self, path: str) -> None:
        check_path(path)
        await self._inner.delete(path)

    async def make_directory(self, path: str) -> None:
        check_path(path)
        await self._inner.make_directory(path)

    def lock(self, path: str) -> AbstractAsyncContextManager[None]:
        check_path(path)
        return self._inner.lock(path)

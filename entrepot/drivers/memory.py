"""The driver that keeps everything in this process, for tests and for trying things out. It is lost with the process.

Directories are implied, as in an object store: one exists as long as something is in it.
"""

from __future__ import annotations

import heapq
import time
from bisect import bisect_left, insort
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from entrepot.driver import Entry, Locked, PathInvalid, PathNotFound, Writer
from entrepot.drivers.paths import LARGEST_GET
from entrepot.wire.ranges import Span

_PIECE = 1 << 20


class _File:
    """Like an inode: who has it open keeps it, whatever happens to its name."""

    __slots__ = ("content", "is_locked", "modified")

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.modified = time.time()
        self.is_locked = False


class MemoryDriver:
    """A driver on a dictionary. It checks no path: wrap it in `Guarded`."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._paths: list[str] = []  # the keys, sorted

    async def get(self, path: str) -> bytes:
        content = self._file(path).content
        if len(content) > LARGEST_GET:
            raise PathInvalid(f"{path}: more than {LARGEST_GET} bytes")
        return bytes(content)

    async def put(self, path: str, content: bytes) -> None:
        self._enter(path, _File(content))

    async def read(self, path: str, span: Span) -> AsyncGenerator[bytes, None]:
        file = self._file(path)
        offset = span.start
        while piece := bytes(file.content[offset : min(offset + _PIECE, span.stop)]):
            offset += len(piece)
            yield piece

    @asynccontextmanager
    async def writer(self, path: str) -> AsyncIterator[Writer]:
        if path not in self._files:
            self._enter(path, _File())
        yield _MemoryWriter(self._files[path])

    async def stat(self, path: str) -> Entry:
        file = self._files.get(path)
        if file is not None:
            return Entry(len(file.content), file.modified, False)
        if path != "/" and not self._is_directory(path):
            raise PathNotFound(path)
        return Entry(0, 0.0, True)

    async def present(self, paths: Sequence[str]) -> Sequence[bool]:
        return [path in self._files for path in paths]

    async def list(self, path: str, after: str = "", limit: int | None = None) -> Sequence[str]:
        if path != "/" and not self._is_directory(path):
            raise PathNotFound(path)
        names = (name for name in self._children(path) if name > after)
        return sorted(names) if limit is None else heapq.nsmallest(limit, names)

    async def move(self, source: str, target: str) -> None:
        if source not in self._files and self._is_directory(source):
            raise PathInvalid(source)
        self._enter(target, self._file(source))
        if source != target:
            self._drop(source)

    async def delete(self, path: str) -> None:
        if path in self._files:
            self._drop(path)
            return
        below = self._below(path)
        if not below:
            raise PathNotFound(path)
        for each in self._paths[below.start : below.stop]:
            del self._files[each]
        del self._paths[below.start : below.stop]

    async def make_directory(self, path: str) -> None:
        self._check_parents(path + "/")

    @asynccontextmanager
    async def lock(self, path: str) -> AsyncIterator[None]:
        file = self._file(path)
        if file.is_locked:
            raise Locked(path)
        file.is_locked = True
        try:
            yield
        finally:
            file.is_locked = False

    def _file(self, path: str) -> _File:
        file = self._files.get(path)
        if file is None:
            raise PathNotFound(path)
        return file

    def _enter(self, path: str, file: _File) -> None:
        self._check_parents(path)
        if self._is_directory(path):
            raise PathInvalid(path)
        if path not in self._files:
            insort(self._paths, path)
        self._files[path] = file

    def _drop(self, path: str) -> None:
        del self._files[path]
        del self._paths[bisect_left(self._paths, path)]

    def _check_parents(self, path: str) -> None:
        end = path.rfind("/")
        while end > 0:
            if path[:end] in self._files:
                raise PathInvalid(path)
            end = path.rfind("/", 0, end)

    def _is_directory(self, path: str) -> bool:
        return bool(self._below(path))

    def _below(self, path: str) -> range:
        # "0" follows "/" in ASCII: the keys between `path/` and `path0` are those below `path`.
        stem = path.rstrip("/")
        return range(bisect_left(self._paths, stem + "/"), bisect_left(self._paths, stem + "0"))

    def _children(self, path: str) -> Iterator[str]:
        below = self._below(path)
        start = len(path.rstrip("/")) + 1
        index = below.start
        while index < below.stop:
            key = self._paths[index]
            end = key.find("/", start)
            if end < 0:
                yield key[start:]
                index += 1
            else:
                yield key[start:end]
                index = bisect_left(self._paths, key[:end] + "0")


class _MemoryWriter:
    def __init__(self, file: _File) -> None:
        self._file = file

    @property
    def offset(self) -> int:
        return len(self._file.content)

    async def write(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self._file.content += chunk
        self._file.modified = time.time()

    async def truncate(self, size: int) -> None:
        del self._file.content[size:]

    async def sync(self) -> None:
        """Nothing to do: memory is as durable as it gets."""

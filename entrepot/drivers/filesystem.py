"""The driver whose files are files of this machine, laid out as Distribution lays them out.

`get` and `stat` are what every request does several times. They run on the event loop and cost one stat where the file
is known; everything that may wait for a disk runs on threads.
"""

from __future__ import annotations

import heapq
import os
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from entrepot.driver import Entry, Part, PathInvalid, PathNotFound, Writer
from entrepot.drivers import durable
from entrepot.drivers.durable import is_temporary
from entrepot.drivers.failures import reporting, translate
from entrepot.drivers.open_files import GrowingFile, LockedFile, ReadFile, open_plain
from entrepot.drivers.paths import LARGEST_GET, are_names, check_listable, check_path, is_name
from entrepot.drivers.root import Root, RootMissing, closing_descriptor
from entrepot.drivers.root_check import check_root
from entrepot.drivers.seen import SeenFile
from entrepot.drivers.small_files import LARGEST_FILE, SmallFiles
from entrepot.drivers.threads import Threads
from entrepot.wire.ranges import Span

_FEWEST_THREADS = 25  # Distribution's minimum for `maxthreads`
_PIECE = 1 << 20
_PROBED = 256 << 10  # the kernel reads ahead by 128 KiB and more
_LEFT = ".tmp/"  # only what is called so can be a temporary file
_CAPACITY = 32 << 20  # of the kept small files, in each process
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_TRUSTED = 16384  # about 5 MB of paths


class FilesystemDriver:
    """A driver on the directory `root`, which `check` makes. Close it when nothing uses it any more.

    No symlink below the root is followed; the root itself may be one.
    """

    def __init__(self, root: str, threads: int = 100) -> None:
        self._root = Root(root)
        self._prefix = self._root.path
        self._threads = Threads(max(threads, _FEWEST_THREADS))
        self._small = SmallFiles(_CAPACITY)
        # What was reached through real directories only, and could be opened. What is not the same is looked at anew.
        self._trusted: dict[str, tuple[int, int, int]] = {}

    def check(self) -> None:
        """Make the root where it is missing, and try whether it can do what a driver needs. Raises RootUnusable."""
        check_root(self._prefix or "/")

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        self._threads.close()

    def local_path(self, path: str) -> str:
        """Where the file of `path` lies. Ask `stat` before sending it: that refuses symlinks."""
        return self._prefix + path

    def at_once(self, path: str) -> SeenFile | None:
        place = self._prefix + path
        try:
            status = os.lstat(place)
        except (OSError, ValueError):
            return None
        known = self._small.find(place, status)
        return known or (SeenFile(place, status) if self._is_trusted(path, status) else None)

    def part_at_once(self, path: str, choose: Callable[[int], Span | None]) -> Part | None:
        try:
            descriptor = os.open(self._prefix + path, _PLAIN)
        except (OSError, ValueError):
            return None
        try:  # a context manager would cost as much as closing
            status = os.fstat(descriptor)
            span = choose(status.st_size) if self._is_trusted(path, status) else None
            content = None if span is None else _read_resident(descriptor, span)
        finally:
            os.close(descriptor)
        return None if span is None or content is None else Part(status.st_size, span, content)

    def _is_trusted(self, path: str, status: os.stat_result) -> bool:
        # What `stat` has not looked at may have been reached through a symlink.
        return self._trusted.get(path) == _identity(status) and stat.S_ISREG(status.st_mode)

    async def get(self, path: str) -> bytes:
        place = self._prefix + path
        try:
            status = os.lstat(place)
        except (OSError, ValueError) as error:
            self._small.forget(place)
            raise self._unreachable(path, error) from None
        known = self._small.find(place, status)
        if known is not None and known.content is not None:
            return known.content
        return await self._load(path)

    async def _load(self, path: str) -> bytes:
        now = time.time_ns()
        # Opening does not wait either: what it needs was brought in by the stat before.
        with reporting(path), closing_descriptor(open_plain(self._root, path, os.O_RDONLY)) as descriptor:
            status = os.fstat(descriptor)
            content = _read_resident(descriptor, Span(0, status.st_size)) if status.st_size <= LARGEST_FILE else None
            if content is None:
                content = await self._threads.run(_read_whole, descriptor, path, status.st_size)
        self._small.keep(self._prefix + path, status, content, now)
        return content

    async def stat(self, path: str) -> Entry:
        try:
            status = os.lstat(self._prefix + path)
        except (OSError, ValueError) as error:
            raise self._unreachable(path, error) from None
        if self._trusted.get(path) != _identity(status):
            # Opened, not only looked at: the server that is to send it could not say why it fails.
            status = self._trust(path, os.O_RDONLY | os.O_NONBLOCK if stat.S_ISREG(status.st_mode) else os.O_PATH)
        mode = status.st_mode
        if stat.S_ISREG(mode):
            return Entry(status.st_size, status.st_mtime, False)
        if stat.S_ISDIR(mode):
            return Entry(0, status.st_mtime, True)
        raise PathInvalid(path)

    def _trust(self, path: str, flags: int) -> os.stat_result:
        check_listable(path)
        with reporting(path), closing_descriptor(self._root.open(path, flags)) as descriptor:
            status = os.fstat(descriptor)
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted.clear()
        self._trusted[path] = _identity(status)
        return status

    def _unreachable(self, path: str, error: OSError | ValueError) -> Exception:
        check_listable(path)
        if isinstance(error, ValueError):  # NUL, or a lone surrogate
            return PathInvalid(path)
        if isinstance(error, NotADirectoryError):
            return PathNotFound(path)
        if isinstance(error, FileNotFoundError) and self._root.is_missing():
            return RootMissing(self._prefix)
        return translate(error, path)

    async def put(self, path: str, content: bytes) -> None:
        check_path(path)
        await self._threads.run(self._put, path, content)

    def _put(self, path: str, content: bytes) -> None:
        with reporting(path):
            durable.put(self._root, path, content)

    async def read(self, path: str, span: Span) -> AsyncGenerator[bytes, None]:
        file = ReadFile(self._root, path)
        offset = span.start
        try:
            while offset < span.stop:
                piece = await self._threads.run(file.read, min(_PIECE, span.stop - offset), offset)
                if not piece:
                    return
                offset += len(piece)
                yield piece
        finally:
            file.close()

    @asynccontextmanager
    async def writer(self, path: str) -> AsyncIterator[Writer]:
        file = GrowingFile(self._root, path)
        try:
            await self._threads.run(file.open)
            yield _FileWriter(file, self._threads)
        finally:
            await self._threads.run(file.close)

    async def present(self, paths: Sequence[str]) -> Sequence[bool]:
        return await self._threads.run(self._present, paths)

    def _present(self, paths: Sequence[str]) -> Sequence[bool]:
        return [_is_file(self._prefix + path) for path in paths]

    async def list(self, path: str, after: str = "", limit: int | None = None) -> Sequence[str]:
        check_listable(path)
        return await self._threads.run(self._list, path, after, limit)

    def _list(self, path: str, after: str, limit: int | None) -> Sequence[str]:
        with reporting(path), closing_descriptor(self._root.open_directory(path)) as directory:
            if limit is None:
                return sorted(_all_names(directory, after))
            return heapq.nsmallest(limit, _names(directory, after))

    async def move(self, source: str, target: str) -> None:
        check_path(source)
        check_path(target)
        await self._threads.run(self._move, source, target)

    def _move(self, source: str, target: str) -> None:
        with reporting(f"{source} to {target}"):
            durable.move(self._root, source, target)

    async def delete(self, path: str) -> None:
        check_path(path)
        await self._threads.run(self._delete, path)

    def _delete(self, path: str) -> None:
        with reporting(path):
            durable.delete(self._root, path)

    async def make_directory(self, path: str) -> None:
        check_path(path)
        await self._threads.run(self._make_directory, path)

    def _make_directory(self, path: str) -> None:
        with reporting(path):
            self._root.within(path, lambda _: None)

    @asynccontextmanager
    async def lock(self, path: str) -> AsyncIterator[None]:
        file = LockedFile(self._root, path)
        try:
            await self._threads.run(file.open)
            yield
        finally:
            file.close()


class _FileWriter:
    def __init__(self, file: GrowingFile, threads: Threads) -> None:
        self._file = file
        self._threads = threads

    @property
    def offset(self) -> int:
        return self._file.size

    async def write(self, chunks: Iterable[bytes]) -> None:
        await self._threads.run(self._file.write, chunks)

    async def truncate(self, size: int) -> None:
        await self._threads.run(self._file.truncate, size)

    async def sync(self) -> None:
        await self._threads.run(self._file.sync)


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    # The change time also tells of other permissions.
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _read_resident(descriptor: int, span: Span) -> bytes | None:
    # None where it would have to wait for the disk, or the file system cannot tell.
    # Some bytes stand for those before them: reading all of them in this way costs two more copies.
    try:
        for offset in range(span.stop - 1, span.start - 1, -_PROBED):
            if os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) != 1:
                return None
        content = os.pread(descriptor, len(span), span.start)
    except OSError:
        return None
    return content if len(content) == len(span) else None


def _read_whole(descriptor: int, path: str, size: int) -> bytes:
    pieces = []
    left = LARGEST_GET + 1
    while piece := os.read(descriptor, min(left, max(size, 4096) + 1)):
        pieces.append(piece)
        left -= len(piece)
        if left <= 0:
            raise PathInvalid(f"{path}: more than {LARGEST_GET} bytes")
    return b"".join(pieces)


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False  # anything else may be there: who takes it for absent would remove what it needs


def _all_names(directory: int, after: str) -> Iterable[str]:
    # As `_names`; for tens of thousands it takes half of the time.
    names = os.listdir(directory)
    text = "/".join((*names, ""))
    return names if not after and are_names(text) and _LEFT not in text else _names(directory, after)


def _names(directory: int, after: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name
            if name > after and is_name(name) and not (is_temporary(name) and entry.is_file(follow_symlinks=False)):
                yield name

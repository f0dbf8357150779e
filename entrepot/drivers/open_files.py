"""Files while they are open: one that grows, one that is read, one that is locked. All of it blocks: for threads."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable

from entrepot.driver import Locked, PathInvalid, PathNotFound
from entrepot.drivers.durable import write_all
from entrepot.drivers.failures import reporting
from entrepot.drivers.paths import check_path, split_path
from entrepot.drivers.root import FILE_MODE, TRIES, Root, closing_descriptor
from entrepot.drivers.writeback import Writeback

_GROWING = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_plain(root: Root, path: str, flags: int) -> int:
    """A descriptor of the plain file at `path`. Never hangs: a FIFO is opened without waiting for its other end."""
    check_path(path)
    return _checked(root.open(path, flags | os.O_NONBLOCK), path)


def _checked(descriptor: int, path: str) -> int:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise PathNotFound(path) if stat.S_ISDIR(mode) else PathInvalid(path)


class OpenFile:
    """A descriptor that is closed once, whether or not it was ever opened."""

    def __init__(self, root: Root, path: str) -> None:
        self._root = root
        self._path = path
        self._descriptor = -1

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with reporting(self._path):
                os.close(descriptor)


class ReadFile(OpenFile):
    """A file that is read from wherever it is asked."""

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes at `offset`; none at the end. The first call opens the file."""
        with reporting(self._path):
            if self._descriptor < 0:
                self._descriptor = open_plain(self._root, self._path, os.O_RDONLY)
            return os.pread(self._descriptor, size, offset)


class LockedFile(OpenFile):
    """A file that is held alone until it is closed; by flock, so that the kernel frees it when its holder dies.

    The lock belongs to the open file: two tasks of one process exclude each other like two processes. A child that
    was forked, not started anew, shares it.
    """

    def open(self) -> None:
        """Take the lock, or raise Locked."""
        with reporting(self._path):
            for _ in range(TRIES):
                self._descriptor = open_plain(self._root, self._path, os.O_RDWR)
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Locked(self._path) from None
                if self._is_current():
                    return
                self.close()
        raise Locked(self._path)

    def _is_current(self) -> bool:
        # Between open and flock the holder before us may have renamed or replaced the file.
        mine, there = os.fstat(self._descriptor), os.lstat(self._root.path + self._path)
        return os.path.samestat(mine, there)


class GrowingFile(OpenFile):
    """A file that is written at its end."""

    def __init__(self, root: Root, path: str) -> None:
        super().__init__(root, path)
        self.size = 0
        self._is_new = False
        self._failure: OSError | None = None
        self._writeback = Writeback(0)

    def open(self) -> None:
        """Open it, or make it and its directories."""
        check_path(self._path)
        directory, name = split_path(self._path)
        with reporting(self._path):
            self._root.within(directory, lambda parent: self._open_in(parent, name))
            self.size = os.fstat(self._descriptor).st_size
        self._writeback = Writeback(self.size)

    def _open_in(self, parent: int, name: str) -> None:
        try:
            descriptor = os.open(name, _GROWING, dir_fd=parent)
        except FileNotFoundError:
            descriptor = os.open(name, _GROWING | os.O_CREAT, FILE_MODE, dir_fd=parent)
            self._is_new = True
        self._descriptor = _checked(descriptor, self._path)

    def write(self, chunks: Iterable[bytes]) -> None:
        with reporting(self._path):
            for taken in write_all(self._descriptor, chunks):
                self.size += taken
        self._writeback.grown(self._descriptor, self.size)

    def truncate(self, size: int) -> None:
        if size < self.size:
            with reporting(self._path):
                os.ftruncate(self._descriptor, size)
            self.size = size

    def sync(self) -> None:
        """Make bytes and name durable. Once it failed it fails for good: the kernel forgets what it could not write."""
        with reporting(self._path):
            if self._failure is not None:
                raise OSError(errno.EIO, f"an earlier fsync failed: {self._failure}", self._path)
            try:
                os.fdatasync(self._descriptor)
                if self._is_new:
                    self._sync_name()
            except OSError as error:
                self._failure = error
                raise

    def _sync_name(self) -> None:
        with closing_descriptor(self._root.open_directory(split_path(self._path)[0])) as parent:
            os.fsync(parent)
        self._is_new = False

"""The root directory of a driver, below which nothing is reached through a symlink."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from entrepot.drivers.paths import split_path

DIRECTORY_MODE = 0o777  # before umask, as Distribution does: a tree may be shared with it through a group.
FILE_MODE = 0o666  # For files and directories that only this user may read, start with `umask 077`.
TRIES = 10
"""How often to try again where somebody else makes, replaces or removes the same names at the same time."""

T = TypeVar("T")

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class RootMissing(OSError):
    """The root itself is gone: unmounted, moved, deleted. Not to be taken for an empty store."""

    def __init__(self, root: str) -> None:
        super().__init__(f"the storage root {root} is missing: mount or create it")


@contextmanager
def closing_descriptor(descriptor: int) -> Iterator[int]:
    """Close `descriptor` on the way out."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Root:
    """Opens what is below a directory; paths are checked ones. Raises OSError; ELOOP where a symlink is on the way.

    The directory itself may be a symlink. It is never made here: one that has gone raises RootMissing.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path).rstrip("/")
        self._real = os.path.realpath(path).rstrip("/")

    def is_missing(self) -> bool:
        return not os.path.isdir(self.path or "/")

    def open(self, path: str, flags: int) -> int:
        """A descriptor of what is at `path`."""
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = self._open_at_once(path, flags)
        if descriptor is None:
            directory, name = split_path(path)
            with closing_descriptor(self._walk(directory, create=False)) as parent:
                descriptor = os.open(name or ".", flags, dir_fd=parent)
        return descriptor

    def open_directory(self, path: str) -> int:
        """A descriptor of the directory at `path`."""
        return self._open_directory(path, create=False)

    def within(self, path: str, action: Callable[[int], T]) -> T:
        """Call `action` with the directory at `path`, which is durably made where it is missing, with those above.

        All that is done again where somebody removes one of them meanwhile.
        """
        tries = TRIES
        while True:
            try:
                with closing_descriptor(self._open_directory(path, create=True)) as directory:
                    return action(directory)
            except FileNotFoundError:
                tries -= 1
                if not tries:
                    raise

    def _open_directory(self, path: str, *, create: bool) -> int:
        descriptor = self._open_at_once(path, _DIRECTORY | os.O_NOFOLLOW)
        return self._walk(path, create=create) if descriptor is None else descriptor

    def _open_at_once(self, path: str, flags: int) -> int | None:
        # A fifth of the time of a walk. The kernel's own name of what was opened proves that no symlink was on the way;
        # anything but that proof (an error, no /proc, a file replaced just now) is left to the walk to judge.
        try:
            descriptor = os.open(self.path + path, flags)
        except OSError:
            return None
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{descriptor}") == self._real + path:
                return descriptor
        os.close(descriptor)
        return None

    def _walk(self, path: str, *, create: bool) -> int:
        try:
            descriptor = os.open(self.path or "/", _DIRECTORY)
        except FileNotFoundError:
            raise RootMissing(self.path) from None
        for name in path.split("/")[1:] if path != "/" else ():
            with closing_descriptor(descriptor):
                descriptor = _open_child(descriptor, name, create=create)
        return descriptor


def _open_child(parent: int, name: str, *, create: bool) -> int:
    flags = _DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
        _make_child(parent, name)
        return os.open(name, flags, dir_fd=parent)
    except NotADirectoryError:
        # The kernel says this of symlinks as well. A reader finds nothing below a file.
        is_file = stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        code = errno.ENOENT if is_file and not create else errno.ELOOP
        raise OSError(code, os.strerror(code), name) from None


def _make_child(parent: int, name: str) -> None:
    # What somebody else has made meanwhile is fsynced too. One that was found is not: the journals of ext4, XFS and
    # Btrfs commit in order, so what is made durable inside it brings its own entry along.
    with suppress(FileExistsError):
        os.mkdir(name, DIRECTORY_MODE, dir_fd=parent)
    try:
        os.fsync(parent)
    except OSError:
        with suppress(OSError):
            os.rmdir(name, dir_fd=parent)  # who tries again must find it missing, and so fsync again
        raise

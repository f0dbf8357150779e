"""Tries at the start what a driver will ask of its root, so that an unfit one is refused with a clear line."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from entrepot.drivers.durable import replace, temporary_name
from entrepot.drivers.root import DIRECTORY_MODE, closing_descriptor

_ADVICE = {
    errno.EACCES: "make it belong to the user that the registry runs as",
    errno.EPERM: "make it belong to the user that the registry runs as",
    errno.EROFS: "mount it for writing",
    errno.ENOSPC: "free some space on its file system",
    errno.EDQUOT: "free some space, or raise the quota",
    errno.EEXIST: "something that is no directory is in the way",
    errno.ENOTDIR: "something that is no directory is in the way",
    errno.EIO: "check the disk",
}
_OTHERWISE = "use a file system such as ext4, XFS or Btrfs, mounted for writing"


class RootUnusable(OSError):
    """The root cannot hold a registry; the message names it, what failed, and what to do."""


def check_root(root: str) -> None:
    """Make `root` where it is missing, and write, replace, lock and remove a file in it. Raises RootUnusable."""
    with _trying(root, "make the directory"):
        _make(root)
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    name = temporary_name()
    with closing_descriptor(directory):
        try:
            with _trying(root, "write a file durably in it"):
                replace(directory, name, b"1")
                replace(directory, name, b"2")
            with _trying(root, "lock a file in it"):
                _check_lock(directory, name)
            with _trying(root, "tell upper from lower case in it"):
                _check_case(directory, name)
        finally:
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)


@contextmanager
def _trying(root: str, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, _OTHERWISE)
        raise RootUnusable(f"storage root {root}: cannot {what}: {error.strerror}; {advice}") from error


def _make(root: str) -> None:
    missing = []
    path = os.path.abspath(root)
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for path in reversed(missing):
        os.mkdir(path, DIRECTORY_MODE)
        with closing_descriptor(os.open(os.path.dirname(path), os.O_RDONLY | os.O_CLOEXEC)) as parent:
            os.fsync(parent)


def _check_lock(directory: int, name: str) -> None:
    with (
        closing_descriptor(os.open(name, os.O_RDWR, dir_fd=directory)) as first,
        closing_descriptor(os.open(name, os.O_RDWR, dir_fd=directory)) as second,
    ):
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    raise OSError(errno.ENOTSUP, "locks exclude nobody")


def _check_case(directory: int, name: str) -> None:
    # Tags are case-sensitive: `v1` and `V1` must not be one file.
    try:
        os.stat(name.upper(), dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    raise OSError(errno.ENOTSUP, "names of different case are one name")

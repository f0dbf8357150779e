"""What changes a directory: each step is whole and durable when it returns, and leaves nothing behind when it fails.

The recipe: create, write, fsync, rename, fsync the directory; and fsync the parent of each directory that is new. A
directory that did not change is not fsynced. All of it blocks, and raises OSError.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from uuid import uuid4

from entrepot.drivers.paths import split_path
from entrepot.drivers.root import FILE_MODE, TRIES, Root, closing_descriptor

_IOV_MAX = os.sysconf("SC_IOV_MAX")
_GROUP = 256 * 1024  # bytes that a processor's own cache holds
_TEMPORARY = re.compile(r"(?:.*\.)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp")


def temporary_name() -> str:
    """A new name for a file that is being written; in the form that Distribution uses too."""
    return f"{uuid4()}.tmp"


def is_temporary(name: str) -> bool:
    """Whether a *file* of this name was left by somebody who died writing it. A tag, a directory, may be called so."""
    return name.endswith(".tmp") and _TEMPORARY.fullmatch(name) is not None


def write_all(descriptor: int, chunks: Iterable[bytes]) -> Iterator[int]:
    """Write `chunks` whole, however little the kernel takes at a time; yields what it took each time.

    Takes no more chunks than it writes next: what was hashed when it was taken is in the processor's cache then.
    """
    for views in _groups(chunks):
        yield from _write_group(descriptor, views)


def _groups(chunks: Iterable[bytes]) -> Iterator[list[memoryview]]:
    views: list[memoryview] = []
    size = 0
    for chunk in chunks:
        if chunk:
            views.append(memoryview(chunk))
            size += len(chunk)
        if size >= _GROUP:
            yield views
            views, size = [], 0
    if views:
        yield views


def _write_group(descriptor: int, views: list[memoryview]) -> Iterator[int]:
    first = 0
    while first < len(views):
        taken = rest = os.writev(descriptor, views[first : first + _IOV_MAX])
        while first < len(views) and rest >= len(views[first]):
            rest -= len(views[first])
            first += 1
        if rest:
            views[first] = views[first][rest:]
        yield taken


def put(root: Root, path: str, content: bytes) -> None:
    """Make `content` the whole of the file at `path`."""
    directory, name = split_path(path)
    root.within(directory, lambda descriptor: replace(descriptor, name, content))


def replace(directory: int, name: str, content: bytes) -> None:
    """Make `content` the whole of the file `name`: a reader sees the old or the new one."""
    temporary = temporary_name()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with closing_descriptor(os.open(temporary, flags, FILE_MODE, dir_fd=directory)) as descriptor:
            for _ in write_all(descriptor, [content]):
                pass
            os.fsync(descriptor)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)


def move(root: Root, source: str, target: str) -> None:
    """Rename a file. Makes no directory for `target` where `source` is no plain file."""
    directory, name = split_path(source)
    new_directory, new_name = split_path(target)

    def rename(goal: int) -> None:
        if not stat.S_ISREG(os.stat(name, dir_fd=origin, follow_symlinks=False).st_mode):
            raise IsADirectoryError(errno.EISDIR, "not a plain file", source)
        os.rename(name, new_name, src_dir_fd=origin, dst_dir_fd=goal)
        os.fsync(goal)

    with closing_descriptor(root.open_directory(directory)) as origin:
        os.stat(name, dir_fd=origin, follow_symlinks=False)
        root.within(new_directory, rename)
        if directory != new_directory:
            os.fsync(origin)


def delete(root: Root, path: str) -> None:
    """Remove a file, or a directory with all in it; a symlink is removed, not followed."""
    directory, name = split_path(path)
    with closing_descriptor(root.open_directory(directory)) as descriptor:
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        _remove(descriptor, name)
        os.fsync(descriptor)


def _remove(parent: int, name: str) -> None:
    with suppress(FileNotFoundError):  # somebody else removed it
        try:
            os.unlink(name, dir_fd=parent)
        except IsADirectoryError:
            _remove_directory(parent, name)


def _remove_directory(parent: int, name: str) -> None:
    for left in reversed(range(TRIES)):
        _empty(parent, name)
        try:
            os.rmdir(name, dir_fd=parent)
            break
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not left:  # not empty: somebody writes here
                raise


def _empty(parent: int, name: str) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with closing_descriptor(os.open(name, flags, dir_fd=parent)) as descriptor, os.scandir(descriptor) as entries:
        for entry in entries:
            _remove(descriptor, entry.name)

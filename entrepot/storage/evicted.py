"""The steps by which a file leaves: known by what it is, renamed, then removed or renamed back. All of them block."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

_LEAVING = ".leaving"


class Identity(NamedTuple):
    """A file as it was: whatever is written, linked or renamed there since has another one."""

    device: int
    inode: int
    changed_ns: int


def identify(path: str) -> Identity | None:
    """The plain file at `path`; None where there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return Identity(status.st_dev, status.st_ino, status.st_ctime_ns) if stat.S_ISREG(status.st_mode) else None


def rename_away(data: str, evicted: str, expected: Identity) -> bool:
    """Rename `data` if it is the expected file, and say whether that was done. Raises OSError."""
    if identify(data) != expected:
        return False
    try:
        os.rename(data, evicted)
    except FileNotFoundError:
        return False
    # Another may have taken its place between the two calls. Renaming changes the time, not the file.
    renamed = identify(evicted)
    if renamed is not None and renamed[:2] != expected[:2]:
        rename_back(data, evicted)
        return False
    return True


def away_from(path: str) -> str:
    """Where `remove_link` looks at a link; nobody reads it there."""
    return path + _LEAVING


def remove_link(path: str, is_young: Callable[[float], bool]) -> bool:
    """Remove a link and its directory, unless it is young by the time when it is gone. Raises OSError.

    Looked at after it was taken away, so that nobody can have renewed or replaced what is removed.
    """
    away, was_there = away_from(path), True
    try:
        os.rename(path, away)
    except FileNotFoundError:
        was_there = False  # but a crash may have left it under the other name
    try:
        if is_young(os.lstat(away).st_mtime):
            rename_back(path, away)
            return False
        os.unlink(away)
    except FileNotFoundError:
        return False
    remove_directory(path)
    return was_there


def rename_back(data: str, evicted: str) -> bool:
    """Undo `rename_away`, unless there is new content, and say whether the file is back. Raises OSError."""
    is_back = True
    try:
        # Replaces nothing, as a rename would.
        os.link(evicted, data, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except FileExistsError:
        is_back = False
    except PermissionError:  # a file system without such links
        is_back = not os.path.lexists(data)
        if is_back:
            os.rename(evicted, data)
            return True
    os.unlink(evicted)
    return is_back


def remove(data: str, evicted: str) -> int:
    """Remove the renamed file, and its directory where nothing else is in it; the bytes it had. Raises OSError."""
    try:
        size = os.lstat(evicted).st_size
        os.unlink(evicted)
    except FileNotFoundError:
        size = 0
    remove_directory(data)
    return size


def remove_directory(path: str) -> None:
    """Remove the directory of the file at `path`, if it is empty."""
    with suppress(OSError):
        os.rmdir(os.path.dirname(path))

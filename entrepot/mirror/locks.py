"""Locks on files that all workers can reach (flock(2)): held by an open file, gone with the process that holds it."""

from __future__ import annotations

import fcntl
import os


def lock(descriptor: int) -> bool:
    """Lock the open file, and say whether that was possible: somebody else may hold it. Raises OSError.

    Not every file system knows locks: that is an error, and nobody who could be waited for.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Let others have it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_at(descriptor: int, path: str) -> bool:
    """Whether the open file still has that name: another may have taken it between opening and locking."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False

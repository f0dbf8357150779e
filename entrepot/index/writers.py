"""Which processes have noted what is not written yet: each holds a file locked, and removes it when it ends well.

A file that nobody holds was left by a process that was killed, with what it knew of the last second; so that what it
had brought is looked for. Where files cannot be locked nobody knows, and nothing is left. All of it blocks.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress


def writers_of(index: str) -> str:
    """The directory for those who write that index."""
    return os.path.join(os.path.dirname(index), "writers")


class Writer:
    """One process's file in a directory, made at the first `enter`."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, secrets.token_hex(8))
        self._descriptor: int | None = None

    def enter(self) -> None:
        """Make sure that the file is there: somebody may have removed all. Raises OSError."""
        if self._descriptor is not None and os.path.exists(self._path):
            return
        self._close()
        os.makedirs(self._directory, exist_ok=True)
        # Under its name only when it is locked, so that it is never taken for one that was left.
        new = f"{self._path}.new"
        self._descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(new, self._path)
        except OSError:
            os.unlink(new)
            self._close()
            raise

    def leave(self, *, is_done: bool) -> None:
        """Let go of the file, and remove it where all is written."""
        if self._descriptor is not None and is_done:
            with suppress(OSError):
                os.unlink(self._path)
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def dead_writers(directory: str) -> list[str]:
    """The files of processes that have not ended well."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [path for name in names if not _is_held(path := os.path.join(directory, name))]


def dismiss(paths: Sequence[str]) -> None:
    """What these knew is known."""
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def _is_held(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False

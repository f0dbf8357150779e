"""A file of this machine as it was when it was looked at. Must not know what is in it, or who wants to know."""

from __future__ import annotations

import os


class SeenFile:
    """What a look at a file told of it; `content` is None where it was not read."""

    __slots__ = ("_changed", "_device", "_inode", "_modified", "_path", "content", "size", "used")

    def __init__(self, path: str, status: os.stat_result, content: bytes | None = None) -> None:
        self._path = path
        self._device = status.st_dev
        self._inode = status.st_ino
        self._modified = status.st_mtime_ns
        self._changed = status.st_ctime_ns
        self.size = status.st_size
        self.content = content
        self.used = False

    def is_of(self, status: os.stat_result) -> bool:
        """Whether a later look has found the same file, unchanged."""
        return (
            self._changed == status.st_ctime_ns
            and self._inode == status.st_ino
            and self.size == status.st_size
            and self._modified == status.st_mtime_ns
            and self._device == status.st_dev
        )

    def stands(self) -> bool:
        """Look again."""
        try:
            return self.is_of(os.lstat(self._path))
        except OSError:
            return False

"""The contents of small files, each valid only as long as a stat of its path shows that the file has not changed."""

from __future__ import annotations

import os

from entrepot.drivers.seen import SeenFile

LARGEST_FILE = 64 << 10
"""Bytes of a file that is worth keeping, and short enough to be read on the event loop."""

_OVERHEAD = 512  # of an entry: its object, its integers, its slot in the dictionary
_RACY = 100_000_000  # ns; a kernel's clock for files ticks every 1 to 10 ms
_RACY_COARSE = 2_000_000_000  # ns; for file systems that keep whole seconds, or two of them


class SmallFiles:
    """Contents by path, up to `capacity` bytes in all; what was not used since it was last passed over goes first.

    A file that was changed less than a tick of the file system's clock before it was read could change again without
    its stat showing it (git's "racily clean" entries), so it is kept only when it is read again later.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: dict[str, SeenFile] = {}
        self._size = 0

    def find(self, path: str, status: os.stat_result) -> SeenFile | None:
        """The file at `path` with its content, if the one that `status` describes is the one that was kept."""
        kept = self._kept.get(path)
        if kept is None or not kept.is_of(status):
            return None
        kept.used = True
        return kept

    def keep(self, path: str, status: os.stat_result, content: bytes, now: int) -> None:
        """Keep what was read. `status` was taken before reading, `now` (ns since the epoch) before `status`."""
        self.forget(path)
        racy = _RACY if status.st_ctime_ns % 1_000_000_000 else _RACY_COARSE
        if len(content) > LARGEST_FILE or len(content) != status.st_size or now - status.st_ctime_ns < racy:
            return
        self._kept[path] = SeenFile(path, status, content)
        self._size += _weight(path, content)
        while self._size > self._capacity:
            self._pass_over()

    def forget(self, path: str) -> None:
        """Drop what is kept of `path`, if anything."""
        kept = self._kept.pop(path, None)
        if kept is not None:
            self._size -= _weight(path, kept.content or b"")

    def _pass_over(self) -> None:
        path, kept = next(iter(self._kept.items()))
        if kept.used:  # a second chance, at the end of the queue
            kept.used = False
            self._kept[path] = self._kept.pop(path)
        else:
            self.forget(path)


def _weight(path: str, content: bytes) -> int:
    return len(path) + len(content) + _OVERHEAD

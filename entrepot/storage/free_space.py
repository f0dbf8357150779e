"""How much must go for the file system to have enough free space again."""

from __future__ import annotations

import os


class FreeSpace:
    """Of the file system that holds `path`: `share` (0 to 1) of it and `size` bytes, whichever is more, stay free.

    Below that, so much has to go that a tenth more than that is free, so that it is not one by one.
    """

    def __init__(self, path: str, share: float = 0.0, size: int = 0) -> None:
        self._path = path
        self._share = share
        self._size = size

    def shortage(self) -> int:
        """Bytes that have to go; 0 where enough is free, or nothing can be known."""
        try:
            found = os.statvfs(self._path)
        except OSError:
            return 0
        bound = max(int(found.f_blocks * found.f_frsize * self._share), self._size)
        # What is kept for root is not free for us.
        free = found.f_bavail * found.f_frsize
        return 0 if free >= bound else bound + bound // 10 - free

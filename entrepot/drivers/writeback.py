"""Early writeback: the disk begins to work while a large file still grows, so that the fsync at its end is short.

Makes nothing durable: that is fsync's. Knows nothing of paths.
"""

from __future__ import annotations

import ctypes

STEP = 8 * 1024 * 1024
"""Bytes after which the disk is given work: enough for it to write in one go."""

_WRITE = 2  # SYNC_FILE_RANGE_WRITE, sync_file_range(2): begin, do not wait


def _load() -> ctypes._NamedFuncPointer | None:
    # Linux only; elsewhere fsync does it all. Unlike posix_fadvise it drops nothing from memory.
    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call


class Writeback:
    """How far the writing of one file to the disk was begun."""

    _call = staticmethod(_load() or (lambda *_: 0))

    def __init__(self, size: int) -> None:
        self._begun = size

    def grown(self, descriptor: int, size: int) -> None:
        """To be called after writing. An error here is one of the later fsync as well, which reports it."""
        if size - self._begun >= STEP:
            self._call(descriptor, self._begun, size - self._begun, _WRITE)
            self._begun = size

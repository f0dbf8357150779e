"""The file in which one process keeps its series of one type, in the form that prometheus-client sums up."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict, mmap_key

from entrepot.metrics.families import Family

_ROOM = 512 << 10
"""Bytes that are taken of the disk beforehand: what is mapped and finds no room kills the process (SIGBUS)."""


class SeriesFile:
    """Series of one type (`counter`, `histogram`, `gauge_max`…) of one slot, which is a number behind a word or none.

    Not for two threads at once.

    Raises OSError where there is no room for it.
    """

    def __init__(self, directory: Path, kind: str, slot: int | str) -> None:
        path = directory / f"{kind}_{slot}.db"
        _reserve(path)
        self._file = MmapedDict(str(path))

    def add(self, key: str, amount: float) -> None:
        """Count `amount` more."""
        file = self._file
        file.write_value(key, file.read_value(key)[0] + amount, 0.0)

    def set(self, key: str, value: float, timestamp: float) -> None:
        """Put `value` in the place of what was there; of those of several slots, some types take the latest."""
        self._file.write_value(key, value, timestamp)

    def close(self) -> None:
        self._file.close()


def series_key(family: Family, suffix: str, values: tuple[str, ...], bound: str = "") -> str:
    """What a series is called in a file; `bound` is that of a bucket of a histogram."""
    labels, texts = [*family.labels], [*values]
    if bound:
        labels.append("le")
        texts.append(bound)
    return mmap_key(family.name, family.name + suffix, labels, texts, family.documentation)


def _reserve(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, _ROOM)
    finally:
        os.close(descriptor)

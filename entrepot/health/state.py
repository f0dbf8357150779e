"""Which checks fail now: written by the one process that checks, read by all that were forked after it was made."""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping

_SIZE = 64 * 1024
_FLAG, _TEXT = 0, 8
_TRIES = 1000
_LONGEST = 512  # characters of a failure


class HealthState:
    """A page of memory that processes share. Reading whether all is well costs one look."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, _SIZE)

    @property
    def is_failing(self) -> bool:
        return self._page[_FLAG] != 0

    def failures(self) -> Mapping[str, str]:
        """What is wrong, by the name of its check."""
        for _ in range(_TRIES):
            text = self._page[_TEXT:].partition(b"\0")[0]
            if not self.is_failing:
                break
            try:
                found: dict[str, str] = json.loads(text)
            except ValueError:
                continue  # it is just being written
            return found
        return {}

    def set(self, failures: Mapping[str, str]) -> None:
        """Say all that is wrong; nothing, where all is well."""
        known: dict[str, str] = {}
        for name, text in failures.items():
            if len(json.dumps({**known, name: text[:_LONGEST]})) < _SIZE - _TEXT:
                known[name] = text[:_LONGEST]
        written = json.dumps(known).encode() + b"\0"
        self._page[_TEXT : _TEXT + len(written)] = written
        self._page[_FLAG] = bool(failures)

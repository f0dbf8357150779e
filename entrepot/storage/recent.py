"""A map that remembers what was used last, bounded by the weight of what it holds. Knows nothing of what that is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Least recently used leaves first; an entry heavier than the bound is not kept at all."""

    def __init__(self, bound: int, weigh: Callable[[V], int]) -> None:
        self._bound = bound
        self._weigh = weigh
        self._entries: dict[K, V] = {}
        self._weight = 0

    def get(self, key: K) -> V | None:
        """The entry, which thereby is the most recently used one."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._entries[key] = value
        return value

    def peek(self, key: K) -> V | None:
        """The entry, without a change of the order; the only method for other threads than the owner's."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        self.pop(key)
        weight = self._weigh(value)
        if weight > self._bound:
            return
        self._entries[key] = value
        self._weight += weight
        while self._weight > self._bound:
            self.pop(next(iter(self._entries)))

    def pop(self, key: K) -> V | None:
        """Take the entry out."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
        return value

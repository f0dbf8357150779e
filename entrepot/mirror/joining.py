"""Questions that several clients ask at once, asked once: one task for each key, which belongs to none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Joining(Generic[Key, Answer]):
    """The questions of one worker that are being asked."""

    def __init__(self) -> None:
        self._asked: dict[Key, asyncio.Task[Answer]] = {}

    def ask(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> tuple[asyncio.Task[Answer], bool]:
        """The task that answers, and whether somebody else began it. Shield it: others wait for it too."""
        running = self._asked.get(key)
        if running is not None:
            return running, True
        task = asyncio.ensure_future(ask())
        self._asked[key] = task
        task.add_done_callback(lambda done: self._end(key, done))
        return task, False

    def _end(self, key: Key, done: asyncio.Task[Answer]) -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, also where everybody who waited has left

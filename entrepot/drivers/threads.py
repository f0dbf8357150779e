"""The threads on which a driver does what may wait for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A bounded pool, made on first use, so that an object made before a fork starts its threads after it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` on a thread.

        A cancellation is held back until the function has returned: no thread works on with a descriptor that the
        cancelled task has closed, and what was begun is done when the task ends.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._limit, thread_name_prefix="driver")
        work = asyncio.wrap_future(self._pool.submit(function, *args, **kwargs))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError:  # the first one is raised below
                    continue
            raise

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

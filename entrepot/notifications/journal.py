"""A `Listener` that writes down what it is told: pushes, mounts and deletions at once, pulls a second later.

A pull that a kill -9 takes away is not told; all else is, before its client has an answer. Must not know endpoints.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Collection, Sequence

from entrepot.listener import PULL, Asked, Occurrence
from entrepot.notifications.events import Event, Source, event_of
from entrepot.notifications.outbox import Outbox
from entrepot.telemetry import Meter, get_logger

log = get_logger(__name__)

_INTERVAL = 1.0
_MOST_GATHERED = 1000


class Journal:
    """One worker's. `wanted` are the actions that anybody is told of. Run `run` beside the server."""

    def __init__(
        self, outbox: Outbox, source: Source, wanted: Collection[str], meter: Meter, *, with_references: bool
    ) -> None:
        self._outbox = outbox
        self._source = source
        self._wanted = frozenset(wanted)
        self._meter = meter
        self._with_references = with_references
        self._gathered: list[Event] = []
        self._turn = asyncio.Lock()

    async def tell(self, occurrences: Sequence[Occurrence], asked: Asked) -> None:
        now = time.time_ns()
        wanted = [one for one in occurrences if one.action in self._wanted]
        self._gathered += [
            event_of(one, asked, self._source, with_references=self._with_references, now=now) for one in wanted
        ]
        if len(self._gathered) > _MOST_GATHERED or any(one.action != PULL for one in wanted):
            await self._flush()

    async def run(self) -> None:
        """Write what is gathered each second until cancelled, then a last time."""
        try:
            while True:
                await asyncio.sleep(_INTERVAL)
                await self._flush()
        finally:
            await asyncio.shield(self._flush())
            self._outbox.close()

    async def _flush(self) -> None:
        # Whoever waits for the turn finds its events written, or writes them with those of others.
        async with self._turn:
            events, self._gathered = self._gathered, []
            if not events:
                return
            try:
                dropped = await self._written(events)
            except (sqlite3.Error, OSError) as error:
                # A listener that cannot be told must not keep anybody from pushing (Distribution's rule, too).
                log.error("events_not_written", events=len(events), error=str(error))
                self._meter.lost("unwritten", len(events))
                return
            if dropped:
                log.error("events_dropped", events=dropped, reason="too many wait for an endpoint")
                self._meter.lost("dropped", dropped)

    async def _written(self, events: Sequence[Event]) -> int:
        # Others wait for what is written here: it goes on to its end, whoever leaves.
        work = asyncio.ensure_future(asyncio.to_thread(self._outbox.add, events))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait({work})
            raise

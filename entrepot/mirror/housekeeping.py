"""What one process of a node does for its cache all the time: expiry, and keeping what is known of it true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from entrepot.ledger import Holdings, Kind, Link, Remains
from entrepot.mirror.expiry import Bounds, Freed
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.telemetry import get_logger

log = get_logger(__name__)

INTERVAL = 5.0
SURVEY_INTERVAL = 24 * 3600.0
"""Seconds, between two surveys of all that is kept."""

_SHARE = 10.0
"""Of the time: workers that are killed all the time must not keep the keeper surveying."""

_PAGE = 500
_PAUSE = 0.01  # seconds after each part of a survey, so that it leaves disk and processor to those who pull

Expiries = Mapping[tuple[RepositoryName, Digest, Kind], float]


class Records(Protocol):
    """What is known of the cache; `index/inventory.py` says more."""

    async def check(self) -> None: ...
    async def surveyed_at(self) -> float | None: ...
    async def set_surveyed_at(self, at: float) -> None: ...
    async def dead_writers(self) -> Sequence[str]: ...
    async def dismiss(self, writers: Sequence[str]) -> None: ...
    async def record(self, holdings: Holdings) -> None: ...
    async def page(self, after: Link | None, limit: int) -> Sequence[Link]: ...
    async def forget(self, links: Sequence[Link]) -> None: ...
    async def leave(self, digests: Sequence[Digest]) -> None: ...


class Layout(Protocol):
    """What is there; `storage/survey.py` says more."""

    def holdings(self) -> AsyncIterator[Holdings]: ...
    async def absent(self, links: Sequence[Link]) -> Sequence[Link]: ...


class Passes(Protocol):
    """What leaves, and when; `Expiry`."""

    async def run_once(self) -> Freed: ...


class Unfinished(Protocol):
    """What has begun to leave; `Removal`."""

    async def finish(self) -> None: ...
    async def settle(self, digests: Sequence[Digest]) -> None: ...


class Housekeeping:
    """Runs beside the server, in one process of a node; `sweep` removes leftovers and names what is half done.

    `expiries` reads what a Distribution, whose data this was, knew of it; asked only where nothing else is known.
    """

    def __init__(
        self,
        records: Records,
        layout: Layout,
        expiry: Passes,
        removal: Unfinished,
        *,
        sweep: Callable[[], Awaitable[Remains]],
        expiries: Callable[[], Awaitable[Expiries]],
        bounds: Mapping[str, Bounds],
        namespace_of: Callable[[RepositoryName], str],
        clock: Callable[[], float] = time.time,
        interval: float = INTERVAL,
        survey_interval: float = SURVEY_INTERVAL,
        pause: float = _PAUSE,
    ) -> None:
        self._records = records
        self._layout = layout
        self._expiry = expiry
        self._removal = removal
        self._sweep = sweep
        self._expiries = expiries
        self._bounds = bounds
        self._namespace_of = namespace_of
        self._clock = clock
        self._interval = interval
        self._survey_interval = survey_interval
        self._pause = pause
        self._rest = 0.0
        # What a pass has just renamed must not be taken for what a crash has left.
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled; a failure is logged, and everything is tried again."""
        await self._guarded(self._records.check)
        await asyncio.gather(self._repeat(self.survey_if_due), self._repeat(self.expire))

    async def _repeat(self, duty: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._guarded(duty)
            await asyncio.sleep(self._interval)

    async def _guarded(self, duty: Callable[[], Awaitable[None]]) -> None:
        try:
            await duty()
        except Exception as error:
            # A full disk, an index that was damaged this moment: nothing that the next time could not bring right.
            log.error("housekeeping_failed", error=f"{type(error).__name__}: {error}")

    async def expire(self) -> None:
        """One pass; not before all that is kept is known: what another repository needs might leave."""
        if await self._records.surveyed_at() is None:
            return
        async with self._turn:
            await self._removal.finish()
            await self._expiry.run_once()

    async def survey_if_due(self) -> None:
        """Survey where the index is new, was lost, or is old, and where somebody was killed who had not written all."""
        at, dead = await self._records.surveyed_at(), await self._records.dead_writers()
        interval = self._rest if dead else self._survey_interval
        began = self._clock()
        if at is None or not at <= began < at + interval:
            await self.survey(is_first=at is None)
            self._rest = _SHARE * (self._clock() - began)
            await self._records.dismiss(dead)

    async def survey(self, *, is_first: bool) -> None:
        """Make the records say what the layout holds, and remove leftovers."""
        began = self._clock()
        expiries = await self._expiries() if is_first else {}
        links = 0
        async for part in self._layout.holdings():
            links += len(part.links)
            dated = [self._dated(link, expiries, began) for link in part.links]
            await self._records.record(Holdings(dated, part.needs, part.tags))
            await asyncio.sleep(self._pause)
        gone = await self._forget_absent()
        await self._records.set_surveyed_at(began)
        async with self._turn:
            remains = await self._sweep()
            await self._removal.settle(remains.evicted)
            # The next pass looks whether it is linked.
            await self._records.leave(remains.brought)
        log.info("cache_surveyed", links=links, gone=gone, seconds=round(self._clock() - began, 3))

    def _dated(self, link: Link, expiries: Expiries, now: float) -> Link:
        expiry = expiries.get((link.name, link.digest, link.kind))
        ttl = self._bounds.get(self._namespace_of(link.name), Bounds(0.0)).ttl
        at = link.used_at if expiry is None or ttl <= 0 else expiry - ttl
        # A clock that was wrong once must not keep anything for ever.
        return link._replace(used_at=min(at, now))

    async def _forget_absent(self) -> int:
        gone = 0
        page = await self._records.page(None, _PAGE)
        while page:
            absent = await self._layout.absent(page)
            if absent:
                await self._records.forget(absent)
                gone += len(absent)
            await asyncio.sleep(self._pause)
            page = await self._records.page(page[-1], _PAGE)
        return gone

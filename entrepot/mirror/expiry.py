"""What leaves a cache, and when: what nobody used for long, and what was used least where there is too much.

Policy only: it asks an inventory and tells a remover. Must not know SQL or files.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from entrepot.ledger import Link
from entrepot.mirror.removal import BATCH, Removed
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.telemetry import Meter, get_logger

log = get_logger(__name__)

GRACE = 15.0
"""Seconds; what was used so recently never leaves, however full it is."""

_WATERMARK = 0.9
_BATCHES = 20  # for each bound in one pass; then it is looked again at what is most urgent


class Inventory(Protocol):
    """What is known of how much there is, and when it was used; `index/inventory.py` says more."""

    async def size(self, namespace: str | None, bound: int) -> int: ...
    async def idle(self, namespace: str | None, before: float, limit: int) -> Sequence[Link]: ...
    async def held(self, digests: Iterable[Digest], namespace: str | None = None) -> set[Digest]: ...


class Remover(Protocol):
    """What removes links, and content of which they were the last; `Removal`."""

    async def remove(self, links: Sequence[Link]) -> Removed: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a namespace: seconds since the last use, and bytes; 0 or less: none. `upstream` is its name in metrics."""

    ttl: float
    maxsize: int = 0
    upstream: str = ""


@dataclass(slots=True)
class Freed:
    """What a pass has removed: links, and the bytes of content that nobody links any more."""

    entries: int = 0
    size: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Want:
    """Why something is to leave, of what, not used since when, and how many bytes of it."""

    reason: str
    namespace: str | None
    before: float
    size: float


class Expiry:
    """Passes over a cache, by `bounds` of each namespace and `maxsize` of all.

    `shortage` says how many bytes must go for enough of the file system to be free.
    """

    def __init__(
        self,
        inventory: Inventory,
        remover: Remover,
        *,
        bounds: Mapping[str, Bounds],
        maxsize: int,
        shortage: Callable[[], int],
        namespace_of: Callable[[RepositoryName], str],
        meter: Meter,
        clock: Callable[[], float] = time.time,
        grace: float = GRACE,
    ) -> None:
        self._inventory = inventory
        self._remover = remover
        self._bounds = bounds
        self._maxsize = maxsize
        self._shortage = shortage
        self._namespace_of = namespace_of
        self._meter = meter
        self._clock = clock
        self._grace = grace

    async def run_once(self) -> Freed:
        """One pass, the most urgent first; what is left of a large one leaves in the next.

        Raises what the inventory raises; what has left by then has left.
        """
        freed = Freed()
        try:
            shortage = await asyncio.to_thread(self._shortage)
            await self._evict(_Want("minfree", None, self._clock() - self._grace, shortage), freed)
            for namespace, bounds in self._bounds.items():
                await self._shrink(namespace, bounds.maxsize, freed)
            await self._shrink(None, self._maxsize, freed)
            for namespace, bounds in self._bounds.items():
                if bounds.ttl > 0:
                    before = self._clock() - max(bounds.ttl, self._grace)
                    await self._evict(_Want("ttl", namespace, before, float("inf")), freed)
        finally:
            if freed.entries:
                log.info("cache_evicted", entries=freed.entries, bytes=freed.size, reasons=freed.reasons)
        return freed

    async def _shrink(self, namespace: str | None, bound: int, freed: Freed) -> None:
        if bound <= 0:
            return
        size = await self._inventory.size(namespace, bound)
        if size > bound:
            excess = size - int(bound * _WATERMARK)
            await self._evict(_Want("maxsize", namespace, self._clock() - self._grace, excess), freed)

    async def _evict(self, want: _Want, freed: Freed) -> None:
        left = want.size
        # Links that cannot be removed must not keep those behind them.
        failed: set[Link] = set()
        for _ in range(_BATCHES):
            if left <= 0:
                return
            idle = await self._inventory.idle(want.namespace, want.before, BATCH + len(failed))
            links = _cut([link for link in idle if link not in failed], left)
            if not links:
                return
            removed = await self._remover.remove(links)
            self._report(want.reason, removed, freed)
            if removed.is_stuck:
                # Else all links would go, and nothing would be gained by it.
                log.error("eviction_stuck", reason=want.reason, entries=len(links))
                return
            failed.update({*links}.difference(removed.links))
            left -= await self._progress(want, removed)

    async def _progress(self, want: _Want, removed: Removed) -> int:
        """How much less there is of what there is too much of."""
        if want.reason == "minfree":
            return sum(removed.sizes.values())
        known = {link.digest: link.size for link in removed.links}
        held = await self._inventory.held(known, want.namespace)
        return sum(size for digest, size in known.items() if digest not in held)

    def _report(self, reason: str, removed: Removed, freed: Freed) -> None:
        freed.entries += len(removed.links)
        freed.size += sum(removed.sizes.values())
        freed.reasons[reason] = freed.reasons.get(reason, 0) + len(removed.links)
        counted: dict[str, list[int]] = {}
        sizes = dict(removed.sizes)
        for link in removed.links:
            count = counted.setdefault(self._namespace_of(link.name), [0, 0])
            count[0] += 1
            count[1] += sizes.pop(link.digest, 0)
        for namespace, (entries, size) in counted.items():
            bounds = self._bounds.get(namespace)
            self._meter.evicted((bounds.upstream if bounds else "") or namespace, reason, entries, size)


def _cut(links: Sequence[Link], size: float) -> Sequence[Link]:
    """The first of the links whose content together makes up `size`."""
    seen: set[Digest] = set()
    for index, link in enumerate(links):
        if size <= 0:
            return links[:index]
        if link.digest not in seen:
            seen.add(link.digest)
            size -= link.size
    return links

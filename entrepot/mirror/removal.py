"""How a batch of links leaves a cache, and the content that nobody links any more with them.

Must not know why they leave, nor SQL, nor files: it asks what is known, and tells an evictor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from entrepot.ledger import Link, TagLink
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName

BATCH = 1000

Mark = TypeVar("Mark")
Needed = Callable[[Collection[Digest]], Awaitable[Collection[Digest]]]


class Known(Protocol):
    """What is known of links to what came from upstreams; `index/inventory.py` says more."""

    async def tags(self, links: Sequence[Link]) -> Sequence[TagLink]: ...
    async def forget(self, links: Sequence[Link]) -> None: ...
    async def held(self, digests: Iterable[Digest], namespace: str | None = None) -> set[Digest]: ...
    async def leaving(self, after: str, limit: int) -> Sequence[Digest]: ...
    async def gone(self, digests: Iterable[Digest]) -> None: ...


class Evictor(Protocol[Mark]):
    """What removes links, and content; `storage/eviction.py` says more."""

    async def mark(self, digests: Iterable[Digest]) -> Mapping[Digest, Mark]: ...
    async def unlink(self, links: Sequence[Link], tags: Sequence[TagLink]) -> Sequence[Link]: ...
    async def free(self, marked: Mapping[Digest, Mark], needed: Needed) -> Mapping[Digest, int]: ...
    async def settle(self, away: Sequence[Digest], needed: Needed) -> Mapping[Digest, int]: ...
    def left_away(self, digests: Sequence[Digest]) -> Sequence[Digest]: ...


class Pins(Protocol):
    """What tells what must stay because a repository of pushed content links it."""

    async def pinned(self, digests: Collection[Digest]) -> set[Digest]: ...


@dataclass(frozen=True, slots=True)
class Removed:
    """Links that are gone, the bytes of content that left with them, and whether all that should failed to."""

    links: Sequence[Link]
    sizes: Mapping[Digest, int]
    is_stuck: bool = False


class Removal(Generic[Mark]):
    """Removes links of any repository but those of which `is_local` says that their content was pushed."""

    def __init__(
        self, known: Known, evictor: Evictor[Mark], pins: Pins, is_local: Callable[[RepositoryName], bool]
    ) -> None:
        self._known = known
        self._evictor = evictor
        self._pins = pins
        self._is_local = is_local

    async def remove(self, links: Sequence[Link]) -> Removed:
        """Remove links, and content of which they were the last."""
        marked = await self._evictor.mark({link.digest for link in links})
        # What has become local since it was noted is none of ours.
        local = [link for link in links if self._is_local(link.name)]
        cached = [link for link in links if not self._is_local(link.name)]
        gone = [*local, *await self._evictor.unlink(cached, await self._known.tags(cached))]
        # From here on a crash is made good by `finish`.
        await self._known.forget(gone)
        lost = {link.digest for link in gone}
        sizes, is_stuck = await self._free({digest: marked[digest] for digest in lost & marked.keys()}, lost)
        return Removed(gone, sizes, is_stuck)

    async def _free(self, marked: Mapping[Digest, Mark], lost: Collection[Digest]) -> tuple[Mapping[Digest, int], bool]:
        # Most of what other repositories link need not be waited for.
        held = await self._known.held(lost)
        marked = {digest: mark for digest, mark in marked.items() if digest not in held}
        sizes = await self._evictor.free(marked, self.needed) if marked else {}
        left = marked.keys() - sizes.keys()
        # What is neither needed nor freed has changed meanwhile, or could not be removed: it is looked at again.
        stuck = left - await self.needed(left)
        await self._known.gone({*lost} - stuck)
        return sizes, bool(stuck) and not sizes

    async def needed(self, digests: Collection[Digest]) -> set[Digest]:
        """Those of the digests that any repository links, with content that was pushed or that was not."""
        if not digests:
            return set()
        held = await self._known.held(digests)
        rest = {*digests} - held
        return held | await self._pins.pinned(rest) if rest else held

    async def finish(self) -> None:
        """Go on with what was begun before, perhaps by a process that was killed."""
        after = ""
        while digests := await self._known.leaving(after, BATCH):
            after = digests[-1]
            await self.settle(digests)
            await self._free(await self._evictor.mark(digests), digests)

    async def settle(self, digests: Sequence[Digest]) -> None:
        """Remove, or put back, those whose content a crash has left half evicted."""
        away = await asyncio.to_thread(self._evictor.left_away, digests)
        if away:
            await self._evictor.settle(away, self.needed)

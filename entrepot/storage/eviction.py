"""Taking content out of a registry while it is served: links first, the bytes last, and nobody's but what was meant.

The bytes are renamed before they are removed, so that whatever a push or a fill brings meanwhile under the same digest
is not what is removed. A crash leaves them under the other name, where `settle` finds them. Needs local files.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from entrepot.driver import Driver, LocalPaths, NoSpace, PathInvalid, PathNotFound
from entrepot.ledger import Kind, Link, TagLink
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestUnknown
from entrepot.storage import layout
from entrepot.storage.evicted import (
    Identity,
    away_from,
    identify,
    remove,
    remove_directory,
    remove_link,
    rename_away,
    rename_back,
)
from entrepot.storage.manifests import Manifests
from entrepot.storage.survey import link_path
from entrepot.storage.tags import Tags
from entrepot.storage.turns import taking_turns
from entrepot.telemetry import get_logger

log = get_logger(__name__)

T = TypeVar("T")

Needed = Callable[[Collection[Digest]], Awaitable[Collection[Digest]]]
"""Which of the digests some repository links now."""

_BREATH = 0.001
"""Seconds after each step: what takes longer than a hit at a time would be seen in how long hits take."""

_Failure = (OSError, NoSpace, PathInvalid)


class Eviction:
    """Of a registry on a driver whose files are local.

    `pause` is how many seconds a reader may take between a look at a link and opening what it names, and a push between
    bringing content and linking it; it is waited for twice with each batch. `sleep` waits.
    """

    def __init__(
        self, driver: Driver, local: LocalPaths, pause: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._driver = driver
        self._local = local
        self._pause = pause
        self._sleep = sleep
        self._manifests = Manifests(driver)
        self._tags = Tags(driver)

    async def mark(self, digests: Iterable[Digest]) -> dict[Digest, Identity]:
        """Which files hold the content now; call it before anything else, and `free` removes no others."""
        found: dict[Digest, Identity] = {}
        async for digest in taking_turns(digests):
            try:
                # Refuses symlinks on the way; from here on only a name that was seen is used.
                is_directory = (await self._driver.stat(layout.blob_data(digest))).is_directory
            except (PathNotFound, PathInvalid):
                continue
            identity = identify(self._place(layout.blob_data(digest)))
            if identity is not None and not is_directory:
                found[digest] = identity
        return found

    async def unlink(self, links: Sequence[Link], tags: Sequence[TagLink]) -> list[Link]:
        """Remove links, and before them the tags that still name one of them; the links that are gone now."""
        named: dict[tuple[str, Digest], list[TagLink]] = {}
        for tag in tags:
            named.setdefault((tag.name, tag.digest), []).append(tag)
        gone = []
        async for link in _slowly(links):
            try:
                await self._unlink(link, named.get((link.name, link.digest), ()))
            except _Failure as error:
                log.error("link_not_evicted", repository=link.name, digest=link.digest, error=str(error))
            else:
                gone.append(link)
        return gone

    async def _unlink(self, link: Link, tags: Sequence[TagLink]) -> None:
        paths = [link_path(link.name, link.digest, link.kind)]
        if link.kind is Kind.MANIFEST:
            for tag in tags:
                with suppress(ManifestUnknown):  # it is gone already
                    if await self._tags.resolve(tag.name, tag.tag) == tag.digest:
                        await self._tags.delete(tag.name, tag.tag)
            with suppress(ManifestUnknown):  # nobody knows what its subject was
                subject = (await self._manifests.get(link.name, link.digest)).parsed.subject
                if subject is not None:
                    paths.append(layout.referrer_link(link.name, subject.digest, link.digest))
        for path in paths:
            await self.remove_link(path)

    async def remove_link(self, path: str) -> None:
        """Remove a link, and its directory unless somebody has just put another one there."""
        with suppress(PathNotFound):
            await self._driver.delete(path)
        await asyncio.to_thread(remove_directory, self._place(path))

    async def remove_old_link(self, path: str, is_young: Callable[[float], bool]) -> bool:
        """Remove a link that nobody has renewed or written anew, and say whether that was done."""
        try:
            if is_young((await self._driver.stat(path)).modified):
                return False
        except PathInvalid:
            return False
        except PathNotFound:
            log.debug("link_absent", path=path)
        try:
            return await asyncio.to_thread(remove_link, self._place(path), is_young)
        except OSError as error:
            log.error("link_not_removed", path=path, error=str(error))
            return False

    async def put_back(self, paths: Sequence[str]) -> None:
        """Links that a crash has left under the name that `remove_old_link` gives them."""
        for path, is_left in zip(paths, await self._driver.present([away_from(path) for path in paths]), strict=True):
            if is_left:
                log.info("link_put_back", path=path)
                await asyncio.to_thread(rename_back, self._place(path), self._place(away_from(path)))

    async def free(self, marked: Mapping[Digest, Identity], needed: Needed) -> dict[Digest, int]:
        """Remove content that nobody needs, and say how many bytes each had. Waits until readers are done."""
        await self._sleep(self._pause)
        kept = await needed(marked.keys())
        leaving = [digest for digest in marked if digest not in kept]
        away = [
            digest
            async for digest in _slowly(leaving)
            if await asyncio.to_thread(self._step, rename_away, digest, marked[digest])
        ]
        return await self.settle(away, needed) if away else {}

    async def settle(self, away: Sequence[Digest], needed: Needed) -> dict[Digest, int]:
        """Remove content that was renamed, or rename it back where somebody has come to need it."""
        # Whoever saw it before it was renamed has linked it by now; who comes later does not find it.
        await self._sleep(self._pause)
        kept = await needed(away)
        freed: dict[Digest, int] = {}
        async for digest in _slowly(away):
            if digest in kept:
                log.info("eviction_undone", digest=digest)
                await asyncio.to_thread(self._step, rename_back, digest)
            else:
                size = await asyncio.to_thread(self._step, remove, digest)
                if size is not None:
                    freed[digest] = size
        return freed

    def left_away(self, digests: Sequence[Digest]) -> list[Digest]:
        """Those whose content lies under the other name, where a crash has left it."""
        return [digest for digest in digests if os.path.lexists(self._place(layout.blob_evicted(digest)))]

    def _step(self, action: Callable[..., int], digest: Digest, *arguments: Identity) -> int | None:
        data, evicted = self._place(layout.blob_data(digest)), self._place(layout.blob_evicted(digest))
        try:
            return action(data, evicted, *arguments)
        except OSError as error:
            log.error("blob_not_evicted", digest=digest, error=str(error))
            return None

    def _place(self, path: str) -> str:
        return self._local.local_path(path)


def _slowly(items: Sequence[T]) -> AsyncIterator[T]:
    return taking_turns(items, every=1, pause=_BREATH)

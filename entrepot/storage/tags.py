"""Tags: mutable names for the digests of manifests; as in Distribution a link for now, and one for each then."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import compress

from entrepot.driver import Driver, PathNotFound
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestUnknown, NameUnknown
from entrepot.oci.names import RepositoryName, Tag, is_tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.links import read_link, write_link
from entrepot.storage.recent import Recent
from entrepot.storage.turns import taking_turns

_BATCH = 1000

_SEEN = 30.0
"""Seconds for which a tag that was there is taken to be there as long as its directory is.

Only a crash in the middle of its deletion, or of its first push, can make that wrong.
"""

_MOST_SEEN = 100_000  # tags, of all repositories together


class Tags:
    """The tags of all repositories of a registry."""

    def __init__(self, driver: Driver, clock: Callable[[], float] = time.monotonic) -> None:
        self._driver = driver
        self._clock = clock
        self._seen: Recent[RepositoryName, tuple[list[str], float]] = Recent(_MOST_SEEN, lambda seen: len(seen[0]))

    async def resolve(self, name: RepositoryName, tag: Tag) -> Digest:
        """Raises ManifestUnknown."""
        try:
            return await read_link(self._driver, layout.tag_current(name, tag))
        except PathNotFound:
            raise ManifestUnknown(f"unknown tag={tag}") from None

    async def names_something(self, name: RepositoryName, tag: Tag) -> bool:
        return await self._named(name, tag) is not None

    async def set(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """Point the tag at `digest`, which must be stored; durable. Distribution's collection needs the history."""
        await write_link(self._driver, layout.tag_index(name, tag, digest), digest)
        await write_link(self._driver, layout.tag_current(name, tag), digest)

    async def move(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """As `set`, and forget what it named before: what leaves a cache some day must not leave names behind."""
        before = await self._named(name, tag)
        await self.set(name, tag, digest)
        # Another process may have moved it back meanwhile.
        if before is not None and before != digest and await self._named(name, tag) == digest:
            with suppress(PathNotFound):
                await self._driver.delete(posixpath.dirname(layout.tag_index(name, tag, before)))

    async def _named(self, name: RepositoryName, tag: Tag) -> Digest | None:
        try:
            return await read_link(self._driver, layout.tag_current(name, tag))
        except PathNotFound:
            return None

    async def drop(self, name: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Delete every tag that names `digest`, and answer which. One that is pointed elsewhere meanwhile stays."""
        dropped: list[Tag] = []
        for tag in await self.pointing_at(name, digest):
            with suppress(ManifestUnknown):  # somebody else was quicker
                if await self.resolve(name, tag) == digest:
                    await self.delete(name, tag)
                    dropped.append(tag)
        return dropped

    async def delete(self, name: RepositoryName, tag: Tag) -> None:
        """Raises ManifestUnknown."""
        try:
            # Alone and first, so that no crash leaves a tag that is half there.
            await self._driver.delete(layout.tag_current(name, tag))
            # Durable takes a while, in which somebody may have set it anew.
            if await self._named(name, tag) is None:
                await self._driver.delete(layout.tag(name, tag))
        except PathNotFound:
            raise ManifestUnknown(f"unknown tag={tag}") from None

    async def page(self, name: RepositoryName, after: str, limit: int | None) -> Page[str]:
        """Sorted, greater than `after`; raises NameUnknown where the repository never held a manifest."""
        found: list[str] = []
        wanted = None if limit is None else limit + 1
        try:
            while wanted is None or len(found) < wanted:
                names = await self._driver.list(layout.tags(name), after, wanted)
                found += await (self._current(name, names) if limit is not None else self._all_current(name, names))
                if wanted is None or len(names) < wanted:
                    break
                after = names[-1]
        except PathNotFound:
            await self._require_manifests(name)
        return Page(found if limit is None else found[:limit], limit is not None and len(found) > limit)

    async def pointing_at(self, name: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Every tag that names `digest` now."""
        pointing: list[Tag] = []
        page: Page[str] = Page((), more=True)
        while page.more:
            try:
                page = await self.page(name, page.items[-1] if page.items else "", _BATCH)
            except NameUnknown:
                break
            tags = [Tag.parse(text) for text in page.items]
            pointing += [tag async for tag in taking_turns(tags) if await self._named(name, tag) == digest]
        return pointing

    async def _all_current(self, name: RepositoryName, tags: Sequence[str]) -> list[str]:
        """As `_current`, of a whole list: to look at each takes longer than all the rest, so that is remembered."""
        known, until = self._seen.get(name) or ([], 0.0)
        if self._clock() >= until:
            known, until = [], self._clock() + _SEEN
        if known == tags:
            return known
        there = set(known)
        there.update(await self._current(name, [tag for tag in tags if tag not in there]))
        found = [tag for tag in tags if tag in there]
        self._seen.put(name, (found, until))
        return found

    async def _current(self, name: RepositoryName, tags: Sequence[str]) -> list[str]:
        present = await self._driver.present([layout.tag_current(name, tag) for tag in tags])
        # Whatever else somebody has put there cannot be asked for, nor deleted.
        return [tag for tag in compress(tags, present) if is_tag(tag)]

    async def _require_manifests(self, name: RepositoryName) -> None:
        try:
            await self._driver.stat(layout.manifests(name))
        except PathNotFound:
            raise NameUnknown({"name": name}) from None

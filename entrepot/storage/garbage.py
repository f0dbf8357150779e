"""Garbage collection: manifests that no tag leads to, links that no manifest needs, and content that nobody links.

By Distribution's rules and in its words. What is younger than an age stays: a push brings its blobs before the manifest
that needs them. Content is removed as an eviction removes it, so that a registry may be serving meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, Protocol, TypeVar

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.ledger import Kind
from entrepot.oci.digest import ENCODED_LENGTH, Digest
from entrepot.oci.errors import ManifestUnknown, NameUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.contents import contents
from entrepot.storage.links import read_link, write_link
from entrepot.storage.manifests import Manifests
from entrepot.storage.marks import Marks
from entrepot.storage.reachability import Reachability, Reachable
from entrepot.storage.survey import link_path
from entrepot.storage.tags import Tags
from entrepot.storage.turns import taking_turns
from entrepot.storage.walk import all_names, as_digests

_BATCH = 1000

Mark = TypeVar("Mark")
Needed = Callable[[Collection[Digest]], Awaitable[Collection[Digest]]]


class Remover(Protocol[Mark]):
    """What removes links, and content that nobody needs; `storage/eviction.py` says more."""

    async def mark(self, digests: Iterable[Digest]) -> Mapping[Digest, Mark]: ...
    async def remove_link(self, path: str) -> None: ...
    async def remove_old_link(self, path: str, is_young: Callable[[float], bool]) -> bool: ...
    async def put_back(self, paths: Sequence[str]) -> None: ...
    async def free(self, marked: Mapping[Digest, Mark], needed: Needed) -> Mapping[Digest, int]: ...
    async def settle(self, away: Sequence[Digest], needed: Needed) -> Mapping[Digest, int]: ...
    def left_away(self, digests: Sequence[Digest]) -> Sequence[Digest]: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What goes: nothing younger than `age` seconds, and manifests without a tag only where `untagged`."""

    age: float = 0.0
    untagged: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class Collected:
    """What a collection has marked, and removed or would have removed; `size` is in bytes."""

    marked: int = 0
    blobs: int = 0
    manifests: int = 0
    links: int = 0
    size: int = 0


class Garbage(Generic[Mark]):
    """Of one registry. `linked` says which digests some repository links now; `is_cached` of a repository that its
    content came from an upstream, so that it leaves by other rules; `say` is told each step, in Distribution's words.
    """

    def __init__(
        self,
        driver: Driver,
        remover: Remover[Mark],
        linked: Needed,
        policy: Policy,
        *,
        is_cached: Callable[[RepositoryName], bool],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._driver = driver
        self._remover = remover
        self._linked = linked
        self._policy = policy
        self._is_cached = is_cached
        self._say = say
        self._clock = clock
        self._reachability = Reachability(driver)
        self._manifests = Manifests(driver)
        self._tags = Tags(driver)

    async def collect(self) -> Collected:
        """Once over all. Raises what the driver raises; what was removed by then was garbage."""
        collected = Collected()
        with Marks() as marks:
            async for name in all_names(self._driver, passes_over=False):
                self._say(name)
                await self._put_back(name)
                reachable = await self._mark(name, marks)
                if reachable.garbage and not self._is_cached(name):
                    await self._sweep_manifests(name, reachable, collected)
                    reachable = await self._left(name, reachable, marks)
                await self._sweep_links(name, reachable, marks, collected)
            collected.marked = len(marks)
            # Each sweep waits for those who read or link just then, however little it has to do.
            unmarked: list[Digest] = []
            async for digests in contents(self._driver, _BATCH):
                if not self._policy.dry_run and (away := self._remover.left_away(digests)):
                    await self._remover.settle(away, self._linked)
                unmarked += marks.missing(digests)
                if len(unmarked) >= _BATCH:
                    await self._sweep_blobs(unmarked, collected)
                    unmarked = []
            await self._sweep_blobs(unmarked, collected)
        return collected

    async def _put_back(self, name: RepositoryName) -> None:
        """What a collection had taken away to look at when it was killed."""
        if self._policy.dry_run:
            return
        places = ((layout.layers(name), Kind.BLOB), (f"{layout.manifests(name)}/revisions", Kind.MANIFEST))
        for (directory, kind), algorithm in product(places, ENCODED_LENGTH):
            digests = await self._digests(f"{directory}/{algorithm}", algorithm)
            await self._remover.put_back([link_path(name, digest, kind) for digest in digests])

    async def _left(self, name: RepositoryName, before: Reachable, marks: Marks) -> Reachable:
        """What the manifests need that are there now: some were used meanwhile, and so were not removed."""
        if self._policy.dry_run:
            return before
        reachable = await self._reachability.everything(name)
        marks.add(reachable.kept)
        marks.add(reachable.needed)
        return reachable

    async def _mark(self, name: RepositoryName, marks: Marks) -> Reachable:
        if self._policy.untagged and not self._is_cached(name):
            reachable = await self._reachability.tagged(name, self._is_young)
        else:
            reachable = await self._reachability.everything(name)
        for digest in reachable.kept:
            self._say(f"{name}: marking manifest {digest} ")
        for digest in reachable.needed:
            self._say(f"{name}: marking blob {digest}")
        marks.add(reachable.kept)
        marks.add(reachable.needed)
        return reachable

    def _is_young(self, modified: float) -> bool:
        return modified > self._clock() - self._policy.age

    async def _sweep_manifests(self, name: RepositoryName, reachable: Reachable, collected: Collected) -> None:
        gone: list[Digest] = []
        stays: set[Digest] = set()
        async for digest in taking_turns(reachable.garbage):
            if digest in stays:
                continue
            if await self._delete_manifest(name, digest):
                gone.append(digest)
            else:
                # Used meanwhile, and with it what it leads to.
                stays.update(reachable.leads_to(digest))
        for digest in gone:
            self._say(f"manifest eligible for deletion: {digest}")
        collected.manifests += len(gone)
        if gone and not self._policy.dry_run:
            await self._forget(name, frozenset(gone))

    async def _delete_manifest(self, name: RepositoryName, digest: Digest) -> bool:
        if self._policy.dry_run:
            return True
        link = layout.revision_link(name, digest)
        try:
            subject = (await self._manifests.get(name, digest)).parsed.subject
            if self._is_young((await self._driver.stat(link)).modified):
                return False
        except (ManifestUnknown, PathNotFound):
            return False
        if subject is None:
            return await self._remover.remove_old_link(link, self._is_young)
        # Before the manifest: whoever pushes it again meanwhile finds both, or brings both.
        referrer = layout.referrer_link(name, subject.digest, digest)
        await self._remover.remove_link(referrer)
        is_gone = await self._remover.remove_old_link(link, self._is_young)
        if not is_gone:
            await write_link(self._driver, referrer, digest)
        return is_gone

    async def _forget(self, name: RepositoryName, digests: Collection[Digest]) -> None:
        """Take manifests out of the history of all tags."""
        async for tag in self._all_tags(name):
            for algorithm in ENCODED_LENGTH:
                for digest in await self._digests(f"{layout.tag(name, tag)}/index/{algorithm}", algorithm):
                    if digest in digests:
                        await self._remover.remove_link(layout.tag_index(name, tag, digest))

    async def _all_tags(self, name: RepositoryName) -> AsyncIterator[Tag]:
        page: Page[str] = Page((), more=True)
        while page.more:
            try:
                page = await self._tags.page(name, page.items[-1] if page.items else "", _BATCH)
            except NameUnknown:
                return
            async for tag in taking_turns(page.items):
                yield Tag(tag)

    async def _sweep_links(
        self, name: RepositoryName, reachable: Reachable, marks: Marks, collected: Collected
    ) -> None:
        """Remove the links of blobs that no manifest of the repository needs; what stays is marked."""
        stays = self._is_cached(name) or not reachable.all_read
        for algorithm in ENCODED_LENGTH:
            links = await self._digests(f"{layout.layers(name)}/{algorithm}", algorithm)
            async for digest in taking_turns(links):
                path = link_path(name, digest, Kind.BLOB)
                try:
                    target = await read_link(self._driver, path)
                    is_young = self._is_young((await self._driver.stat(path)).modified)
                except PathNotFound:
                    # What a crash has left in its directory goes, too.
                    if not self._policy.dry_run:
                        await self._remover.remove_old_link(path, self._is_young)
                    continue
                except PathInvalid:
                    continue
                if is_young or stays or not reachable.needed.isdisjoint((digest, target)):
                    marks.add((digest, target))
                    continue
                if self._policy.dry_run or await self._remover.remove_old_link(path, self._is_young):
                    self._say(f"{name}: layer link eligible for deletion: {digest}")
                    collected.links += 1
                else:
                    marks.add((digest, target))

    async def _sweep_blobs(self, unmarked: Sequence[Digest], collected: Collected) -> None:
        sizes: dict[Digest, int] = {}
        async for digest in taking_turns(unmarked):
            try:
                entry = await self._driver.stat(layout.blob_data(digest))
            except (PathNotFound, PathInvalid):
                continue
            if not entry.is_directory and not self._is_young(entry.modified):
                sizes[digest] = entry.size
        if not self._policy.dry_run and sizes:
            sizes = dict(await self._remover.free(await self._remover.mark(sizes), self._linked))
        for digest in sizes:
            self._say(f"blob eligible for deletion: {digest}")
        collected.blobs += len(sizes)
        collected.size += sum(sizes.values())

    async def _digests(self, directory: str, algorithm: str) -> Sequence[Digest]:
        try:
            return as_digests(algorithm, await self._driver.list(directory))
        except (PathNotFound, PathInvalid):
            return ()

"""What the layout tells of what its repositories hold: found by walking it, slowly, while requests are served.

Memory is bounded by a batch, and by the names of one directory. Must not know who is to be told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from itertools import compress

from entrepot.driver import Driver, Entry, PathInvalid, PathNotFound
from entrepot.ledger import Holdings, Kind, Link, TagLink
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import CANONICAL, ENCODED_LENGTH, Digest
from entrepot.oci.errors import ManifestUnknown, NameUnknown
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.links import read_link
from entrepot.storage.manifests import Manifests
from entrepot.storage.tags import Tags
from entrepot.storage.turns import taking_turns
from entrepot.storage.walk import all_names, as_digests

_NAMES = 100
_BATCH = 500


class Survey:
    """Of a registry on a driver; `is_local` tells of a repository that its content was pushed."""

    def __init__(self, driver: Driver, is_local: Callable[[RepositoryName], bool]) -> None:
        self._driver = driver
        self._is_local = is_local
        self._manifests = Manifests(driver)
        self._tags = Tags(driver)

    async def holdings(self) -> AsyncIterator[Holdings]:
        """All that came from an upstream, in parts. A link counts as used when it was written."""
        async for name in all_names(self._driver, passes_over=True):
            if not self._is_local(name):
                async for part in self._held_by(name):
                    yield part

    async def _held_by(self, name: RepositoryName) -> AsyncIterator[Holdings]:
        for algorithm in ENCODED_LENGTH:
            layers = f"{layout.layers(name)}/{algorithm}"
            async for digests in self._digests(layers, algorithm):
                yield Holdings(await self._links(name, digests, Kind.BLOB))
            revisions = f"{layout.manifests(name)}/revisions/{algorithm}"
            async for digests in self._digests(revisions, algorithm):
                links = await self._links(name, digests, Kind.MANIFEST)
                yield Holdings(links, {link.digest: await self._needs(link) async for link in taking_turns(links)})
        async for tags in self._tags_of(name):
            yield Holdings(tags=tags)

    async def _links(self, name: RepositoryName, digests: Sequence[Digest], kind: Kind) -> list[Link]:
        links = []
        async for digest in taking_turns(digests):
            link = await self._stat(link_path(name, digest, kind))
            if link is not None and not link.is_directory:
                data = await self._stat(layout.blob_data(digest))
                links.append(Link(name, digest, kind, 0 if data is None else data.size, link.modified))
        return links

    async def _needs(self, link: Link) -> tuple[Descriptor, ...]:
        try:
            parsed = (await self._manifests.get(link.name, link.digest)).parsed
        except (ManifestUnknown, PathInvalid):
            return ()
        return (*references(parsed), *parsed.manifests)

    async def _tags_of(self, name: RepositoryName) -> AsyncIterator[list[TagLink]]:
        page: Page[str] = Page((), more=True)
        while page.more:
            try:
                page = await self._tags.page(name, page.items[-1] if page.items else "", _BATCH)
            except (NameUnknown, PathInvalid):
                return
            found = [await self._tag(name, Tag(text)) async for text in taking_turns(page.items)]
            yield [tag for tag in found if tag is not None]

    async def _tag(self, name: RepositoryName, tag: Tag) -> TagLink | None:
        path = layout.tag_current(name, tag)
        try:
            return TagLink(name, tag, await read_link(self._driver, path), (await self._driver.stat(path)).modified)
        except (PathNotFound, PathInvalid):
            return None

    async def absent(self, links: Sequence[Link]) -> list[Link]:
        """Those of the links that the layout does not have."""
        present = await self._driver.present([link_path(link.name, link.digest, link.kind) for link in links])
        return list(compress(links, (not here for here in present)))

    async def pinned(self, digests: Collection[Digest]) -> set[Digest]:
        """Those of the digests that a repository with pushed content links now.

        Costs a walk over the names of all repositories, and two looks at the file system for each digest in each
        repository of pushed content: 500 digests and 100 such repositories take half a second on a thread.
        """
        pinned: set[Digest] = set()
        async for name in all_names(self._driver, passes_over=False):
            wanted = [digest for digest in digests if digest not in pinned]
            if not wanted:
                break
            if self._is_local(name):
                pinned |= await self._linked_by(name, wanted)
        return pinned

    async def _linked_by(self, name: RepositoryName, digests: Sequence[Digest]) -> set[Digest]:
        linked: set[Digest] = set()
        for kind in Kind:
            present = await self._driver.present([link_path(name, digest, kind) for digest in digests])
            linked.update(compress(digests, present))
        # Other names of the same content, which Distribution gives to what is pushed as sha512.
        for algorithm in ENCODED_LENGTH.keys() - {CANONICAL}:
            async for aliases in self._digests(f"{layout.layers(name)}/{algorithm}", algorithm):
                linked.update([target async for target in self._targets(name, aliases)])
        return linked.intersection(digests)

    async def _targets(self, name: RepositoryName, aliases: Sequence[Digest]) -> AsyncIterator[Digest]:
        async for alias in taking_turns(aliases):
            try:
                yield await read_link(self._driver, layout.layer_link(name, alias))
            except (PathNotFound, PathInvalid):
                continue

    async def _digests(self, directory: str, algorithm: str) -> AsyncIterator[Sequence[Digest]]:
        """What a directory of digests names, in batches."""
        try:
            names = await self._driver.list(directory)
        except (PathNotFound, PathInvalid):
            return
        for start in range(0, len(names), _BATCH):
            yield as_digests(algorithm, names[start : start + _BATCH])

    async def _stat(self, path: str) -> Entry | None:
        try:
            return await self._driver.stat(path)
        except (PathNotFound, PathInvalid):
            return None


def link_path(name: RepositoryName, digest: Digest, kind: Kind) -> str:
    """Where the link of that kind lies."""
    return layout.layer_link(name, digest) if kind is Kind.BLOB else layout.revision_link(name, digest)

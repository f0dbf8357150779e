"""Which manifests of a repository are to be kept, and what those need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.oci.digest import ENCODED_LENGTH, Digest
from entrepot.oci.errors import DigestInvalid, ManifestUnknown, NameUnknown
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.links import read_link
from entrepot.storage.manifests import Manifests
from entrepot.storage.tags import Tags
from entrepot.storage.turns import taking_turns

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Reachable:
    """Of one repository. `needed` are blobs; where not all manifests could be read, nobody knows all of them."""

    kept: Collection[Digest]
    garbage: Sequence[Digest]
    needed: frozenset[Digest]
    all_read: bool


@dataclass(frozen=True, slots=True)
class _Node:
    """What a manifest refers to."""

    blobs: Sequence[Digest] = ()
    children: Sequence[Digest] = ()
    subject: Digest | None = None


class Reachability:
    """Asks a registry on a driver. Memory grows with the manifests of one repository, not with all."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._manifests = Manifests(driver)
        self._tags = Tags(driver)

    async def everything(self, name: RepositoryName) -> Reachable:
        """All manifests are kept."""
        nodes = {digest: await self._node(name, digest) async for digest in self._revisions(name)}
        return _result(nodes, nodes)

    async def tagged(self, name: RepositoryName, is_young: Callable[[float], bool]) -> Reachable:
        """Kept is what a tag names, what was linked not long ago, and what those lead to: an index to its manifests,
        and each of them to its referrers.
        """
        nodes = {digest: await self._node(name, digest) async for digest in self._revisions(name)}
        kept = {digest for digest in nodes if nodes[digest] is None or await self._is_young(name, digest, is_young)}
        kept.update([digest async for digest in self._named(name) if digest in nodes])
        return _result(nodes, _closure(kept, nodes))

    async def _is_young(self, name: RepositoryName, digest: Digest, is_young: Callable[[float], bool]) -> bool:
        try:
            return is_young((await self._driver.stat(layout.revision_link(name, digest))).modified)
        except (PathNotFound, PathInvalid):
            return True

    async def _node(self, name: RepositoryName, digest: Digest) -> _Node | None:
        """None where the manifest cannot be read."""
        try:
            parsed = (await self._manifests.get(name, digest)).parsed
        except (ManifestUnknown, PathInvalid):
            return None
        return _Node(
            [one.digest for one in references(parsed)],
            [one.digest for one in parsed.manifests],
            None if parsed.subject is None else parsed.subject.digest,
        )

    async def _revisions(self, name: RepositoryName) -> AsyncIterator[Digest]:
        for algorithm in ENCODED_LENGTH:
            try:
                names = await self._driver.list(f"{layout.manifests(name)}/revisions/{algorithm}")
            except (PathNotFound, PathInvalid):
                continue
            for start in range(0, len(names), _BATCH):
                digests = _digests(algorithm, names[start : start + _BATCH])
                # A deletion leaves the directory.
                links = await self._driver.present([layout.revision_link(name, digest) for digest in digests])
                async for digest in taking_turns(compress(digests, links)):
                    yield digest

    async def _named(self, name: RepositoryName) -> AsyncIterator[Digest]:
        page: Page[str] = Page((), more=True)
        while page.more:
            try:
                page = await self._tags.page(name, page.items[-1] if page.items else "", _BATCH)
            except (NameUnknown, PathInvalid):
                return
            async for tag in taking_turns(page.items):
                try:
                    yield await read_link(self._driver, layout.tag_current(name, Tag(tag)))
                except (PathNotFound, PathInvalid):
                    continue


def _digests(algorithm: str, names: Sequence[str]) -> list[Digest]:
    found = []
    for name in names:
        with suppress(DigestInvalid):
            found.append(Digest.parse(f"{algorithm}:{name}"))
    return found


def _closure(kept: Collection[Digest], nodes: Mapping[Digest, _Node | None]) -> set[Digest]:
    referrers: dict[Digest, list[Digest]] = {}
    for digest, node in nodes.items():
        if node is not None and node.subject is not None:
            referrers.setdefault(node.subject, []).append(digest)
    reached, ahead = set(kept), list(kept)
    while ahead:
        digest = ahead.pop()
        node = nodes.get(digest)
        for other in (*(() if node is None else node.children), *referrers.get(digest, ())):
            if other in nodes and other not in reached:
                reached.add(other)
                ahead.append(other)
    return reached


def _result(nodes: Mapping[Digest, _Node | None], kept: Collection[Digest]) -> Reachable:
    read = [node for digest in kept if (node := nodes[digest]) is not None]
    return Reachable(
        kept=kept,
        garbage=[digest for digest in nodes if digest not in kept],
        needed=frozenset(digest for node in read for digest in node.blobs),
        all_read=len(read) == len(kept),
    )

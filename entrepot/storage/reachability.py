"""Which manifests of a repository are to be kept, and what those need."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.oci.descriptor import MANIFEST_TYPES, SCHEMA1
from entrepot.oci.digest import ENCODED_LENGTH, Digest
from entrepot.oci.errors import DigestInvalid, ManifestUnknown, NameUnknown
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.links import parse_link
from entrepot.storage.manifests import Manifests
from entrepot.storage.tags import Tags
from entrepot.storage.turns import taking_turns
from entrepot.storage.walk import as_digests
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_BATCH = 1000
_UNDERSTOOD = frozenset((*MANIFEST_TYPES, *SCHEMA1))
_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class _Node:
    """What a manifest refers to."""

    blobs: Sequence[Digest] = ()
    children: Sequence[Digest] = ()
    subject: Digest | None = None


_Nodes = Mapping[Digest, _Node | None]
"""All manifests of a repository; None is one that cannot be read."""


class Reachable:
    """Of one repository. `needed` are blobs; where not all could be read, nobody knows all of them.

    `garbage` has what leads to others before these.
    """

    def __init__(self, nodes: _Nodes, kept: Collection[Digest], *, all_read: bool = True) -> None:
        self._nodes = nodes
        self.kept = kept
        self.garbage = _parents_first([digest for digest in nodes if digest not in kept], nodes)
        read = [node for digest in kept if (node := nodes[digest]) is not None]
        self.needed = frozenset(digest for node in read for digest in node.blobs)
        self.all_read = all_read and len(read) == len(kept)

    def leads_to(self, digest: Digest) -> Collection[Digest]:
        """What is kept for the sake of a manifest, itself included."""
        return _closure((digest,), self._nodes)


class Reachability:
    """Asks a registry on a driver. Memory grows with the manifests of one repository, not with all."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._manifests = Manifests(driver)
        self._tags = Tags(driver)

    async def everything(self, name: RepositoryName) -> Reachable:
        """All manifests are kept."""
        try:
            nodes = await self._nodes(name)
        except PathInvalid as error:
            return _unreadable(name, {}, error)
        return Reachable(nodes, nodes)

    async def tagged(self, name: RepositoryName, is_young: Callable[[float], bool]) -> Reachable:
        """Kept is what a tag names, what was linked not long ago, and what those lead to: an index to its manifests,
        and each of them to its referrers. All of it where a tag or a manifest cannot be read: it may need anything.
        """
        nodes: _Nodes = {}
        try:
            nodes = await self._nodes(name)
            named = [digest async for digest in self._named(name)]
        except (PathInvalid, DigestInvalid) as error:
            return _unreadable(name, nodes, error)
        if None in nodes.values():
            return Reachable(nodes, nodes)
        kept = {digest for digest in nodes if await self._is_young(name, digest, is_young)}
        kept.update(digest for digest in named if digest in nodes)
        return Reachable(nodes, _closure(kept, nodes))

    async def _nodes(self, name: RepositoryName) -> dict[Digest, _Node | None]:
        return {digest: await self._node(name, digest) async for digest in self._revisions(name)}

    async def _is_young(self, name: RepositoryName, digest: Digest, is_young: Callable[[float], bool]) -> bool:
        try:
            return is_young((await self._driver.stat(layout.revision_link(name, digest))).modified)
        except (PathNotFound, PathInvalid):
            return True

    async def _node(self, name: RepositoryName, digest: Digest) -> _Node | None:
        """None where the manifest cannot be read."""
        try:
            manifest = await self._manifests.get(name, digest)
        except (ManifestUnknown, PathInvalid):
            return None
        parsed = manifest.parsed
        if parsed.media_type not in _UNDERSTOOD:
            # Whatever it names it may need.
            named = [one for one in _named_in(manifest.content) if one != digest]
            return _Node(named, named, None if parsed.subject is None else parsed.subject.digest)
        return _Node(
            [one.digest for one in references(parsed)],
            [one.digest for one in parsed.manifests],
            None if parsed.subject is None else parsed.subject.digest,
        )

    async def _revisions(self, name: RepositoryName) -> AsyncIterator[Digest]:
        for algorithm in ENCODED_LENGTH:
            try:
                names = await self._driver.list(f"{layout.manifests(name)}/revisions/{algorithm}")
            except PathNotFound:
                continue
            for start in range(0, len(names), _BATCH):
                digests = as_digests(algorithm, names[start : start + _BATCH])
                # A deletion leaves the directory.
                links = await self._driver.present([layout.revision_link(name, digest) for digest in digests])
                async for digest in taking_turns(compress(digests, links)):
                    yield digest

    async def _named(self, name: RepositoryName) -> AsyncIterator[Digest]:
        page: Page[str] = Page((), more=True)
        while page.more:
            try:
                page = await self._tags.page(name, page.items[-1] if page.items else "", _BATCH)
            except NameUnknown:
                return
            async for tag in taking_turns(page.items):
                # What is gone meanwhile names nothing; what is damaged may have named anything.
                with suppress(PathNotFound):
                    yield parse_link(await self._driver.get(layout.tag_current(name, Tag(tag))))


def _unreadable(name: RepositoryName, nodes: _Nodes, error: Exception) -> Reachable:
    log.error("repository_unreadable", repository=name, error=str(error))
    return Reachable(nodes, nodes, all_read=False)


def _named_in(content: bytes) -> list[Digest]:
    return [Digest(found.decode()) for found in _DIGEST.findall(content)]


def _parents_first(digests: Sequence[Digest], nodes: _Nodes) -> Sequence[Digest]:
    """Each before those that it leads to, as far as there is no circle, which nobody can make."""
    found = frozenset(digests)
    ordered: dict[Digest, None] = {}
    ahead = [(digest, False) for digest in reversed(digests)]
    seen: set[Digest] = set()
    while ahead:
        digest, is_done = ahead.pop()
        if is_done:
            ordered[digest] = None
        elif digest not in seen:
            seen.add(digest)
            node = nodes[digest]
            ahead.append((digest, True))
            ahead += [(child, False) for child in (() if node is None else node.children) if child in found]
    return list(reversed(ordered))


def _closure(kept: Collection[Digest], nodes: _Nodes) -> set[Digest]:
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

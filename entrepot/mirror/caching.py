"""A pull-through cache: a registry to read, kept locally, fed from an upstream.

What is named by digest is asked for once and never again. A tag is confirmed by one HEAD, and answered from the cache
where the upstream does not answer. Must not know files or HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import NoReturn

from entrepot.content import Blob, GrowingFile, Manifest, Select
from entrepot.driver import NoSpace, PathInvalid
from entrepot.mirror.fill import Again, Fill, Follower
from entrepot.mirror.fills import Fills
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobUnknown,
    Denied,
    ManifestInvalid,
    ManifestUnknown,
    NameUnknown,
    RegistryError,
    Unauthorized,
    Unsupported,
    UpstreamFailed,
)
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Cache, Page, Repository
from entrepot.telemetry import get_logger
from entrepot.upstream.base import Download, Upstream
from entrepot.wire.ranges import Span

log = get_logger(__name__)

_MEETINGS = 200
_MEETING_PAUSE = 0.01


class CachingRegistry:
    """A `Registry` that is read through; it takes no writes."""

    def __init__(self, cache: Cache, upstream: Upstream) -> None:
        self.cache = cache
        self.upstream = upstream
        self.fills = Fills(cache)

    def reader(self, name: RepositoryName) -> Repository:
        return CachingRepository(self, name)

    def writer(self, name: RepositoryName) -> NoReturn:
        raise Unsupported

    async def catalog(self, after: str, limit: int) -> Page[str]:
        return await self.cache.catalog(after, limit)


class CachingRepository:
    """A `Repository`: the cache first, then the upstream."""

    __slots__ = ("_cached", "_name", "_registry")

    def __init__(self, registry: CachingRegistry, name: RepositoryName) -> None:
        self._registry = registry
        self._name = name
        self._cached = registry.cache.reader(name)

    async def resolve(self, tag: Tag) -> Digest:
        try:
            digest = await self._registry.upstream.resolve(self._name, tag)
        except (ManifestUnknown, NameUnknown):
            raise ManifestUnknown(f"unknown tag={tag}") from None
        except RegistryError as error:
            return await self._stale(tag, error)
        return digest if await self._known(tag) == digest else await self._moved(tag, digest)

    async def _moved(self, tag: Tag, digest: Digest) -> Digest:
        # The upstream may tell and not give: Docker Hub counts GETs, not HEADs, and replicas lag behind.
        try:
            await self.manifest(digest)
        except (ManifestUnknown, NameUnknown):
            return await self._stale(tag, UpstreamFailed(f"the upstream names {digest}, but does not have it"))
        except RegistryError as error:
            return await self._stale(tag, error)
        await self._keep(partial(self._registry.cache.set_tag, self._name, tag, digest))
        return digest

    async def _stale(self, tag: Tag, error: RegistryError) -> Digest:
        digest = await self._known(tag)
        if digest is None:
            raise error
        log.warning("tag_unconfirmed", repository=self._name, tag=tag, error=str(error))
        return digest

    async def _known(self, tag: Tag) -> Digest | None:
        try:
            return await self._cached.resolve(tag)
        except ManifestUnknown:
            return None

    async def manifest(self, digest: Digest) -> Manifest:
        try:
            return await self._cached.manifest(digest)
        except ManifestUnknown:
            pass
        fetched = await self._registry.upstream.manifest(self._name, digest)
        try:
            manifest = Manifest(digest, fetched.content, await asyncio.to_thread(parse, fetched.content, None))
        except ManifestInvalid as error:
            raise UpstreamFailed(f"the upstream's manifest is not valid: {error.detail}") from None
        await self._keep(partial(self._registry.cache.store_manifest, self._name, manifest))
        return manifest

    async def _keep(self, store: Callable[[], Awaitable[None]]) -> None:
        # A store that is full or broken must not keep anybody from pulling.
        try:
            await store()
        except (OSError, NoSpace, PathInvalid) as error:
            log.error("not_cached", repository=self._name, error=str(error))

    async def stat_blob(self, digest: Digest) -> Descriptor:
        try:
            return await self._cached.stat_blob(digest)
        except BlobUnknown:
            return Descriptor(OCTET_STREAM, digest, await self._registry.upstream.stat_blob(self._name, digest))

    async def open_blob(self, digest: Digest, select: Select | None = None) -> Blob:
        for _ in range(_MEETINGS):
            try:
                return await self._cached.open_blob(digest, select)
            except BlobUnknown:
                pass
            if await self._registry.cache.has_blob(digest):
                await self._confirm(digest)
                await self._keep(partial(self._registry.cache.link_blob, self._name, digest))
                with suppress(BlobUnknown):
                    return await self._registry.cache.open_blob(digest, select)
            fill = self._registry.fills.join(self._name, digest, partial(self._download, digest))
            if fill is not None:
                with suppress(Again):
                    return await self._followed(fill, digest, select)
            await asyncio.sleep(_MEETING_PAUSE)
        raise UpstreamFailed("the blob comes and goes")

    @asynccontextmanager
    async def _download(self, digest: Digest) -> AsyncIterator[Download]:
        upstream = self._registry.upstream
        async with upstream.blob(self._name, digest) as download:
            # What has no bound could fill the disk.
            size = await upstream.stat_blob(self._name, digest) if download.size is None else download.size
            yield replace(download, size=size)

    async def _followed(self, fill: Fill, digest: Digest, select: Select | None) -> Blob:
        try:
            if self._name not in fill.names:
                await self._confirm(digest)
                fill.names.add(self._name)
            size = await self._size(fill)
            span = None if select is None else select(size)
        except BaseException:
            fill.leave()
            raise
        whole = span or Span(0, size)
        body = GrowingFile(fill.spool.descriptor, Follower(fill, whole), len(whole))
        return Blob(Descriptor(OCTET_STREAM, digest, size), body, span)

    async def _size(self, fill: Fill) -> int:
        try:
            return await fill.size()
        except (BlobUnknown, Unauthorized, Denied):
            if fill.progress.name == self._name:
                raise
            # It was asked for under another name: what was answered there says nothing of this repository.
            raise Again from None

    async def _confirm(self, digest: Digest) -> None:
        """Content that came by way of another repository is this one's only if the upstream says so."""
        await self._registry.upstream.stat_blob(self._name, digest)

    async def tags(self, after: str, limit: int | None) -> Page[str]:
        try:
            return await self._registry.upstream.tags(self._name, after, limit)
        except NameUnknown:
            raise
        except RegistryError as error:
            log.warning("tags_unconfirmed", repository=self._name, error=str(error))
            return await self._cached.tags(after, limit)

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> Page[Descriptor]:
        cached = await self._cached.referrers(subject, artifact_type, after, limit)
        try:
            live = await self._registry.upstream.referrers(self._name, subject, artifact_type)
        except RegistryError as error:
            log.warning("referrers_unconfirmed", repository=self._name, error=str(error))
            live = None
        known = {descriptor.digest: descriptor for descriptor in (*cached.items, *(live or ()))}
        # An upstream need not filter.
        wanted = (known[digest] for digest in sorted(known) if digest > after)
        found = [one for one in wanted if artifact_type in (None, one.artifact_type)]
        return Page(found[:limit], cached.more or len(found) > limit)

"""A pull-through cache: a registry to read, kept locally, fed from upstreams; beside it repositories that live here.

What is named by digest is asked for once and never again. Must not know files or HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from entrepot.content import Blob, GrowingFile, Manifest, Select, Stream
from entrepot.ledger import Ledger
from entrepot.mirror.absences import Absences
from entrepot.mirror.bypass import bypass
from entrepot.mirror.fill import Again, Fill
from entrepot.mirror.fills import Fills
from entrepot.mirror.follower import Follower
from entrepot.mirror.manifests import ManifestFetches
from entrepot.mirror.namespaces import Namespaces
from entrepot.mirror.spool import KEPT
from entrepot.mirror.tags import TagResolver
from entrepot.mirror.wholeness import Wholeness
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobUnknown,
    Denied,
    NameUnknown,
    RegistryError,
    Unauthorized,
    Unsupported,
    UpstreamFailed,
)
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Cache, Outcome, Page, Registry, Repository, WritableRepository
from entrepot.telemetry import Meter, get_logger
from entrepot.upstream.base import Download
from entrepot.wire.ranges import Span

log = get_logger(__name__)

_MEETINGS = 200
_MEETING_PAUSE = 0.01
_READING = ("allow", "GET, HEAD")


class CachingRegistry:
    """A `Registry` that is read through. `local` is where repositories live that no upstream has."""

    def __init__(
        self,
        cache: Cache,
        namespaces: Namespaces,
        local: Registry,
        ledger: Ledger,
        meter: Meter,
        *,
        longest: float | None = None,
    ) -> None:
        """`longest` as Fills have it."""
        self.cache = cache
        self.namespaces = namespaces
        self.local = local
        self.ledger = ledger
        self.meter = meter
        absences = Absences(time.monotonic)
        self.manifests = ManifestFetches(cache, namespaces, ledger, meter, absences)
        self.tags = TagResolver(cache, namespaces, ledger, self.manifests, absences)
        self.wholeness = Wholeness(ledger)
        self.fills = Fills(cache, ledger.kept_blob, self._filled, longest)

    def reader(self, name: RepositoryName) -> Repository:
        if self.namespaces.is_local(name):
            return self.local.reader(name)
        return CachingRepository(self, name)

    def writer(self, name: RepositoryName) -> WritableRepository:
        if self.namespaces.is_local(name):
            return self.local.writer(name)
        raise Unsupported("what is mirrored takes no writes", headers=[_READING])

    async def catalog(self, after: str, limit: int) -> Page[str]:
        return await self.cache.catalog(after, limit)

    def _filled(self, name: RepositoryName, seconds: float, size: int, succeeded: bool) -> None:
        label = self.namespaces.source(name).label
        self.meter.fetched(label, size)
        self.meter.filled(label, seconds, succeeded=succeeded)


class CachingRepository:
    """A `Repository`: the cache first, then the upstream."""

    def __init__(self, registry: CachingRegistry, name: RepositoryName) -> None:
        self.outcome = Outcome.MISS
        self._resolved = Outcome.HIT
        self._registry = registry
        self._name = name
        self._remote = registry.namespaces.remote(name)
        self._source = registry.namespaces.source(name)
        self._upstream = self._source.upstream
        self._cached = registry.cache.reader(name)

    async def resolve(self, tag: Tag) -> Digest:
        digest, self._resolved = await self._registry.tags.resolve(self._name, tag)
        self.outcome = self._resolved
        return digest

    async def manifest(self, digest: Digest) -> Manifest:
        manifest, outcome = await self._registry.manifests.get(self._name, digest)
        # What became of the tag, where it was asked for by one, says more than that its manifest is here.
        self.outcome = outcome if self._resolved is Outcome.HIT else self._resolved
        self._registry.meter.served("manifest", self.outcome.value, len(manifest.content))
        return manifest

    async def stat_blob(self, digest: Digest) -> Descriptor:
        try:
            descriptor = await self._cached.stat_blob(digest)
            await self._check(digest, descriptor.size)
        except BlobUnknown:
            return Descriptor(OCTET_STREAM, digest, await self._confirm(digest))
        self._note(digest, Outcome.HIT, 0)
        return descriptor

    async def open_blob(self, digest: Digest, select: Select | None = None) -> Blob:
        for _ in range(_MEETINGS):
            with suppress(BlobUnknown):
                return self._served(await self._kept(digest, select), Outcome.HIT)
            if await self._registry.cache.has_blob(digest):
                size = await self._confirm(digest)
                with suppress(BlobUnknown):
                    return self._served(await self._link(digest, size, select), Outcome.HIT)
            try:
                expected = self._registry.ledger.size_of(self._name, digest)
                download = partial(self._download, digest)
                fill, joined = self._registry.fills.join(self._name, digest, download, expected)
            except OSError as error:
                log.error("not_cached", repository=self._name, digest=digest, error=str(error))
                return self._served(await self._past_the_cache(digest, select), Outcome.MISS)
            if fill is not None:
                with suppress(Again):
                    return self._served(
                        await self._followed(fill, digest, select), Outcome.JOINED if joined else Outcome.MISS
                    )
            await asyncio.sleep(_MEETING_PAUSE)
        raise UpstreamFailed("the blob comes and goes")

    async def _kept(self, digest: Digest, select: Select | None) -> Blob:
        blob = await self._cached.open_blob(digest, select)
        await self._check(digest, blob.descriptor.size)
        return blob

    async def _check(self, digest: Digest, size: int) -> None:
        """Raise BlobUnknown for what is damaged, once it is out of the way."""
        if self._registry.wholeness.is_whole(digest, size):
            return
        log.error("blob_damaged", digest=digest, size=size)
        await self._registry.cache.discard_blob(digest)
        raise BlobUnknown(digest)

    async def _link(self, digest: Digest, size: int, select: Select | None) -> Blob:
        """The content that came by way of another repository. Raises BlobUnknown where it has gone meanwhile."""
        blob = await self._registry.cache.open_blob(digest, select)
        await self._check(digest, blob.descriptor.size)
        await self._linked(digest, size)
        return blob

    async def _linked(self, digest: Digest, size: int) -> None:
        if await self._registry.manifests.keep(self._name, self._registry.cache.link_blob(self._name, digest)):
            self._registry.ledger.kept_blob(self._name, digest, size)

    @asynccontextmanager
    async def _download(self, digest: Digest, start: int) -> AsyncIterator[Download]:
        async with self._upstream.blob(self._remote, digest, start) as download:
            # What has no bound could fill the disk.
            size = await self._confirm(digest) if download.size is None else download.size
            yield replace(download, size=size)

    async def _followed(self, fill: Fill, digest: Digest, select: Select | None) -> Blob:
        try:
            if self._name not in fill.names:
                await self._confirm(digest)
                fill.names.add(self._name)
                if fill.progress.state == KEPT:
                    # Its task has linked all that it knew of: the upstream's word came too late for that.
                    await self._linked(digest, fill.progress.written)
            size = await self._size(fill)
            span = None if select is None else select(size)
        except BaseException:
            fill.leave()
            raise
        whole = span or Span(0, size)
        body = GrowingFile(fill.spool.descriptor, Follower(fill, digest, whole, size), len(whole), fill.turns.turn())
        return Blob(Descriptor(OCTET_STREAM, digest, size), body, span)

    async def _size(self, fill: Fill) -> int:
        try:
            return await fill.size()
        except (BlobUnknown, Unauthorized, Denied):
            if fill.progress.name == self._name:
                raise
            # It was asked for under another name: what was answered there says nothing of this repository.
            raise Again from None

    async def _past_the_cache(self, digest: Digest, select: Select | None) -> Blob:
        size = await self._confirm(digest)
        span = None if select is None else select(size)
        whole = span or Span(0, size)
        body = Stream(bypass(partial(self._download, digest), digest, size, whole), len(whole))
        return Blob(Descriptor(OCTET_STREAM, digest, size), body, span)

    async def _confirm(self, digest: Digest) -> int:
        """The size, where the upstream says that this repository has it: what another one has says nothing of it."""
        return await self._upstream.stat_blob(self._remote, digest)

    def _served(self, blob: Blob, outcome: Outcome) -> Blob:
        size = blob.descriptor.size if blob.span is None else len(blob.span)
        self._note(blob.descriptor.digest, outcome, size)
        return blob

    def _note(self, digest: Digest, outcome: Outcome, size: int) -> None:
        self.outcome = outcome
        self._registry.meter.served("blob", outcome.value, size)
        if outcome is Outcome.HIT:
            self._registry.ledger.used(self._name, digest)

    async def tags(self, after: str, limit: int | None) -> Page[str]:
        has_tags = await self._has_tags()
        try:
            async with asyncio.timeout(self._source.freshness.deadline if has_tags else None):
                page = await self._upstream.tags(self._remote, after, limit)
        except NameUnknown:
            raise
        except (RegistryError, TimeoutError) as error:
            if not has_tags:
                raise
            log.warning("tags_unconfirmed", repository=self._name, error=str(error))
            self.outcome = Outcome.STALE
            return await self._cached.tags(after, limit)
        return page

    async def _has_tags(self) -> bool:
        with suppress(NameUnknown):
            return bool((await self._cached.tags("", 1)).items)
        return False

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> Page[Descriptor]:
        cached = await self._cached.referrers(subject, artifact_type, after, limit)
        live: Sequence[Descriptor] = ()
        try:
            async with asyncio.timeout(self._source.freshness.deadline):
                live = await self._upstream.referrers(self._remote, subject, artifact_type)
        except (RegistryError, TimeoutError) as error:
            log.warning("referrers_unconfirmed", repository=self._name, error=str(error))
            self.outcome = Outcome.STALE
        known = {descriptor.digest: descriptor for descriptor in (*cached.items, *live)}
        # An upstream need not filter.
        wanted = (known[digest] for digest in sorted(known) if digest > after)
        found = [one for one in wanted if artifact_type in (None, one.artifact_type)]
        return Page(found[:limit], cached.more or len(found) > limit)

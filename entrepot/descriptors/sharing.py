"""Tells a cache of descriptors that other registries read what this one stores and deletes.

This server asks the store itself, which is quicker, and alone says who may read what (CVE-2026-35172): nothing is ever
read from the cache. Must not know which cache it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from entrepot.content import Blob, Manifest, Select
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Outcome, Page, Registry, Repository, Upload, WritableRepository


class DescriptorCache(Protocol):
    """What others are told."""

    def note(self, name: RepositoryName, descriptor: Descriptor) -> None:
        """The repository may read the blob. Returns at once, and may come to nothing."""

    async def forget(self, name: RepositoryName, digest: Digest) -> None:
        """The repository may not read it any more; waits a moment for others to know. Raises nothing."""


class SharingRegistry:
    """A registry whose blobs are told."""

    def __init__(self, registry: Registry, cache: DescriptorCache) -> None:
        self._registry = registry
        self._cache = cache

    def reader(self, name: RepositoryName) -> Repository:
        return _Reader(self._registry.reader(name), name, self._cache)

    def writer(self, name: RepositoryName) -> WritableRepository:
        return _Writer(self._registry.writer(name), name, self._cache)

    async def catalog(self, after: str, limit: int) -> Page[str]:
        return await self._registry.catalog(after, limit)


class _Reader:
    def __init__(self, repository: Repository, name: RepositoryName, cache: DescriptorCache) -> None:
        self._repository = repository
        self._name = name
        self._cache = cache

    @property
    def outcome(self) -> Outcome | None:
        return self._repository.outcome

    async def resolve(self, tag: Tag) -> Digest:
        return await self._repository.resolve(tag)

    async def manifest(self, digest: Digest) -> Manifest:
        return await self._repository.manifest(digest)

    async def stat_blob(self, digest: Digest) -> Descriptor:
        descriptor = await self._repository.stat_blob(digest)
        self._note(descriptor)
        return descriptor

    async def open_blob(self, digest: Digest, select: Select | None = None) -> Blob:
        blob = await self._repository.open_blob(digest, select)
        self._note(blob.descriptor)
        return blob

    def _note(self, descriptor: Descriptor) -> None:
        # What a mirror is still fetching is not in the store yet.
        if self._repository.outcome in (None, Outcome.HIT):
            self._cache.note(self._name, descriptor)

    async def tags(self, after: str, limit: int | None) -> Page[str]:
        return await self._repository.tags(after, limit)

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> Page[Descriptor]:
        return await self._repository.referrers(subject, artifact_type, after, limit)


class _Writer(_Reader):
    def __init__(self, repository: WritableRepository, name: RepositoryName, cache: DescriptorCache) -> None:
        super().__init__(repository, name, cache)
        self._writable = repository

    async def start_upload(self, algorithm: str) -> Upload:
        return _Upload(await self._writable.start_upload(algorithm), self._name, self._cache)

    async def resume_upload(self, upload_id: str) -> Upload:
        return _Upload(await self._writable.resume_upload(upload_id), self._name, self._cache)

    async def mount(self, digest: Digest, source: RepositoryName | None) -> Descriptor | None:
        descriptor = await self._writable.mount(digest, source)
        if descriptor is not None:
            self._cache.note(self._name, descriptor)
        return descriptor

    async def put_manifest(
        self,
        content: bytes,
        declared: str | None,
        reference: Tag | Digest,
        tags: Sequence[Tag],
        classes: Collection[str] | None = None,
    ) -> Manifest:
        return await self._writable.put_manifest(content, declared, reference, tags, classes)

    async def delete_manifest(self, digest: Digest) -> Sequence[Tag]:
        tags = await self._writable.delete_manifest(digest)
        # Since 3.0, Distribution keeps manifests that it has read in the same place.
        await self._cache.forget(self._name, digest)
        return tags

    async def untag(self, tag: Tag) -> None:
        await self._writable.untag(tag)

    async def delete_blob(self, digest: Digest) -> None:
        await self._writable.delete_blob(digest)
        await self._cache.forget(self._name, digest)


class _Upload:
    def __init__(self, upload: Upload, name: RepositoryName, cache: DescriptorCache) -> None:
        self._upload = upload
        self._name = name
        self._cache = cache

    @property
    def id(self) -> str:
        return self._upload.id

    @property
    def started_at(self) -> str:
        return self._upload.started_at

    async def offset(self) -> int:
        return await self._upload.offset()

    async def append(self, chunks: AsyncIterator[bytes], at: int, length: int | None) -> int:
        return await self._upload.append(chunks, at, length)

    async def commit(self, digest: Digest, chunks: AsyncIterator[bytes], at: int, length: int | None) -> Descriptor:
        descriptor = await self._upload.commit(digest, chunks, at, length)
        self._cache.note(self._name, descriptor)
        return descriptor

    async def cancel(self) -> None:
        await self._upload.cancel()

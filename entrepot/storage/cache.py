"""The writes of a mirror to the registry that keeps its content; no client can reach them."""

from __future__ import annotations

from entrepot.content import Blob, Manifest, Select
from entrepot.driver import LocalPaths
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry, LocalRepository


class LocalCache:
    """A `Cache` over a local registry, on a driver whose files are files of this machine."""

    def __init__(self, registry: LocalRegistry, local: LocalPaths) -> None:
        self._registry = registry
        self._local = local

    def reader(self, name: RepositoryName) -> LocalRepository:
        return self._registry.reader(name)

    async def catalog(self, after: str, limit: int) -> Page[str]:
        return await self._registry.catalog(after, limit)

    def turn_path(self, digest: Digest) -> str:
        return self._local.local_path(layout.turn(digest))

    def spool_path(self, digest: Digest) -> str:
        return self._local.local_path(layout.blob_spool(digest))

    async def adopt(self, digest: Digest) -> None:
        await self._registry.blobs.adopt(layout.blob_spool(digest), digest)

    async def has_blob(self, digest: Digest) -> bool:
        return await self._registry.blobs.has(digest)

    async def open_blob(self, digest: Digest, select: Select | None) -> Blob:
        return await self._registry.blobs.open_content(digest, select)

    async def discard_blob(self, digest: Digest) -> None:
        await self._registry.blobs.discard(digest)

    async def link_blob(self, name: RepositoryName, digest: Digest) -> None:
        await self._registry.blobs.link(name, digest)

    async def store_manifest(self, name: RepositoryName, manifest: Manifest) -> None:
        await self._registry.manifests.put(name, manifest)

    async def set_tag(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        # It may not have been possible to keep the manifest, and a tag must not name what is not there.
        if await self._registry.manifests.has(name, digest):
            await self._registry.tags.move(name, tag, digest)

"""A registry kept on a driver: what storage/ offers, put together as the ports of registry.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from entrepot.content import Blob, Manifest, Select
from entrepot.driver import Driver, LocalPaths
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, DigestInvalid, Errors, ManifestTooLarge, ManifestUnknown
from entrepot.oci.manifest import MANIFEST_LIMIT, references
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Outcome, Page
from entrepot.storage import layout
from entrepot.storage.allowance import Allowance
from entrepot.storage.blobs import BlobStore
from entrepot.storage.catalog import page_of_names
from entrepot.storage.manifests import Manifests, read_manifest
from entrepot.storage.referrers import Referrers
from entrepot.storage.renewals import Renewals
from entrepot.storage.sources import find_source
from entrepot.storage.tags import Tags
from entrepot.storage.turns import taking_turns
from entrepot.storage.uploads import Uploads, UploadSession
from entrepot.storage.validation import References, Rules

_LOOK_AGAIN = 0.1  # seconds

_DELETIONS = 3
"""How often a push is done again because the manifest was deleted while it was tagged."""


def _always(name: RepositoryName) -> bool:
    return True


class LocalRegistry:
    """A `Registry`. Holds no state but caches that the store confirms on every use: any number may share a store."""

    def __init__(
        self,
        driver: Driver,
        local: LocalPaths | None,
        rules: Rules,
        remembered: int = 0,
        *,
        mountable: Callable[[RepositoryName], bool] = _always,
        outcome: Outcome | None = None,
        allowance: Allowance = Allowance(),  # noqa: B008  # frozen
        renewals: Renewals | None = None,
    ) -> None:
        """`mountable` says of which repositories blobs may be mounted; `outcome` is that of every answer.

        `renewals` keep what was found from being collected; None where nothing is.
        """
        self.driver = driver
        self.mountable = mountable
        self.outcome = outcome
        self.renewals = renewals
        self.rules = rules
        self.blobs = BlobStore(driver, local, remembered)
        self.manifests = Manifests(driver)
        self.tags = Tags(driver)
        self.referrers = Referrers(driver, self.manifests, self.tags)
        self.uploads = Uploads(driver, self.blobs, allowance)
        self.references = References(self.blobs, self.manifests, rules)

    def reader(self, name: RepositoryName) -> LocalRepository:
        return LocalRepository(self, name)

    def writer(self, name: RepositoryName) -> LocalRepository:
        return LocalRepository(self, name)

    async def catalog(self, after: str, limit: int) -> Page[str]:
        return await page_of_names(self.driver, after, limit)


class LocalRepository:
    """A `WritableRepository`; as cheap as its name, made for each request."""

    __slots__ = ("_name", "_registry")

    def __init__(self, registry: LocalRegistry, name: RepositoryName) -> None:
        self._registry = registry
        self._name = name

    @property
    def outcome(self) -> Outcome | None:
        return self._registry.outcome

    async def resolve(self, tag: Tag) -> Digest:
        return await self._registry.tags.resolve(self._name, tag)

    async def manifest(self, digest: Digest) -> Manifest:
        manifest = await self._registry.manifests.get(self._name, digest)
        if not self._renew(layout.revision_link(self._name, digest)):
            raise ManifestUnknown(f"unknown manifest name={self._name} revision={digest}")
        return manifest

    async def stat_blob(self, digest: Digest) -> Descriptor:
        descriptor = await self._registry.blobs.stat(self._name, digest)
        if not self._renew(layout.layer_link(self._name, digest)):
            raise BlobUnknown(digest)
        return descriptor

    def _renew(self, link: str) -> bool:
        return self._registry.renewals is None or self._registry.renewals.renew(link)

    async def open_blob(self, digest: Digest, select: Select | None = None) -> Blob:
        self._renew(layout.layer_link(self._name, digest))
        return await self._registry.blobs.open(self._name, digest, select)

    async def tags(self, after: str, limit: int | None) -> Page[str]:
        return await self._registry.tags.page(self._name, after, limit)

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> Page[Descriptor]:
        return await self._registry.referrers.page(self._name, subject, artifact_type, after, limit)

    async def start_upload(self, algorithm: str) -> UploadSession:
        return await self._registry.uploads.start(self._name, algorithm)

    async def resume_upload(self, upload_id: str) -> UploadSession:
        return await self._registry.uploads.resume(self._name, upload_id)

    async def mount(self, digest: Digest, source: RepositoryName | None) -> Descriptor | None:
        registry = self._registry
        found = source or await find_source(registry.driver, registry.blobs, digest, registry.mountable)
        if found is None or not registry.mountable(found):
            return None
        if registry.renewals is not None and not registry.renewals.renew(layout.layer_link(found, digest)):
            return None
        return await registry.blobs.mount(self._name, digest, found)

    async def put_manifest(
        self,
        content: bytes,
        declared: str | None,
        reference: Tag | Digest,
        tags: Sequence[Tag],
        classes: Collection[str] | None = None,
    ) -> Manifest:
        if len(content) > MANIFEST_LIMIT:
            raise ManifestTooLarge(f"larger than {MANIFEST_LIMIT} bytes")
        digest = reference if isinstance(reference, Digest) else Digest.of(content)
        if isinstance(reference, Digest) and Digest.of(content, digest.algorithm) != digest:
            raise DigestInvalid(f"the content is not {digest}")
        manifest = await read_manifest(content, declared, digest)
        self._registry.rules.check_format(manifest.parsed)
        self._registry.rules.check_class(manifest.parsed, classes)
        await self._check_references(manifest)
        named = (*((reference,) if isinstance(reference, Tag) else ()), *tags)
        await self._store(manifest, named)
        # Deleted while it was tagged: the tags may be gone as well, or name nothing. As if the deletion had come first.
        for _ in range(_DELETIONS):
            if await self._is_stored(digest, named):
                break
            await self._store(manifest, named)
        return manifest

    async def _is_stored(self, digest: Digest, named: Sequence[Tag]) -> bool:
        if not await self._registry.manifests.has(self._name, digest):
            return False
        # The deletion of another manifest may have taken the tag along that had named it before.
        return all([await self._registry.tags.names_something(self._name, tag) for tag in named])

    async def _check_references(self, manifest: Manifest) -> None:
        try:
            await self._find_references(manifest)
        except Errors:
            if self._registry.renewals is None:
                raise
            # A collection looks at a link after it has taken it away, and puts it back where it is young.
            await asyncio.sleep(_LOOK_AGAIN)
            await self._find_references(manifest)

    async def _find_references(self, manifest: Manifest) -> None:
        # Renewed first: what is there then no collection removes before the manifest tells that it is needed.
        if self._registry.renewals is not None:
            async for one in taking_turns(references(manifest.parsed)):
                self._renew(layout.layer_link(self._name, one.digest))
            async for one in taking_turns(manifest.parsed.manifests):
                self._renew(layout.revision_link(self._name, one.digest))
        await self._registry.references.check(self._name, manifest.parsed)

    async def _store(self, manifest: Manifest, named: Sequence[Tag]) -> None:
        await self._registry.manifests.put(self._name, manifest)
        for tag in named:
            await self._registry.tags.set(self._name, tag, manifest.digest)

    async def delete_manifest(self, digest: Digest) -> Sequence[Tag]:
        await self._registry.manifests.get(self._name, digest)
        # Tags first, so that none ever names what is gone; and those that were set meanwhile, for the same reason.
        tags = await self._registry.tags.drop(self._name, digest)
        await self._registry.manifests.delete(self._name, digest)
        return [*tags, *await self._registry.tags.drop(self._name, digest)]

    async def untag(self, tag: Tag) -> None:
        await self._registry.tags.delete(self._name, tag)

    async def delete_blob(self, digest: Digest) -> None:
        await self._registry.blobs.unlink(self._name, digest)

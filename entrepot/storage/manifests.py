"""Manifests: stored byte for byte as they came, found by a revision link, read with their parsed form.

Must not know tags. The parsed form is kept by digest; whether a repository holds the manifest is asked of the store.
"""

from __future__ import annotations

import asyncio

from entrepot.content import Manifest
from entrepot.driver import Driver, PathNotFound
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid, ManifestUnknown
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.links import read_link, write_link
from entrepot.storage.recent import Recent
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_PARSED_BOUND = 16 * 1024 * 1024
_INLINE = 64 * 1024
"""Bytes; larger manifests are parsed and hashed on a thread."""


class Manifests:
    """The manifests of all repositories of a registry."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._parsed: Recent[Digest, Manifest] = Recent(_PARSED_BOUND, lambda manifest: len(manifest.content))

    async def get(self, name: RepositoryName, digest: Digest) -> Manifest:
        """Raises ManifestUnknown; also where what is stored does not hash to `digest`, which a new push heals."""
        try:
            target = await read_link(self._driver, layout.revision_link(name, digest))
            content = await self._driver.get(layout.blob_data(target))
        except PathNotFound:
            raise self._unknown(name, digest) from None
        known = self._parsed.get(digest)
        if known is not None and known.content == content:
            return known
        return await self._verified(name, digest, content)

    def known(self, digest: Digest) -> Manifest | None:
        """What was read before, whether or not it is still in the store; in any thread."""
        return self._parsed.peek(digest)

    async def has(self, name: RepositoryName, digest: Digest) -> bool:
        """Whether the repository holds it."""
        try:
            target = await read_link(self._driver, layout.revision_link(name, digest))
            entry = await self._driver.stat(layout.blob_data(target))
        except PathNotFound:
            return False
        return target == digest and entry.size > 0 and not entry.is_directory

    async def put(self, name: RepositoryName, manifest: Manifest) -> None:
        """Store it, with the link from its subject; durable. What it refers to is not looked at."""
        digest = manifest.digest
        await self._driver.put(layout.blob_data(digest), manifest.content)
        # Distribution 2.x lists a repository by this directory, and the collection of 3.x fails without it.
        await self._driver.make_directory(layout.layers(name))
        if manifest.parsed.subject is not None:
            subject = manifest.parsed.subject.digest
            await write_link(self._driver, layout.referrer_link(name, subject, digest), digest)
        await write_link(self._driver, layout.revision_link(name, digest), digest)

    async def delete(self, name: RepositoryName, digest: Digest) -> None:
        """Raises ManifestUnknown. The content stays until it is collected."""
        manifest = await self.get(name, digest)
        try:
            await self._driver.delete(layout.revision_link(name, digest))
            if manifest.parsed.subject is not None:
                await self._driver.delete(layout.referrer_link(name, manifest.parsed.subject.digest, digest))
        except PathNotFound:
            # Another request was quicker, or Distribution wrote the manifest: it keeps no links from subjects.
            log.debug("manifest_link_absent", repository=name, digest=digest)

    async def _verified(self, name: RepositoryName, digest: Digest, content: bytes) -> Manifest:
        try:
            manifest = await read_manifest(content, None, digest)
        except ManifestInvalid as error:
            log.error("manifest_damaged", repository=name, digest=digest, error=str(error))
            raise self._unknown(name, digest) from None
        self._parsed.put(digest, manifest)
        return manifest

    @staticmethod
    def _unknown(name: RepositoryName, digest: Digest) -> ManifestUnknown:
        return ManifestUnknown(f"unknown manifest name={name} revision={digest}")


async def read_manifest(content: bytes, declared: str | None, digest: Digest) -> Manifest:
    """Parse bytes that must hash to `digest`. Raises ManifestInvalid, off the event loop where it would be blocked."""
    if len(content) <= _INLINE:
        return _read(content, declared, digest)
    return await asyncio.to_thread(_read, content, declared, digest)


def _read(content: bytes, declared: str | None, digest: Digest) -> Manifest:
    if Digest.of(content, digest.algorithm) != digest:
        raise ManifestInvalid(f"the content is not {digest}")
    return Manifest(digest, content, parse(content, declared))

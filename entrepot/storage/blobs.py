"""The content-addressed store, and the links that let a repository read what is in it.

The link is asked on every read and never remembered: it alone says what a repository may read (CVE-2024-39897,
CVE-2026-35172). Must not know uploads or manifests.
"""

from __future__ import annotations

from contextlib import suppress

from entrepot.content import Blob, Body, Bytes, LocalFile, Select, Stream
from entrepot.driver import Driver, LocalPaths, PathInvalid, PathNotFound
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.links import read_alias, write_link
from entrepot.storage.recent import Recent
from entrepot.telemetry import get_logger
from entrepot.wire.ranges import Span

log = get_logger(__name__)

SMALL = 64 * 1024
"""Bytes; smaller content is answered from memory, which the driver keeps in step with the file."""


class BlobStore:
    """All blobs of a registry.

    `local` is the driver's ability to name local files, or None; `remembered` is how many digests it keeps in mind.
    """

    def __init__(self, driver: Driver, local: LocalPaths | None, remembered: int = 0) -> None:
        self._driver = driver
        self._local = local
        # A hint that saves a stat: the size of what a digest names does not change.
        self._small: Recent[Digest, bool] = Recent(remembered, lambda _: 1)

    async def stat(self, name: RepositoryName, digest: Digest) -> Descriptor:
        """Raises BlobUnknown unless the repository links it and the content is there."""
        try:
            target = await read_alias(self._driver, layout.layer_link(name, digest), digest)
            size = await self._size(target)
        except PathNotFound:
            raise BlobUnknown(digest) from None
        return Descriptor(OCTET_STREAM, target, size)

    async def open(self, name: RepositoryName, digest: Digest, select: Select | None) -> Blob:
        """Raises BlobUnknown as `stat` does."""
        try:
            target = await read_alias(self._driver, layout.layer_link(name, digest), digest)
        except PathNotFound:
            raise BlobUnknown(digest) from None
        return await self.open_content(target, select)

    async def open_content(self, target: Digest, select: Select | None) -> Blob:
        """As `open`, whoever may read it. Raises BlobUnknown where the content is not there."""
        path = layout.blob_data(target)
        try:
            if self._small.get(target) and (content := await self._small_content(target, path)) is not None:
                return small_blob(target, content, select)
            size = await self._size(target)
            if size <= SMALL:
                self._small.put(target, True)
                return small_blob(target, await self._driver.get(path), select)
        except PathNotFound:
            raise BlobUnknown(target) from None
        span = None if select is None else select(size)
        return Blob(Descriptor(OCTET_STREAM, target, size), self._body(path, span or Span(0, size), span), span)

    async def _small_content(self, digest: Digest, path: str) -> bytes | None:
        try:
            content = await self._driver.get(path)
            if len(content) <= SMALL:
                return content
        except PathInvalid:
            log.debug("blob_too_large", digest=digest)
        # It was seen while it was cut short by some damage, and was healed since.
        self._small.pop(digest)
        return None

    def _body(self, path: str, whole: Span, span: Span | None) -> Body:
        if self._local is not None:
            return LocalFile(self._local.local_path(path), span)
        return Stream(self._driver.read(path, whole), len(whole))

    async def has(self, digest: Digest) -> bool:
        """Whether the content is in the store, whoever may read it."""
        try:
            await self._size(digest)
        except PathNotFound:
            return False
        return True

    async def _size(self, digest: Digest) -> int:
        entry = await self._driver.stat(layout.blob_data(digest))
        # A directory, or what a crash has left empty, is no content: a push, or the upstream, heals it.
        if entry.is_directory or is_hollow(digest, entry.size):
            log.error("blob_damaged", digest=digest)
            raise PathNotFound(layout.blob_data(digest))
        return entry.size

    async def link(self, name: RepositoryName, digest: Digest) -> None:
        """Let the repository read content that is in the store; durable."""
        await write_link(self._driver, layout.layer_link(name, digest), digest)

    async def unlink(self, name: RepositoryName, digest: Digest) -> None:
        """Raises BlobUnknown. The content stays until it is collected."""
        await self.stat(name, digest)
        try:
            await self._driver.delete(layout.layer_link(name, digest))
        except PathNotFound:
            raise BlobUnknown(digest) from None

    async def adopt(self, path: str, digest: Digest) -> None:
        """Make a verified, synced file of the driver the content of `digest`; durable.

        What lies there already is replaced: it may be damaged, and if it is not, nothing changes for its readers.
        """
        await self._driver.move(path, layout.blob_data(digest))

    async def discard(self, digest: Digest) -> None:
        """Remove the content, if it is there; who reads it reads on."""
        with suppress(PathNotFound):
            await self._driver.delete(layout.blob_data(digest))
        self._small.pop(digest)

    async def put(self, digest: Digest, content: bytes) -> None:
        """Store content that hashes to `digest`; durable."""
        await self._driver.put(layout.blob_data(digest), content)

    async def mount(self, name: RepositoryName, digest: Digest, source: RepositoryName) -> Descriptor | None:
        """Link what `source` may read; None where it may not."""
        try:
            descriptor = await self.stat(source, digest)
        except BlobUnknown:
            return None
        # Both names of an alias: the answer gives the one, the client has asked for the other.
        for known in {descriptor.digest, digest}:
            await write_link(self._driver, layout.layer_link(name, known), descriptor.digest)
        # None where it was collected meanwhile, which takes a disk that stands still. The links stay: they grant
        # nothing, and may be those of somebody who is just bringing the content.
        return descriptor if await self.has(descriptor.digest) else None


def is_hollow(digest: Digest, size: int) -> bool:
    """Whether a file of that size cannot be the content: it is empty, and the content is not."""
    return size == 0 and digest != Digest.of(b"", digest.algorithm)


def small_blob(digest: Digest, content: bytes, select: Select | None) -> Blob:
    """A blob whose content is in memory, or what `select` chooses of it."""
    span = None if select is None else select(len(content))
    body = Bytes(content if span is None else content[span.start : span.stop])
    return Blob(Descriptor(OCTET_STREAM, digest, len(content)), body, span)

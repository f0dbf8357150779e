"""PORT. A registry as its clients see it: repositories to read and to write, whatever is behind them.

Every method may raise the errors of oci/errors.py; names and digests are parsed before they come here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from entrepot.content import Blob, Manifest, Select
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list, and whether more follows its last item."""

    items: Sequence[T]
    more: bool


class Outcome(Enum):
    """How a cache came by an answer."""

    HIT = "hit"
    """It was there."""
    MISS = "miss"
    """It had to be fetched."""
    JOINED = "joined"
    """Somebody else's request was fetching it."""
    STALE = "stale"
    """It was there, and could not be confirmed."""


class Repository(Protocol):
    """What can be read; a cache honours all of it. Made for each request."""

    @property
    def outcome(self) -> Outcome | None:
        """How the answer to this request was come by; None before it, and where there is no cache between."""

    async def resolve(self, tag: Tag) -> Digest:
        """The digest the tag names now. Raises ManifestUnknown."""

    async def manifest(self, digest: Digest) -> Manifest:
        """Raises ManifestUnknown unless this repository holds it; its bytes hash to `digest`."""

    async def stat_blob(self, digest: Digest) -> Descriptor:
        """Raises BlobUnknown unless this repository may read it, whoever else may."""

    async def open_blob(self, digest: Digest, select: Select | None = None) -> Blob:
        """The blob, or what `select` chooses of it. Raises BlobUnknown, and whatever `select` raises."""

    async def tags(self, after: str, limit: int | None) -> Page[str]:
        """Tags greater than `after`, sorted; all where `limit` is None. Raises NameUnknown."""

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> Page[Descriptor]:
        """Manifests of this repository whose subject it is, by digest; none where the subject is unknown."""


class Upload(Protocol):
    """A resumable write. What it holds is in the store, so that any worker, or Distribution, can go on with it."""

    @property
    def id(self) -> str:
        """A random UUID."""

    @property
    def started_at(self) -> str:
        """RFC 3339, UTC, whole seconds."""

    async def offset(self) -> int:
        """Bytes received so far. Raises BlobUploadUnknown."""

    async def append(self, chunks: AsyncIterator[bytes], at: int, length: int | None) -> int:
        """Add `chunks`, which begin at offset `at`, and answer the new offset; durable when it returns.

        Raises RangeInvalid where the upload does not end at `at`, and SizeInvalid where `chunks` do not bring the
        `length` bytes they promise: both leave it as it was. Raises BlobUploadBusy while somebody else writes.
        """

    async def commit(self, digest: Digest, chunks: AsyncIterator[bytes], at: int, length: int | None) -> Descriptor:
        """Append, verify, and make the blob visible in the repository; the upload is gone after it.

        Raises DigestInvalid, and then the upload is gone too.
        """

    async def cancel(self) -> None:
        """Drop the upload. Raises BlobUploadUnknown where there is none."""


class WritableRepository(Repository, Protocol):
    """What a registry to push to offers on top."""

    async def start_upload(self, algorithm: str) -> Upload:
        """A new upload, to be hashed with `algorithm` unless its commit says otherwise."""

    async def resume_upload(self, upload_id: str) -> Upload:
        """Raises BlobUploadUnknown."""

    async def mount(self, digest: Digest, source: RepositoryName | None) -> Descriptor | None:
        """Make a blob that `source` (any repository where None) may read readable here; None where it may not."""

    async def put_manifest(
        self,
        content: bytes,
        declared: str | None,
        reference: Tag | Digest,
        tags: Sequence[Tag],
        classes: Collection[str] | None = None,
    ) -> Manifest:
        """Store a manifest, then point `reference`, if it is a tag, and all `tags` at it.

        `classes` are those of content that the client may push, where the registry cares for classes; None is all.
        Raises ManifestInvalid, DigestInvalid, and Errors with a ManifestBlobUnknown for each thing it lacks.
        """

    async def delete_manifest(self, digest: Digest) -> Sequence[Tag]:
        """Remove its tags, which are answered, then the manifest, from this repository. Raises ManifestUnknown."""

    async def untag(self, tag: Tag) -> None:
        """Raises ManifestUnknown."""

    async def delete_blob(self, digest: Digest) -> None:
        """Make the blob unreadable in this repository. Raises BlobUnknown."""


class Naming(Protocol):
    """Which repository is meant where more than a path tells it."""

    def locate(self, name: RepositoryName, namespace: str | None, host: str) -> RepositoryName:
        """The repository that `name` is in `namespace` (a client's `ns=`), or at `host`. May be called in any thread.

        Raises NameUnknown for a namespace that is not served, and Denied.
        """

    def serves_host(self, host: str) -> bool:
        """Whether the host that a client asks tells anything."""


class Registry(Protocol):
    """All repositories of one place."""

    def reader(self, name: RepositoryName) -> Repository:
        """The repository, whether or not anything is in it."""

    def writer(self, name: RepositoryName) -> WritableRepository:
        """Raises Unsupported where this registry takes no writes."""

    async def catalog(self, after: str, limit: int) -> Page[str]:
        """Names of repositories greater than `after`, compared segment by segment as Distribution sorts them."""


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """A value that was known without waiting; `stands` tells, as quickly and in any thread, whether it still is so."""

    value: T
    stands: Callable[[], bool]


Parts = Callable[[Select], Blob | None]
"""Reads a part; None where it is long, or not at hand, or no longer that of the blob. Raises what `Select` raises."""


class Hits(Protocol):
    """What a registry can answer without waiting; None where it cannot. May be called in any thread."""

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Hit[Manifest] | None:
        """As a repository's `manifest`, after `resolve` where it is a tag."""

    def stat_blob(self, name: RepositoryName, digest: Digest) -> Hit[Descriptor] | None:
        """As a repository's `stat_blob`."""

    def blob(self, name: RepositoryName, digest: Digest, select: Select | None = None) -> Hit[Blob] | None:
        """As a repository's `open_blob`."""

    def parts(self, name: RepositoryName, digest: Digest) -> Hit[Parts] | None:
        """What reads short parts of a blob, one after the other; the hit stands as long as the blob may be read."""


class Cache(Protocol):
    """What a pull-through cache needs of the registry that keeps its content; never reachable by clients."""

    def reader(self, name: RepositoryName) -> Repository:
        """What is cached of the repository."""

    async def catalog(self, after: str, limit: int) -> Page[str]:
        """Repositories of which something is cached."""

    def turn_path(self, digest: Digest) -> str:
        """A local file for the lock of whoever fetches the manifest; nothing else is ever there."""

    def spool_path(self, digest: Digest) -> str:
        """A local file beside the blob's final place, where a fill's bytes may grow."""

    async def adopt(self, digest: Digest) -> None:
        """Make the synced spool, whose length and digest were verified, the blob; durable. The spool's name is gone."""

    async def has_blob(self, digest: Digest) -> bool:
        """Whether the content is here, readable in whatever repository."""

    async def open_blob(self, digest: Digest, select: Select | None) -> Blob:
        """The content, for whoever has made sure that its client may read it. Raises BlobUnknown."""

    async def discard_blob(self, digest: Digest) -> None:
        """Remove content that is damaged, so that it can come anew; the links to it stay."""

    async def link_blob(self, name: RepositoryName, digest: Digest) -> None:
        """Let the repository read a blob that is here."""

    async def store_manifest(self, name: RepositoryName, manifest: Manifest) -> None:
        """Keep a verified manifest; what it refers to need not be here."""

    async def set_tag(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """Point the tag at a manifest that is kept; nothing to do where it is not."""

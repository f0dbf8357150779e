"""PORT. Another registry, as a mirror asks it. Knows no HTTP; client.py is the one that speaks it.

What a caller must tell apart: an upstream that *says* there is no such thing raises one of ABSENT, and that answer is
authoritative; an upstream that cannot be asked, fails or refuses raises one of REFUSED, and what is known of old may
be served instead. Both are tuples for `except`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobUnknown,
    Denied,
    ManifestUnknown,
    NameUnknown,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
    UpstreamUnreachable,
)
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page

ABSENT = (BlobUnknown, ManifestUnknown, NameUnknown)
"""The upstream answered, and there is no such thing."""

REFUSED = (UpstreamFailed, TooManyRequests, Unauthorized, Denied)
"""No usable answer: unreachable, broken or lying (502, 503), throttled (429), not allowed (401, 403)."""


class BrokeOff(UpstreamFailed):
    """An answer that had begun was cut, reset, stalls or drips; another download may go on where it ended."""


class NotConnected(UpstreamUnreachable):
    """No connection came about, so that nothing was asked yet."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, or a token to be exchanged for others (OAuth 2.0 refresh token); neither is ever shown."""

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)


class CredentialSource(Protocol):
    """Where the credentials for an upstream come from; asked anew whenever they are needed."""

    async def credentials(self, host: str) -> Credentials | None:
        """What to present to `host`, a name with a port where it is not the scheme's own; None means anonymous."""

    def refused(self, credentials: Credentials) -> None:
        """The upstream did not take them: look for newer ones next time, if they can change at all."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest's bytes as they came, with the media type the upstream named, if it named a meaningful one."""

    media_type: str | None
    content: bytes


@dataclass(frozen=True, slots=True)
class Download:
    """A blob on its way: its whole size, None where the upstream does not say, and the bytes from `start` on.

    The chunks are views of the network's buffers, each valid for as long as it is held. They end where the upstream
    ends them: whether all came, and whether they hash to the digest, is for the reader to check. Iterating raises
    BrokeOff when the upstream breaks off, stalls or drips; another download may then begin where this one ended.
    """

    size: int | None
    chunks: AsyncIterator[memoryview]


class Upstream(Protocol):
    """A registry to read from. Every method may raise what REFUSED lists."""

    async def resolve(self, name: RepositoryName, tag: Tag) -> Digest:
        """The digest the tag names now; costs a HEAD, and a GET where that does not tell it. Raises ManifestUnknown."""

    async def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Fetched:
        """A manifest of at most MANIFEST_LIMIT bytes, which hash to `reference` where that is a digest.

        Raises ManifestUnknown, and UpstreamFailed for one that is larger or hashes to something else.
        """

    async def stat_blob(self, name: RepositoryName, digest: Digest) -> int:
        """The blob's size in bytes. Raises BlobUnknown."""

    def blob(self, name: RepositoryName, digest: Digest, start: int = 0) -> AbstractAsyncContextManager[Download]:
        """The blob's bytes from `start` on, never from elsewhere. Leaving the context ends the download.

        Where the upstream knows no ranges, what is before `start` is read and dropped. Entering raises BlobUnknown, and
        UpstreamFailed where the upstream begins elsewhere.
        """

    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Page[str]:
        """The upstream's tags that follow `after`, in the upstream's own order; all where `limit` is None.

        Raises NameUnknown.
        """

    async def referrers(self, name: RepositoryName, digest: Digest, artifact_type: str | None) -> Sequence[Descriptor]:
        """What refers to the manifest, only of `artifact_type` where given; also where the upstream has but the tag."""

    async def close(self) -> None:
        """End what is under way. May be called twice; nothing else may be called after it."""

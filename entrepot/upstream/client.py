"""The Upstream that speaks the OCI distribution API. Assembles; how each part behaves is told where it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from pyreqwest.http import Url

from entrepot.oci.descriptor import MANIFEST_TYPES, OCI_INDEX, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameUnknown,
    RegistryError,
    Unsupported,
    UpstreamFailed,
)
from entrepot.oci.manifest import MANIFEST_LIMIT, parse
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.telemetry import get_logger
from entrepot.upstream.addresses import Address
from entrepot.upstream.authorization import Authorizer
from entrepot.upstream.base import CredentialSource, Download, Fetched
from entrepot.upstream.exchange import Exchange
from entrepot.upstream.headers import parse_digest, parse_media_type, parse_served_range, parse_unserved_range
from entrepot.upstream.listings import PAGE_SIZE, parse_tags, tags_after, walk
from entrepot.upstream.message import Request
from entrepot.upstream.tokens import TOKEN_ANSWER_LIMIT, TokenAnswer, TokenRequest
from entrepot.upstream.transport import Pace, Reply, Transport, deadline

# Image types first, so that a registry with a choice gives what it holds; the rest for artifacts of any other type.
_ACCEPT = ("Accept", ", ".join((*MANIFEST_TYPES, "*/*")))
_NO_HEAD = frozenset({400, 405, 501})
_NO_ROUTE = frozenset({404, 405, 501})

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts; `metadata` bounds a whole call other than `blob`, `listing` one that reads many pages."""

    connect: float = 5.0
    idle: float = 30.0
    metadata: float = 10.0
    listing: float = 30.0
    metadata_connections: int = 32
    blob_connections: int = 64


class OciUpstream:
    """One upstream. Nothing is opened before the first call, which must come in the event loop of all others."""

    def __init__(
        self,
        remoteurl: str,
        credentials: CredentialSource | None = None,
        *,
        realm_hosts: Collection[str] = (),
        limits: Limits | None = None,
    ) -> None:
        """`realm_hosts` are further names of token services that may see the credentials.

        Raises ValueError where `remoteurl` is no address of an upstream.
        """
        self._address = Address.parse(remoteurl)
        self._limits = limits = limits or Limits()
        idle = min(limits.idle, limits.metadata)
        self._metadata = Transport(Pace(limits.connect, idle, limits.metadata), limits.metadata_connections)
        self._blobs = Transport(Pace(limits.connect, limits.idle, None), limits.blob_connections)
        self._authorizer = Authorizer(self._address, credentials, self._ask_token_service, realm_hosts=realm_hosts)
        self._exchange = Exchange(self._address, self._authorizer)

    async def resolve(self, name: RepositoryName, tag: Tag) -> Digest:
        async with self._ask("HEAD", name, self._url(name, f"manifests/{tag}"), _ACCEPT) as reply:
            digest = parse_digest(reply.head.header("Docker-Content-Digest"))
            if reply.head.status == 200 and digest is not None:
                return digest
            if reply.head.status != 200 and reply.head.status not in _NO_HEAD:
                raise self._exchange.refusal(reply.head, _unknown_manifest(name, tag))
        return (await self._fetch(name, tag))[1]

    async def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Fetched:
        return (await self._fetch(name, reference))[0]

    async def stat_blob(self, name: RepositoryName, digest: Digest) -> int:
        url = self._url(name, f"blobs/{digest}")
        async with self._ask("HEAD", name, url) as reply:
            if reply.head.status == 200 and reply.length is not None:
                reply.require_plain()
                return reply.length
            # A signed URL may be good for GET only, so a refusal from there says nothing.
            if self._exchange.is_own(reply.head) and reply.head.status not in (200, *_NO_HEAD):
                raise self._exchange.refusal(reply.head, _unknown_blob(digest))
        return await self._stat_by_get(name, digest, url)

    @asynccontextmanager
    async def blob(self, name: RepositoryName, digest: Digest, start: int = 0) -> AsyncIterator[Download]:
        headers = (("Range", f"bytes={start}-"),) if start else ()
        request = Request("GET", self._url(name, f"blobs/{digest}"), headers)
        async with (
            deadline(self._limits.idle) as opening,
            self._exchange.ask(self._blobs, request, name) as reply,
            aclosing(reply.chunks()) as chunks,
        ):
            size = self._whole_size(reply, digest, start)
            opening.reschedule(None)
            yield Download(size, chunks)

    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Page[str]:
        found: list[str] = []

        def take(content: bytes) -> bool:
            tags = parse_tags(content)
            found.extend(tags if found else tags_after(tags, after))
            return limit is not None and len(found) >= limit

        query = {"n": str(PAGE_SIZE if limit is None else min(limit, PAGE_SIZE))} | ({"last": after} if after else {})
        absent = NameUnknown({"name": name})
        async with deadline(self._limits.listing):
            more = await walk(lambda url: self._page(name, url, absent), self._url(name, "tags/list", query), take)
        return Page(found[:limit], more or (limit is not None and len(found) > limit))

    async def referrers(
        self, name: RepositoryName, digest: Digest, artifact_type: str | None
    ) -> Sequence[Descriptor] | None:
        found: list[Descriptor] = []

        def take(content: bytes) -> bool:
            found.extend(_entries(content))
            return False

        first = self._url(name, f"referrers/{digest}", {"artifactType": artifact_type} if artifact_type else {})
        try:
            async with deadline(self._limits.listing):
                await walk(lambda url: self._page(name, url, Unsupported()), first, take)
        except Unsupported:
            return None
        # The filter is the upstream's to apply or to ignore.
        return [one for one in found if artifact_type is None or one.artifact_type == artifact_type]

    async def close(self) -> None:
        await self._authorizer.close()
        await self._metadata.close()
        await self._blobs.close()

    def _url(self, name: RepositoryName, path: str, query: dict[str, str] | None = None) -> Url:
        return self._address.endpoint(f"/v2/{name}/{path}", query)

    @asynccontextmanager
    async def _ask(
        self, method: str, name: RepositoryName, url: Url, *headers: tuple[str, str]
    ) -> AsyncIterator[Reply]:
        request = Request(method, url, headers)
        async with (
            deadline(self._limits.metadata),
            self._exchange.ask(self._metadata, request, name) as reply,
        ):
            yield reply

    @asynccontextmanager
    async def _page(self, name: RepositoryName, url: Url, absent: RegistryError) -> AsyncIterator[Reply]:
        async with self._ask("GET", name, url) as reply:
            if reply.head.status != 200:
                raise self._exchange.refusal(reply.head, absent)
            yield reply

    async def _fetch(self, name: RepositoryName, reference: Tag | Digest) -> tuple[Fetched, Digest]:
        async with self._ask("GET", name, self._url(name, f"manifests/{reference}"), _ACCEPT) as reply:
            if reply.head.status != 200:
                raise self._exchange.refusal(reply.head, _unknown_manifest(name, reference))
            reply.require_plain()
            media_type = parse_media_type(reply.head.header("Content-Type"))
            claimed = parse_digest(reply.head.header("Docker-Content-Digest"))
            if media_type == "text/html":
                raise UpstreamFailed("the upstream sent a web page for a manifest")
            content = await reply.content(MANIFEST_LIMIT)
        expected = reference if isinstance(reference, Digest) else claimed
        digest = Digest.of(content) if expected is None else Digest.of(content, expected.algorithm)
        if not content or (expected is not None and digest != expected):
            _log.warning("upstream_digest_mismatch", name=name, reference=reference, digest=digest)
            raise UpstreamFailed("upstream digest mismatch")
        return Fetched(media_type, content), digest

    async def _stat_by_get(self, name: RepositoryName, digest: Digest, url: Url) -> int:
        async with self._ask("GET", name, url, ("Range", "bytes=0-0")) as reply:
            match reply.head.status:
                case 200:
                    reply.require_plain()
                    size = reply.length
                case 206:
                    size = (parse_served_range(reply.head.header("Content-Range")) or (None, None))[1]
                case 416:
                    size = parse_unserved_range(reply.head.header("Content-Range"))
                case _:
                    raise self._exchange.refusal(reply.head, _unknown_blob(digest))
        if size is None:
            raise UpstreamFailed("the upstream does not tell the blob's size")
        return size

    def _whole_size(self, reply: Reply, digest: Digest, start: int) -> int | None:
        if reply.head.status != (206 if start else 200):
            raise self._exchange.refusal(reply.head, _unknown_blob(digest))
        reply.require_plain()
        if not start:
            return reply.length
        served = parse_served_range(reply.head.header("Content-Range"))
        if served is None or served[0].start != start or reply.length not in (None, len(served[0])):
            raise UpstreamFailed("the upstream sent another part of the blob than was asked for")
        return served[1]

    async def _ask_token_service(self, request: TokenRequest) -> TokenAnswer:
        wanted = Request("GET", request.url, authorization=request.authorization)
        async with deadline(self._limits.metadata), self._metadata.send(wanted) as reply:
            reply.require_plain()
            return TokenAnswer(
                reply.head.status, await reply.content(TOKEN_ANSWER_LIMIT), reply.head.header("Retry-After")
            )


def _entries(content: bytes) -> Sequence[Descriptor]:
    try:
        return parse(content, OCI_INDEX).manifests
    except ManifestInvalid as error:
        raise UpstreamFailed(f"the upstream's list of referrers is no index: {error.detail}") from None


def _unknown_manifest(name: RepositoryName, reference: Tag | Digest) -> ManifestUnknown:
    if isinstance(reference, Digest):
        return ManifestUnknown(f"unknown manifest name={name} revision={reference}")
    return ManifestUnknown(f"unknown tag={reference}")


def _unknown_blob(digest: Digest) -> BlobUnknown:
    return BlobUnknown(digest)

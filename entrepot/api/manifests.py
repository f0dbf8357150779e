"""Manifests over HTTP: GET, HEAD, PUT and DELETE of `/v2/<name>/manifests/<reference>`."""

from __future__ import annotations

from functools import lru_cache

from entrepot.api.conditions import is_match, not_modified
from entrepot.api.message import Header, Request, Response, content_response, empty_response
from entrepot.api.routes import Target
from entrepot.api.urls import Urls
from entrepot.content import Manifest
from entrepot.oci.descriptor import SCHEMA1
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestTooLarge, ManifestUnknown, UriTooLong
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.oci.names import Tag, parse_reference
from entrepot.registry import Registry, Repository

_MOST_TAGS = 100


class ManifestHandlers:
    def __init__(self, registry: Registry, urls: Urls) -> None:
        self._registry = registry
        self._urls = urls

    async def get(self, request: Request, target: Target, repository: Repository) -> Response:
        reference = parse_reference(target.argument)
        digest = reference if isinstance(reference, Digest) else await repository.resolve(reference)
        manifest = await repository.manifest(digest)
        if manifest.media_type in SCHEMA1:
            raise ManifestUnknown(f"{digest} is a Docker manifest of schema 1, which is not served")
        return manifest_response(request, manifest.digest, manifest.media_type, manifest.content)

    async def put(self, request: Request, target: Target) -> Response:
        return await self.store(request, target, await read_manifest_body(request), declared_type(request))

    async def store(self, request: Request, target: Target, content: bytes, declared: str | None) -> Response:
        """As `put`, of what it has read."""
        reference = parse_reference(target.argument)
        tags = _tags(request)
        repository = self._registry.writer(target.name)
        classes = request.grant.classes.get(target.name)
        manifest = await repository.put_manifest(content, declared, reference, tags, classes)
        headers = [self._urls.manifest(request, target.name, manifest.digest), *_pushed(manifest)]
        return empty_response(201, [*headers, *(("oci-tag", tag) for tag in tags)])

    async def delete(self, request: Request, target: Target) -> Response:
        repository = self._registry.writer(target.name)
        reference = parse_reference(target.argument)
        if isinstance(reference, Digest):
            await repository.delete_manifest(reference)
        else:
            await repository.untag(reference)
        return empty_response(202)


@lru_cache(maxsize=4096)
def manifest_headers(digest: Digest) -> tuple[Header, ...]:
    """What every answer with this content says of it."""
    return ("docker-content-digest", digest), ("etag", f'"{digest}"')


def _pushed(manifest: Manifest) -> list[Header]:
    headers: list[Header] = [("docker-content-digest", manifest.digest)]
    if manifest.parsed.subject is not None:
        headers.append(("oci-subject", manifest.parsed.subject.digest))
    return headers


def _tags(request: Request) -> list[Tag]:
    tags = [Tag.parse(value) for key, value in request.parameters() if key == "tag"]
    if len(tags) > _MOST_TAGS:
        raise UriTooLong(f"more than {_MOST_TAGS} tags")
    return tags


def declared_type(request: Request) -> str | None:
    """The media type that the client gives, without parameters."""
    return (request.headers.get("content-type") or "").split(";", 1)[0].strip() or None


def manifest_response(request: Request, digest: Digest, media_type: str, content: bytes) -> Response:
    """The answer with a manifest, or that it is the one that the client has."""
    if is_match(request.headers.get("if-none-match"), digest):
        return not_modified(digest)
    return content_response(200, media_type, content, manifest_headers(digest))


async def read_manifest_body(request: Request) -> bytes:
    """The whole body. Raises ManifestTooLarge."""
    if (request.content_length or 0) > MANIFEST_LIMIT:
        raise ManifestTooLarge(f"larger than {MANIFEST_LIMIT} bytes")
    content = bytearray()
    async for chunk in request.body():
        content += chunk
        if len(content) > MANIFEST_LIMIT:
            raise ManifestTooLarge(f"larger than {MANIFEST_LIMIT} bytes")
    return bytes(content)

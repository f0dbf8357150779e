"""Blobs over HTTP: GET, HEAD and DELETE of `/v2/<name>/blobs/<digest>`."""

from __future__ import annotations

from functools import lru_cache, partial

from entrepot.api.conditions import is_current, is_match, not_modified
from entrepot.api.message import Header, Request, Response, empty_response
from entrepot.api.routes import Target
from entrepot.content import Blob, Select
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import RangeInvalid
from entrepot.registry import Registry, Repository
from entrepot.wire.ranges import Span, Unsatisfiable, format_content_range, parse_range


class BlobHandlers:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def get(self, request: Request, target: Target, repository: Repository) -> Response:
        digest = Digest.parse(target.argument)
        if is_match(request.headers.get("if-none-match"), digest):
            await repository.stat_blob(digest)
            return not_modified(digest)
        return blob_response(digest, await repository.open_blob(digest, select(request, digest)))

    async def head(self, request: Request, target: Target, repository: Repository) -> Response:
        digest = Digest.parse(target.argument)
        descriptor = await repository.stat_blob(digest)
        if is_match(request.headers.get("if-none-match"), digest):
            return not_modified(digest)
        return stat_response(digest, descriptor)

    async def delete(self, request: Request, target: Target) -> Response:
        await self._registry.writer(target.name).delete_blob(Digest.parse(target.argument))
        return empty_response(202)


def select(request: Request, digest: Digest) -> Select | None:
    """What the request's Range wants of the blob; None is the whole."""
    wanted = request.headers.get("range")
    if wanted is None or not is_current(request.headers.get("if-range"), digest):
        return None
    return partial(_select, wanted, digest)


def _select(wanted: str, digest: Digest, size: int) -> Span | None:
    try:
        return parse_range(wanted, size)
    except Unsatisfiable:
        raise RangeInvalid(headers=[*blob_headers(digest)[1:], ("content-range", f"bytes */{size}")]) from None


def stat_response(digest: Digest, descriptor: Descriptor) -> Response:
    """What HEAD is answered with."""
    return Response(200, [*blob_headers(digest), ("content-length", str(descriptor.size))])


def blob_response(digest: Digest, blob: Blob) -> Response:
    """200 for the whole, 206 for a part."""
    size = blob.descriptor.size
    if blob.span is None:
        return Response(200, [*blob_headers(digest), ("content-length", str(size))], blob.body)
    part = [("content-length", str(len(blob.span))), ("content-range", format_content_range(blob.span, size))]
    return Response(206, [*blob_headers(digest), *part], blob.body)


@lru_cache(maxsize=4096)
def blob_headers(digest: Digest) -> tuple[Header, ...]:
    """What every answer with this content says of it."""
    return (
        ("content-type", "application/octet-stream"),
        ("docker-content-digest", digest),
        ("etag", f'"{digest}"'),
        # The content of a digest never changes; a year is Distribution's value.
        ("cache-control", "max-age=31536000"),
        ("accept-ranges", "bytes"),
    )

"""Blobs over HTTP: GET, HEAD and DELETE of `/v2/<name>/blobs/<digest>`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from entrepot.api.conditions import is_current, is_match, not_modified
from entrepot.api.message import Header, Headers, Request, Response, empty_response
from entrepot.api.routes import Target
from entrepot.content import Blob, Select
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import RangeInvalid
from entrepot.registry import Outcome, Registry, Repository
from entrepot.wire.ranges import Span, Unsatisfiable, format_content_range, parse_range

_FOR_EVER = ("cache-control", "max-age=31536000")
"""The content of a digest never changes; a year is Distribution's value."""

_STORED = (None, Outcome.HIT)
"""A mirror may know of a blob that is not here yet."""


class BlobHandlers:
    """`url_of` is where a blob of the store is to be had instead; None where it is sent from here."""

    def __init__(self, registry: Registry, url_of: Callable[[Digest], str] | None = None) -> None:
        self._registry = registry
        self._url_of = url_of

    async def get(self, request: Request, target: Target, repository: Repository) -> Response:
        digest = Digest.parse(target.argument)
        if is_match(request.headers.get("if-none-match"), digest):
            await repository.stat_blob(digest)
            return not_modified(digest, [_FOR_EVER])
        if self._url_of is not None and await self._is_stored(repository, digest):
            return redirect_response(digest, self._url_of(digest))
        return blob_response(digest, await repository.open_blob(digest, select(request.headers, digest)))

    async def head(self, request: Request, target: Target, repository: Repository) -> Response:
        digest = Digest.parse(target.argument)
        descriptor = await repository.stat_blob(digest)
        if is_match(request.headers.get("if-none-match"), digest):
            return not_modified(digest, [_FOR_EVER])
        if self._url_of is not None and repository.outcome in _STORED:
            return redirect_response(digest, self._url_of(digest))
        return stat_response(digest, descriptor)

    async def _is_stored(self, repository: Repository, digest: Digest) -> bool:
        await repository.stat_blob(digest)
        return repository.outcome in _STORED

    async def delete(self, request: Request, target: Target) -> Response:
        await self._registry.writer(target.name).delete_blob(Digest.parse(target.argument))
        return empty_response(202)


def select(headers: Headers, digest: Digest) -> Select | None:
    """What the request's Range wants of the blob; None is the whole."""
    wanted = headers.get("range")
    if wanted is None or not is_current(headers.get("if-range"), digest):
        return None
    return partial(_select, wanted, digest)


def _select(wanted: str, digest: Digest, size: int) -> Span | None:
    try:
        return parse_range(wanted, size)
    except Unsatisfiable:
        raise RangeInvalid(headers=[*blob_headers(digest)[1:], ("content-range", f"bytes */{size}")]) from None


def redirect_response(digest: Digest, url: str) -> Response:
    """As Distribution answers GET and HEAD, with or without a Range: the client asks there for the same."""
    return empty_response(307, [*blob_headers(digest), ("location", url)])


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
        _FOR_EVER,
        ("accept-ranges", "bytes"),
    )

"""Conditional requests: does an `If-None-Match` or `If-Range` name the content at hand? (RFC 9110 §13)."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.api.message import Header, Response

_LONGEST = 16 * 1024


def is_match(header: str | None, digest: str) -> bool:
    """Whether a list of entity tags holds this one: quoted or bare, weak or strong, or `*`."""
    if header is None or len(header) > _LONGEST:
        return False
    return any(_opaque(tag) in (digest, "*") for tag in header.split(","))


def is_current(if_range: str | None, digest: str) -> bool:
    """Whether a Range applies. A date never matches: content has a digest, not an age."""
    return if_range is None or if_range.strip() == f'"{digest}"'


def not_modified(digest: str, headers: Sequence[Header] = ()) -> Response:
    """304: what the client has of `digest` is what there is. `headers` are what a 200 would say of keeping it."""
    return Response(304, [("etag", f'"{digest}"'), ("docker-content-digest", digest), *headers])


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')

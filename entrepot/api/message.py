"""Requests and responses of the v2 API as plain values, so that handlers are functions that need no server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

from entrepot.auth.base import EVERYTHING
from entrepot.content import Body, Bytes
from entrepot.oci.errors import UriTooLong

_MOST_PARAMETERS = 128

Header = tuple[str, str]


class Headers(Protocol):
    """Header lines by lower-case name."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """The first line of that name."""

    def get_all(self, key: str) -> list[str]:
        """All lines of that name."""


class Request:
    """One request. `path` is percent-decoded once; `body` may be called once; `grant` is what its client may do.

    `id` is empty where the answer needed no work.
    """

    __slots__ = (
        "authority",
        "body",
        "client",
        "grant",
        "headers",
        "id",
        "method",
        "path",
        "query",
        "scheme",
        "version",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        headers: Headers,
        body: Callable[[], AsyncIterator[bytes]],
        query: str = "",
        scheme: str = "http",
        authority: str = "",
        client: str = "",
        version: str = "1.1",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.scheme = scheme
        self.authority = authority
        self.client = client
        self.version = version
        self.grant = EVERYTHING
        self.id = ""

    def parameters(self) -> list[tuple[str, str]]:
        """The query's parameters, in order. Raises UriTooLong for more than any request needs."""
        if not self.query:
            return []
        try:
            return parse_qsl(self.query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise UriTooLong(f"more than {_MOST_PARAMETERS} query parameters") from None

    def parameter(self, name: str) -> str | None:
        """The first query parameter of that name."""
        return next((value for key, value in self.parameters() if key == name), None)

    @property
    def content_length(self) -> int | None:
        """None for a body whose length is told by its chunks, and for a request that has no body."""
        text = self.headers.get("content-length")
        return int(text) if text is not None and text.isascii() and text.isdigit() else None

    @property
    def has_body(self) -> bool:
        """Whether the client announces a body that is not empty."""
        return bool(self.content_length) or self.headers.get("transfer-encoding") is not None or self._is_http2_stream

    @property
    def _is_http2_stream(self) -> bool:
        return self.version == "2" and self.headers.get("content-length") is None


class Response:
    """One answer; its headers hold the Content-Length also where no body is sent (HEAD)."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Sequence[Header] = (), body: Body | None = None) -> None:
        self.status = status
        self.headers: list[Header] = list(headers)
        self.body = body


def content_response(status: int, media_type: str, content: bytes, headers: Sequence[Header] = ()) -> Response:
    """An answer whose bytes are in memory."""
    fixed = [("content-type", media_type), ("content-length", str(len(content)))]
    return Response(status, [*fixed, *headers], Bytes(content))


def empty_response(status: int, headers: Sequence[Header] = ()) -> Response:
    """An answer without content, which says so: clients of Distribution wait for the header."""
    return Response(status, [*headers, ("content-length", "0")])


class PlainHeaders(dict[str, list[str]]):
    """Headers made by hand, for tests and embedding."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> PlainHeaders:
        return cls({name.lower(): [value] for name, value in headers.items()})

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]  # one line, not all
        return self[key][0] if key in self else default

    def get_all(self, key: str) -> list[str]:
        return list(self[key]) if key in self else []

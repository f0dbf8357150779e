"""Requests made by hand, for handlers and the dispatcher without a server."""

from collections.abc import AsyncIterator, Mapping

from entrepot.api.message import PlainHeaders, Request, Response
from entrepot.content import Bytes

HEX = "0123456789abcdef"
DIGEST = "sha256:" + HEX * 4
UPLOAD_ID = "b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa"


def request(
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
    client: str = "192.0.2.1:9",
) -> Request:
    """A request as the server's adapter makes it; `target` is a path, percent-decoded, and perhaps a query."""
    path, _, query = target.partition("?")

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    return Request(
        method=method,
        path=path,
        query=query,
        headers=PlainHeaders.of(headers or {}),
        body=chunks,
        authority="registry.example.com:5000",
        client=client,
    )


def values(response: Response, name: str) -> list[str]:
    """All values of a header, whose names are in lower case throughout."""
    return [value for key, value in response.headers if key == name]


def content(response: Response) -> bytes:
    """The bytes of a small body."""
    assert isinstance(response.body, Bytes)
    assert values(response, "content-length") == [str(len(response.body.content))]
    return response.body.content

"""The adapter to Granian's RSGI interface: a scope becomes a Request, a Response is sent in the cheapest way there is.

The only module that knows the server. It refuses what the server lets through though it is no valid request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, assert_never, cast

from granian._granian import RSGIHTTPProtocol as HTTPProtocol  # granian.rsgi re-exports them, but not for type checkers
from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian.rsgi import Scope

from entrepot.api.access_log import AccessLog
from entrepot.api.dispatch import ClientGone, Dispatcher
from entrepot.api.message import Headers, Request, Response, content_response
from entrepot.content import Body, Bytes, LocalFile, Redirect, Stream
from entrepot.telemetry import get_logger
from entrepot.wire.ranges import Span

log = get_logger(__name__)

_HOST = re.compile(r"(?:[A-Za-z0-9._~\-]{1,255}|\[[0-9A-Fa-f:.%]{2,64}\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(r"[0-9]{1,18}")


class ShortBody(Exception):
    """A stream ended before its promised length; the server closes the connection when the handler raises."""


class RsgiApplication:
    """What a worker serves. `assemble` is called once in it, with its event loop, and says what to close at the end."""

    def __init__(self, dispatcher: Dispatcher, access_log: AccessLog | None, close: Callable[[], Any]) -> None:
        self._dispatcher = dispatcher
        self._access_log = access_log
        self._close = close

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing to do: all is made before the loop runs."""

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._access_log is not None:
            self._access_log.flush()
        self._close()

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        request = _request(scope, protocol)
        problem = _problem(request)
        if problem is not None:
            response = content_response(400, "text/plain", f"{problem}\n".encode(), [("connection", "close")])
        else:
            try:
                response = await self._dispatcher.answer(request)
            except ClientGone:
                response = Response(499)
                self._record(request, response)
                return
        self._record(request, response)
        await _send(protocol, request.method, response)

    def _record(self, request: Request, response: Response) -> None:
        if self._access_log is not None:
            self._access_log.record(request, response)


def _request(scope: Scope, protocol: HTTPProtocol) -> Request:
    headers = scope.headers
    request = Request(
        method=scope.method,
        path=scope.path,
        query=scope.query_string,
        headers=cast("Headers", headers),  # its stub leaves out get_all
        body=lambda: _body(request, protocol),
        scheme=scope.scheme,
        authority=headers.get("host") or scope.authority or "",
        client=scope.client,
        version=scope.http_version,
    )
    return request


def _problem(request: Request) -> str | None:
    """Why a request that the server's parser let through is none (RFC 9112 §3.2, §6)."""
    if _HOST.fullmatch(request.authority) is None and request.version != "1":
        return "Host is missing or malformed"
    if request.method in ("GET", "HEAD"):
        return None
    lengths = request.headers.get_all("content-length")
    if len(lengths) > 1 or (lengths and _LENGTH.fullmatch(lengths[0]) is None):
        return "Content-Length is malformed"
    if lengths and request.headers.get("transfer-encoding") is not None:
        return "Content-Length and Transfer-Encoding exclude each other"
    return None


async def _body(request: Request, protocol: HTTPProtocol) -> AsyncIterator[bytes]:
    """The request's body. The server ends it quietly when the client leaves, so its length is checked here."""
    expected = request.content_length
    received = 0
    try:
        async for chunk in protocol:
            received += len(chunk)
            yield chunk
    except ProtocolClosed:
        raise ClientGone from None
    if expected is not None and received < expected:
        raise ClientGone


async def _send(protocol: HTTPProtocol, method: str, response: Response) -> None:
    if method == "HEAD" or response.body is None:
        protocol.response_empty(response.status, response.headers)
    else:
        await _send_body(protocol, response, response.body)


async def _send_body(protocol: HTTPProtocol, response: Response, body: Body) -> None:
    match body:
        case Bytes(content):
            protocol.response_bytes(response.status, response.headers, content)
        case LocalFile(path, Span(start, stop)):
            protocol.response_file_range(response.status, response.headers, path, start, stop)
        case LocalFile(path):
            protocol.response_file(response.status, response.headers, path)
        case Stream():
            await _send_stream(protocol, response, body)
        case Redirect(url):
            protocol.response_empty(307, [*response.headers, ("location", url)])
        case _:
            assert_never(body)


async def _send_stream(protocol: HTTPProtocol, response: Response, body: Stream) -> None:
    transport = protocol.response_stream(response.status, response.headers)
    sent = 0
    try:
        async for chunk in body.chunks:
            await transport.send_bytes(chunk)
            sent += len(chunk)
    except ProtocolClosed:
        return
    finally:
        await _close(body)
    if sent != body.length:
        raise ShortBody(f"{sent} of {body.length} bytes")


async def _close(body: Stream) -> None:
    close = getattr(body.chunks, "aclose", None)
    if close is not None:
        await close()

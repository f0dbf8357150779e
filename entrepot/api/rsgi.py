"""The adapter to Granian's RSGI interface: a scope becomes a Request, which the dispatcher answers.

With sending.py the only module that knows the server. Refuses what the server takes though it is no valid request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from granian._granian import RSGIHTTPProtocol as HTTPProtocol  # granian.rsgi re-exports them, but not for type checkers
from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian.rsgi import Scope

from entrepot.api.access_log import AccessLog
from entrepot.api.dispatch import ClientGone, Dispatcher
from entrepot.api.message import Headers, Request, Response, content_response
from entrepot.api.sending import send
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_HOST = re.compile(r"(?:[A-Za-z0-9._~\-]{1,255}|\[[0-9A-Fa-f:.%]{2,64}\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(r"[0-9]{1,18}")
_SLOWEST = 512
"""Bytes a second that a request's body must bring in the long run."""


class BodyBroken(ClientGone):
    """A request's body is not what was announced, or takes too long. Where it ends, and the next begins, is unknown."""

    def __init__(self, text: str, status: int = 400, recorded: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.recorded = recorded


class RsgiApplication:
    """What a worker serves; `close` is called at its end.

    `patience` is how many seconds a request's body may stand still.
    """

    def __init__(
        self, dispatcher: Dispatcher, access_log: AccessLog | None, patience: float, close: Callable[[], Any]
    ) -> None:
        self._dispatcher = dispatcher
        self._access_log = access_log
        self._patience = patience
        self._close = close

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing to do: all is made before the loop runs."""

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._access_log is not None:
            self._access_log.flush()
        self._close()

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        request = _request(scope, protocol, self._patience)
        problem = _problem(scope, request)
        if problem is not None:
            response = _closing(*problem)
            self._record(request, response)
        else:
            response = await self._answer(request)
        await send(protocol, request.method, response)

    async def _answer(self, request: Request) -> Response:
        try:
            response = await self._dispatcher.answer(request)
        except BodyBroken as error:
            # Who merely stopped sending can still read this.
            self._record(request, Response(error.recorded))
            return _closing(error.status, error.text)
        self._record(request, response)
        return response

    def _record(self, request: Request, response: Response) -> None:
        if self._access_log is not None:
            self._access_log.record(request, response)


def _closing(status: int, text: str) -> Response:
    return content_response(status, "text/plain", f"{text}\n".encode(), [("connection", "close")])


def _request(scope: Scope, protocol: HTTPProtocol, patience: float) -> Request:
    headers = scope.headers
    request = Request(
        method=scope.method,
        path=scope.path,
        query=scope.query_string,
        headers=cast("Headers", headers),  # its stub leaves out get_all
        body=lambda: _body(request, protocol, patience),
        scheme=scope.scheme,
        authority=headers.get("host") or scope.authority or "",
        client=scope.client,
        version=scope.http_version,
    )
    return request


def _problem(scope: Scope, request: Request) -> tuple[int, str] | None:
    """Status and reason for a request that the server's parser let through though it is none (RFC 9112 §3.2, §6)."""
    hosts = request.headers.get_all("host")
    if len(hosts) > 1:
        return 400, "Host is given more than once"
    if _HOST.fullmatch(request.authority) is None and (request.authority or request.version != "1"):
        return 400, "Host is missing or malformed"
    target = scope.authority
    if hosts and target is not None and target.lower() != hosts[0].lower():
        return 400, "Host is not the host of the request's target"
    return None if request.method in ("GET", "HEAD") else _body_problem(request.headers)


def _body_problem(headers: Headers) -> tuple[int, str] | None:
    lengths = headers.get_all("content-length")
    if len(lengths) > 1 or (lengths and _LENGTH.fullmatch(lengths[0]) is None):
        return 400, "Content-Length is malformed"
    codings = headers.get_all("transfer-encoding")
    if lengths and codings:
        return 400, "Content-Length and Transfer-Encoding exclude each other"
    if codings and [one.strip().lower() for one in codings] != ["chunked"]:
        return 501, "no Transfer-Encoding but chunked is known"
    if (headers.get("expect") or "100-continue").lower() != "100-continue":
        return 417, "no expectation but 100-continue is known"
    return None


async def _body(request: Request, protocol: HTTPProtocol, patience: float) -> AsyncIterator[bytes]:
    """The request's body. The server ends it quietly, or never, where it is broken: what came is checked here."""
    expected = request.content_length
    received = 0
    async for chunk in _unbroken(_timely(protocol, patience), _most_empty(request)):
        received += len(chunk)
        yield chunk
    if expected is not None and received < expected:
        raise BodyBroken(f"only {received} of {expected} bytes came", recorded=499)


def _most_empty(request: Request) -> int:
    # One empty chunk marks the end; HTTP/2 may end with an empty frame besides, and trailers look like one.
    return 1 if request.version != "2" and request.headers.get("trailer") is None else 2


async def _unbroken(chunks: AsyncIterator[bytes], most_empty: int) -> AsyncIterator[bytes]:
    # Broken framing, or a lost connection, gives another empty chunk; in HTTP/2 one after the other, for ever.
    empty = 0
    async for chunk in chunks:
        if chunk:
            yield chunk
            continue
        empty += 1
        if empty > most_empty:
            raise BodyBroken("the body is malformed or ends too early")


async def _timely(protocol: HTTPProtocol, patience: float) -> AsyncIterator[bytes]:
    chunks = aiter(protocol)
    clock = asyncio.get_running_loop().time
    credit = patience
    while True:
        before = clock()
        try:
            async with asyncio.timeout(credit):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BodyBroken("the body comes too slowly", 408, 408) from None
        except ProtocolClosed:
            raise BodyBroken("the connection is closed", recorded=499) from None
        credit = min(patience, credit - (clock() - before) + len(chunk) / _SLOWEST)
        yield chunk

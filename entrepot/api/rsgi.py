"""The adapter to Granian's RSGI interface: a scope becomes a Request, which the dispatcher answers.

With receiving.py and sending.py the only module that knows the server. Refuses what the server takes for a request
though it is none.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import lru_cache
from typing import Any, cast

from granian._granian import RSGIHTTPProtocol as HTTPProtocol  # granian.rsgi re-exports them, but not for type checkers
from granian.rsgi import Scope

from entrepot.api.access_log import AccessLog
from entrepot.api.dispatch import Dispatcher
from entrepot.api.message import Headers, Request, Response, content_response
from entrepot.api.receiving import BodyBroken, Receiver
from entrepot.api.sending import send, send_at_once
from entrepot.api.standing import StandingAnswers
from entrepot.telemetry import Meter, get_logger

log = get_logger(__name__)

_HOST = re.compile(r"(?:[A-Za-z0-9._~\-]{1,255}|\[[0-9A-Fa-f:.%]{2,64}\])(?::[0-9]{1,5})?")
_LENGTH = re.compile(r"[0-9]{1,18}")
_WITHOUT_BODY = ("GET", "HEAD")
_CLOSE = ("connection", "close")


class RsgiApplication:
    """What a worker serves; `close` is called at its end.

    `patience` is how many seconds a request's body may stand still; `background` is what runs beside the requests.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        access_log: AccessLog | None,
        patience: float,
        close: Callable[[], Any],
        background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        *,
        meter: Meter | None = None,
    ) -> None:
        """`meter` is told of each request; None spares it."""
        self._dispatcher = dispatcher
        self._access_log = access_log
        self._patience = patience
        self._close = close
        self._background = background
        self._meter = meter
        self._running: list[asyncio.Task[None]] = []
        self._standing = StandingAnswers()
        self._is_leaving = False

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._access_log is not None:
            self._access_log.begin(loop)
        self._running = [loop.create_task(work()) for work in self._background]

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            loop.run_until_complete(asyncio.wait(self._running))
        if self._access_log is not None:
            self._access_log.flush()
        self._close()

    def leave(self) -> None:
        """From now on each answer is the last one of its connection."""
        self._is_leaving = True

    def at_once(self, scope: Scope, protocol: HTTPProtocol) -> bool:
        """Answer now if nothing has to be waited for, or leave the request alone; in whatever thread the server calls.

        Whatever goes wrong here is left to the ordinary way, which answers and logs it.
        """
        if self._is_leaving:
            return False
        begun = time.monotonic() if self._meter is not None else 0.0
        try:
            request = _request(scope, _no_body)
            response = self._known(scope, request)
        except Exception:
            log.exception("hit_failed")
            return False
        if response is None:
            return False
        send_at_once(protocol, scope.method, response)
        if self._meter is not None:
            _tell(self._meter, self._dispatcher.handler(request.path), request, response, begun)
        if self._access_log is not None:
            self._access_log.record(request, response)
        return True

    def _known(self, scope: Scope, request: Request) -> Response | None:
        headers = request.headers
        if scope.method not in _WITHOUT_BODY or _host_problem(scope, headers.get_all("host")) is not None:
            return None
        if headers.get("transfer-encoding") is not None or headers.get("expect") is not None:
            return None
        if not self._dispatcher.is_open and not self._dispatcher.admits(request):
            return None
        # From here on all are equal: what nobody may do never gets here.
        key = self._dispatcher.key(request.path, request.query, request.authority)
        standing = None if key is None else self._standing.find(key, headers)
        if standing is not None:
            return standing
        answer = self._dispatcher.at_once(request)
        if answer is None:
            return None
        if key is not None:
            self._standing.keep(key, headers, answer)
        return answer.response

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        if self._meter is None:
            await self._serve(scope, protocol)
            return
        handler, begun = self._dispatcher.handler(scope.path), time.monotonic()
        self._meter.begun(handler)
        try:
            request, response = await self._serve(scope, protocol)
            _tell(self._meter, handler, request, response, begun)
        finally:
            self._meter.ended(handler)

    async def _serve(self, scope: Scope, protocol: HTTPProtocol) -> tuple[Request, Response]:
        receiver = Receiver(protocol, self._patience)
        request = _request(scope, receiver.receive)
        problem = _problem(scope, request.headers)
        if problem is not None:
            response = _closing(*problem)
            self._record(request, response)
        else:
            response = await self._answer(request, receiver)
        await send(protocol, request.method, response)
        return request, response

    async def _answer(self, request: Request, receiver: Receiver) -> Response:
        try:
            response = await self._dispatcher.answer(request)
        except BodyBroken as error:
            self._record(request, Response(error.recorded))
            return _closing(error.status, error.text)
        self._record(request, response)
        if self._is_leaving and request.version != "2":
            response.headers.append(_CLOSE)
        elif request.method not in _WITHOUT_BODY and not receiver.ended and request.has_body and request.version != "2":
            # The server closes the connection with the rest of the body in it; the client must not be surprised.
            response.headers.append(_CLOSE)
        return response

    def _record(self, request: Request, response: Response) -> None:
        if self._access_log is not None:
            self._access_log.record(request, response)


def _tell(meter: Meter, handler: str, request: Request, response: Response, begun: float) -> None:
    # What is no route is not told apart, as in Distribution.
    if handler:
        length = next((int(value) for name, value in response.headers if name == "content-length"), 0)
        sent = 0 if request.method == "HEAD" else length
        received = request.content_length or 0
        seconds = time.monotonic() - begun
        meter.requested(handler, request.method, response.status, seconds, received=received, sent=sent)


def _closing(status: int, text: str) -> Response:
    return content_response(status, "text/plain", f"{text}\n".encode(), [_CLOSE])


async def _no_body(request: Request) -> AsyncIterator[bytes]:
    """The body of what is answered at once: nobody asks for it."""
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk


def _request(scope: Scope, receive: Callable[[Request], AsyncIterator[bytes]]) -> Request:
    headers = scope.headers
    request = Request(
        method=scope.method,
        path=scope.path,
        query=scope.query_string,
        headers=cast("Headers", headers),  # its stub leaves out get_all
        body=lambda: receive(request),
        scheme=scope.scheme,
        authority=headers.get("host") or scope.authority or "",
        client=scope.client,
        version=scope.http_version,
    )
    return request


def _problem(scope: Scope, headers: Headers) -> tuple[int, str] | None:
    """Status and reason for a request that the server's parser let through though it is none (RFC 9112 §3.2, §6)."""
    problem = _host_problem(scope, headers.get_all("host"))
    return _body_problem(headers) if problem is None else problem


def _host_problem(scope: Scope, hosts: list[str]) -> tuple[int, str] | None:
    target = scope.authority
    if len(hosts) > 1:
        return 400, "Host is given more than once"
    authority = hosts[0] if hosts else target
    if not (_is_host(authority) if authority else scope.http_version == "1"):
        return 400, "Host is missing or malformed"
    if hosts and target is not None and target.lower() != hosts[0].lower():
        return 400, "Host is not the host of the request's target"
    return None


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


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

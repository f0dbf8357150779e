"""Sends one request, one hop, and gives its answer as it arrives. The only module that calls the HTTP client.

Knows neither registries nor credentials: what is asked, and what an answer means, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from pyreqwest.bytes import Bytes
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ClientClosedError, NetworkError, PyreqwestError, RequestTimeoutError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from entrepot.oci.errors import UpstreamFailed, UpstreamUnreachable
from entrepot.telemetry import get_logger
from entrepot.upstream.base import BrokeOff
from entrepot.upstream.headers import parse_length
from entrepot.upstream.message import Head, Request

USER_AGENT = "entrepot"

_DRAIN_LIMIT = 16 * 1024
_DRAIN_PATIENCE = 0.5
_CONNECTING = "client error (Connect)"

# The HTTP client counts a reader's pauses as the upstream's, so that its own limit must be a wide one.
_PAUSES = 10

_T = TypeVar("_T")

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: to connect, to wait for a connection or for the next bytes, and for a whole answer (None: no bound).

    How long to wait for an answer's head is for the caller to say, with `deadline`.
    """

    connect: float
    idle: float
    whole: float | None


class Reply:
    """An answer whose head has come; its body is read from the network as it is asked for, and only once."""

    def __init__(self, request: Request, response: Response, idle: float) -> None:
        self.head = Head(response.status, request.url, lambda name: _values(response, name))
        self._request = request
        self._response = response
        self._idle = idle

    @property
    def length(self) -> int | None:
        """Content-Length in bytes; None where there is none, or one that the framing contradicts."""
        if _values(self._response, "Transfer-Encoding"):
            return None
        return parse_length(self.head.header("Content-Length"))

    def require_plain(self) -> None:
        """Raise UpstreamFailed for a body in a Content-Encoding: it would not be what its digest says."""
        if _values(self._response, "Content-Encoding") not in ([], ["identity"]):
            raise UpstreamFailed("the upstream sent an encoded body where identity was asked for")

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """The body as the network brings it, without a copy. Raises UpstreamFailed where it breaks off or stalls."""
        while (chunk := await self._next_chunk()) is not None:
            yield memoryview(chunk)

    async def _next_chunk(self) -> Bytes | None:
        try:
            async with asyncio.timeout(self._idle):
                return await cancellable(self._response.body_reader.read_chunk())
        except PyreqwestError as error:
            reason = _reason(error)
        except TimeoutError:
            reason = f"no byte in {self._idle:g} s"
        _log.warning("upstream_broke_off", host=self._request.url.authority, reason=reason)
        raise BrokeOff("the upstream broke off or stalled in the middle of its answer")

    async def content(self, limit: int) -> bytes:
        """The whole body. Raises UpstreamFailed as soon as it is longer than `limit` bytes."""
        if (self.length or 0) > limit:
            raise UpstreamFailed(f"the upstream sent more than {limit} bytes")
        content = bytearray()
        async for chunk in self.chunks():
            content += chunk
            if len(content) > limit:
                raise UpstreamFailed(f"the upstream sent more than {limit} bytes")
        return bytes(content)

    async def drain(self) -> None:
        """Read a small body that nobody wants, so that the connection can be used again; it is not waited for long."""
        if self.length is not None and self.length <= _DRAIN_LIMIT:
            with suppress(PyreqwestError, TimeoutError):
                async with asyncio.timeout(_DRAIN_PATIENCE):
                    while await cancellable(self._response.body_reader.read_chunk()) is not None:
                        pass


class Transport:
    """One pool of HTTP/1.1 connections with a bound on requests under way.

    The HTTP client is made with the first request, in the running event loop; an upstream that is down is noticed then.
    Proxies are used where the environment names them (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), as Distribution does.
    """

    def __init__(self, pace: Pace, connections: int) -> None:
        self._pace = pace
        self._slots = asyncio.Semaphore(connections)
        self._client: Client | None = None

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Reply]:
        """The answer's head, as soon as it has come; leaving the context ends the answer, read or not.

        Only answers 200 and 206 have a body that is worth reading.

        Raises UpstreamUnreachable where nothing came or no connection was to be had, UpstreamFailed where what came is
        no HTTP.
        """
        async with deadline(self._pace.idle):
            await self._slots.acquire()
        try:
            stream, response = await self._begin(request)
            try:
                reply = Reply(request, response, self._pace.idle)
                if reply.head.status not in (200, 206):
                    await reply.drain()
                yield reply
            finally:
                await stream.__aexit__(None, None, None)
        finally:
            self._slots.release()

    async def close(self) -> None:
        """Break off all answers under way."""
        if self._client is not None:
            await self._client.close()

    async def _begin(self, request: Request) -> tuple[StreamRequest, Response]:
        try:
            try:
                return await self._attempt(request)
            except NetworkError as error:
                # A kept-alive connection may have died meanwhile; GET and HEAD may be asked twice, once more is enough.
                if _CONNECTING in _causes(error):
                    raise
                return await self._attempt(request)
        except PyreqwestError as error:
            raise _failure(request, error) from None

    async def _attempt(self, request: Request) -> tuple[StreamRequest, Response]:
        stream = self._build(request)
        try:
            return stream, await cancellable(stream.__aenter__())
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # there is no answer to end
                await stream.__aexit__(None, None, None)
            raise

    def _build(self, request: Request) -> StreamRequest:
        if self._client is None:
            self._client = _build_client(self._pace)
        builder = self._client.request(request.method, request.url)
        for name, value in request.headers:
            builder = builder.header(name, value)
        if request.authorization is not None:
            builder = builder.header("Authorization", request.authorization, is_sensitive=True)
        # With any other limit the client would hold the head back until so many bytes of the body have come.
        return builder.streamed_read_buffer_limit(0).build_streamed()


async def cancellable(answer: Awaitable[_T]) -> _T:
    """What `answer` gives; CancelledError where the task was cancelled meanwhile, whatever came of `answer`.

    When a cancellation meets an answer that has just come, the HTTP client may give the answer and forget the
    cancellation. Every wait for it goes through here, or deadlines and cancellations would be lost at random.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task can be cancelled")
    before = task.cancelling()
    try:
        return await answer
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Raise UpstreamUnreachable when the block takes longer; it may be rescheduled, to None to lift it."""
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            yield timeout
    except TimeoutError:
        if not timeout.expired():  # somebody else's, passing through
            raise
        raise UpstreamUnreachable("the upstream did not answer in time") from None


def _build_client(pace: Pace) -> Client:
    builder = (
        ClientBuilder()
        .user_agent(USER_AGENT)
        .default_headers({"Accept-Encoding": "identity"})
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .follow_redirects(False)
        .referer(False)
        .http1_only()
        .connect_timeout(timedelta(seconds=pace.connect))
        .read_timeout(timedelta(seconds=pace.idle * _PAUSES))
    )
    # Cancelling does not reach a request that waits for its head: the client's own limits are what ends it at last.
    return (builder if pace.whole is None else builder.timeout(timedelta(seconds=pace.whole))).build()


def _values(response: Response, name: str) -> list[str]:
    try:
        return response.get_header_all(name)
    except ValueError:  # not ASCII
        return [""]


def _causes(error: PyreqwestError) -> list[str]:
    # The first cause repeats the URL, which may be signed: it is never shown.
    causes = getattr(error, "details", {}).get("causes") or []
    return [cause["message"] for cause in causes if "://" not in cause["message"]]


def _reason(error: PyreqwestError) -> str:
    return (_causes(error) or [error.message])[-1]


def _failure(request: Request, error: PyreqwestError) -> UpstreamFailed:
    reason = _reason(error)
    _log.warning("upstream_request_failed", host=request.url.authority, method=request.method, reason=reason)
    if isinstance(error, RequestTimeoutError):
        return UpstreamUnreachable("the upstream did not answer in time")
    if "certificate" in reason:
        return UpstreamFailed("the upstream's certificate is not valid")
    if isinstance(error, NetworkError | ClientClosedError):
        return UpstreamUnreachable("the upstream can not be reached")
    return UpstreamFailed("the upstream's answer is no HTTP")

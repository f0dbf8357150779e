"""Sends one request, one hop, and gives its answer as it arrives. The only module that calls the HTTP client.

Knows neither registries nor credentials: what is asked, and what an answer means, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Protocol

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ClientClosedError, NetworkError, PyreqwestError, RequestTimeoutError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from entrepot.oci.errors import UpstreamFailed, UpstreamUnreachable
from entrepot.telemetry import get_logger
from entrepot.upstream.base import NotConnected
from entrepot.upstream.message import Request
from entrepot.upstream.reply import Reply, causes_of, reason_of
from entrepot.upstream.route import Route
from entrepot.upstream.waiting import Pace, cancellable
from entrepot.wire.via import passed_on

USER_AGENT = "entrepot"

_CONNECTING = "client error (Connect)"

# The HTTP client counts a reader's pauses as the upstream's, so that its own limit must be a wide one.
_PAUSES = 10

_log = get_logger(__name__)


class Sender(Protocol):
    """What takes a request to where it goes."""

    def send(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """The answer's head, as soon as it has come; leaving the context ends the answer, read or not."""


class Transport:
    """One pool of HTTP/1.1 connections; how many are used at once is for the caller to bound.

    The HTTP client is made with the first request, in the running event loop; an upstream that is down is noticed then.
    """

    def __init__(self, pace: Pace, route: Route) -> None:
        self._pace = pace
        self._route = route
        self._client: Client | None = None

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Reply]:
        """As a Sender. Only answers 200 and 206 have a body that is worth reading.

        Raises NotConnected where no connection was to be had, UpstreamUnreachable where nothing came, UpstreamFailed
        where what came is no HTTP.
        """
        stream, response = await self._begin(request)
        try:
            reply = Reply(request, response, self._pace)
            if reply.head.status not in (200, 206):
                await reply.drain()
            yield reply
        finally:
            await stream.__aexit__(None, None, None)

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
                if _CONNECTING in causes_of(error) or request.form is not None:
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
            self._client = _build_client(self._pace, self._route)
        builder = self._client.request(request.method, request.url)
        for name, value in request.headers:
            builder = builder.header(name, value)
        if chain := passed_on():
            builder = builder.header("Via", chain)
        if request.authorization is not None:
            builder = builder.header("Authorization", request.authorization, is_sensitive=True)
        if request.form is not None:
            builder = builder.header("Content-Type", "application/x-www-form-urlencoded").body_bytes(request.form)
        # With any other limit the client would hold the head back until so many bytes of the body have come.
        return builder.streamed_read_buffer_limit(0).build_streamed()


def _build_client(pace: Pace, route: Route) -> Client:
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
    bounded = builder if pace.whole is None else builder.timeout(timedelta(seconds=pace.whole))
    return route.applied(bounded).build()


def _failure(request: Request, error: PyreqwestError) -> UpstreamFailed:
    reason = reason_of(error)
    _log.warning("upstream_request_failed", host=request.url.authority, method=request.method, reason=reason)
    if isinstance(error, RequestTimeoutError):
        return UpstreamUnreachable("the upstream did not answer in time")
    if "certificate" in reason:
        return UpstreamFailed("the upstream's certificate is not valid")
    if isinstance(error, NetworkError) and _CONNECTING in causes_of(error):
        return NotConnected("the upstream can not be reached")
    if isinstance(error, NetworkError | ClientClosedError):
        return UpstreamUnreachable("the upstream can not be reached")
    return UpstreamFailed("the upstream's answer is no HTTP")

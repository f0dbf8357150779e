"""An answer as it arrives: its head, and a body that is read from the network as it is asked for. Judges no status."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from pyreqwest.bytes import Bytes
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import Response

from entrepot.oci.errors import UpstreamFailed
from entrepot.telemetry import get_logger
from entrepot.upstream.base import BrokeOff
from entrepot.upstream.headers import parse_length
from entrepot.upstream.message import Head, Request
from entrepot.upstream.waiting import Pace, cancellable

_DRAIN_LIMIT = 16 * 1024
_DRAIN_PATIENCE = 0.5
_RATE_WINDOW = 2
"""Idle times over which an answer's slowness is measured."""

_log = get_logger(__name__)


class Reply:
    """An answer whose head has come; its body may be read only once."""

    def __init__(self, request: Request, response: Response, pace: Pace) -> None:
        self.head = Head(response.status, request.url, lambda name: _values(response, name))
        self._request = request
        self._response = response
        self._pace = pace
        self._waited = 0.0
        self._received = 0

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
        """The body as the network brings it, without a copy. Raises BrokeOff where it breaks off, stalls or drips."""
        while (chunk := await self._next_chunk()) is not None:
            yield memoryview(chunk)

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

    async def _next_chunk(self) -> Bytes | None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._pace.idle):
                chunk = await cancellable(self._response.body_reader.read_chunk())
        except PyreqwestError as error:
            raise self._broken_off(reason_of(error)) from None
        except TimeoutError:
            raise self._broken_off(f"no byte in {self._pace.idle:g} s") from None
        if chunk is not None:
            self._require_speed(time.monotonic() - began, len(chunk))
        return chunk

    def _require_speed(self, seconds: float, size: int) -> None:
        # Only waiting counts: a reader that takes its time is not the upstream's fault.
        self._waited += seconds
        self._received += size
        if self._waited >= _RATE_WINDOW * self._pace.idle:
            if self._received < self._pace.slowest * self._waited:
                raise self._broken_off(f"only {self._received} bytes in {self._waited:.1f} s")
            self._waited, self._received = 0.0, 0

    def _broken_off(self, reason: str) -> BrokeOff:
        _log.warning("upstream_broke_off", host=self._request.url.authority, reason=reason)
        return BrokeOff("the upstream broke off or stalled in the middle of its answer")


def causes_of(error: PyreqwestError) -> list[str]:
    """What led to an error, outermost first."""
    # The first cause repeats the URL, which may be signed: it is never shown.
    causes = getattr(error, "details", {}).get("causes") or []
    return [cause["message"] for cause in causes if "://" not in cause["message"]]


def reason_of(error: PyreqwestError) -> str:
    """The innermost cause, without any URL."""
    return (causes_of(error) or [error.message])[-1]


def _values(response: Response, name: str) -> Sequence[str]:
    try:
        return response.get_header_all(name)
    except ValueError:  # not ASCII
        return [""]

"""Receiving a request's body through the server: whole, as it was announced, and in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from granian._granian import RSGIHTTPProtocol as HTTPProtocol  # granian.rsgi re-exports them, but not for type checkers
from granian._granian import RSGIProtocolClosed as ProtocolClosed

from entrepot.api.dispatch import ClientGone
from entrepot.api.message import Request

_SLOWEST = 512
"""Bytes a second that a body must bring in the long run."""


class BodyBroken(ClientGone):
    """A body is not what was announced, or takes too long. Where it ends, and the next request begins, is unknown.

    `status` is for the client, who may have stopped sending only; `recorded` for the access log.
    """

    def __init__(self, text: str, status: int = 400, recorded: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.recorded = recorded


class Receiver:
    """Receives one body, once. `ended` tells whether all of it was taken. `patience` is in seconds."""

    __slots__ = ("_patience", "_protocol", "ended")

    def __init__(self, protocol: HTTPProtocol, patience: float) -> None:
        self._protocol = protocol
        self._patience = patience
        self.ended = False

    async def receive(self, request: Request) -> AsyncIterator[bytes]:
        """Chunks that are not empty. Raises BodyBroken."""
        expected = request.content_length
        received = 0
        async for chunk in self._unbroken(_most_empty(request)):
            received += len(chunk)
            yield chunk
        if expected is not None and received < expected:
            raise BodyBroken(f"only {received} of {expected} bytes came", recorded=499)
        self.ended = True

    async def _unbroken(self, most_empty: int) -> AsyncIterator[bytes]:
        # Broken framing, or a lost connection, gives another empty chunk; in HTTP/2 one after the other, for ever.
        empty = 0
        async for chunk in self._timely():
            if chunk:
                yield chunk
                continue
            empty += 1
            if empty > most_empty:
                raise BodyBroken("the body is malformed or ends too early")

    async def _timely(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._protocol)
        clock = asyncio.get_running_loop().time
        credit = self._patience
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
            credit = min(self._patience, credit - (clock() - before) + len(chunk) / _SLOWEST)
            yield chunk


def _most_empty(request: Request) -> int:
    # One empty chunk marks the end; HTTP/2 may end with an empty frame besides, and trailers look like one.
    return 1 if request.version != "2" and request.headers.get("trailer") is None else 2
